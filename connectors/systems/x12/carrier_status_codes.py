"""Element 1650, shipment status code (AT701), and element 1651 (AT703) of appointments."""

from connectors.sdk.events import EventType

STATUS_TYPES = {
    "A3": EventType.SHIPMENT_RETURNED,  # returned to shipper
    "A7": EventType.SHIPMENT_EXCEPTION,  # refused by consignee
    "A9": EventType.SHIPMENT_EXCEPTION,  # damaged
    "AF": EventType.PICKED_UP,  # departed pickup location with shipment
    "AG": EventType.ETA_UPDATED,  # estimated delivery
    "AH": EventType.ATTEMPTED,
    "AI": EventType.SHIPMENT_EXCEPTION,  # reconsigned
    "AJ": EventType.OUT_FOR_DELIVERY,  # tendered for delivery
    "AM": EventType.PICKED_UP,  # loaded on truck
    "AN": EventType.IN_TRANSIT,  # diverted to air carrier
    "AP": EventType.SHIPMENT_EXCEPTION,  # delivery not completed
    "AR": EventType.IN_TRANSIT,  # rail arrival at destination ramp
    "AV": EventType.AVAILABLE_FOR_PICKUP,
    "BA": EventType.IN_TRANSIT,  # connecting line pickup
    "BC": EventType.SHIPMENT_EXCEPTION,  # storage in transit
    "CP": EventType.PICKED_UP,  # completed loading at pickup location
    "D1": EventType.DELIVERED,  # completed unloading at delivery location
    "I1": EventType.IN_TRANSIT,  # in-gate
    "J1": EventType.IN_TRANSIT,  # delivered to connecting line
    "K1": EventType.IN_TRANSIT,  # arrived at customs
    "OA": EventType.IN_TRANSIT,  # out-gate
    "OO": EventType.SHIPMENT_EXCEPTION,  # paperwork received, shipment not received
    "P1": EventType.IN_TRANSIT,  # departed terminal
    "PR": EventType.SHIPMENT_EXCEPTION,  # customs hold
    "R1": EventType.IN_TRANSIT,  # received from prior carrier
    "RL": EventType.IN_TRANSIT,  # rail departure from origin
    "S1": EventType.IN_TRANSIT,  # trailer spotted at the consignee
    "SD": EventType.DELAYED,
    "X1": EventType.IN_TRANSIT,  # arrived at delivery location
    "X2": EventType.ETA_UPDATED,  # estimated arrival at the consignee
    "X4": EventType.IN_TRANSIT,  # arrived at terminal
    "X5": EventType.IN_TRANSIT,  # arrived at the dock of the delivery location
    "X6": EventType.IN_TRANSIT,  # en route to delivery location
}
# Steps of the carrier that change nothing for the order. They are in the detail of the message.
STEPS_WITHOUT_EVENT = {
    "AA": "pickup appointment",
    "B6": "estimated arrival at terminal",
    "C1": "estimated departure from terminal",
    "CD": "departed delivery location",
    "CL": "trailer closed",
    "L1": "loading",
    "X3": "arrived at pickup location",
    "X8": "arrived at the dock of the pickup location",
}
# AT703 instead of AT701: an appointment is planned. AB is the appointment of the delivery.
APPOINTMENT_TYPES = {"AB": EventType.ETA_UPDATED}
