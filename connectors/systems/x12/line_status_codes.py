"""Element 668, line item status code (ACK01, SN108): what the seller does with a line."""

from connectors.sdk.events import EventType, Measure

# The seller ships the line as ordered, or says more in other elements.
ACCEPTED_CODES = frozenset({"AA", "AC", "AR", "DR", "IA", "IC", "IE", "IP", "SP"})
# The seller does not ship the line, and nothing of it is awaited.
REJECTED_CODES = {
    "ID": "item deleted",
    "IR": "item rejected",
    "R1": "not a contract item",
    "R2": "invalid item number",
    "R3": "invalid unit of issue",
    "R4": "contract item not available",
    "R5": "reorder as a just-in-time order",
    "R6": "reorder as an extended delivery order",
    "R7": "reorder as a drop shipment",
    "R8": "reorder as a surge order",
    "R9": "item discontinued",
}
HOLD_CODES = {
    "IF": "incomplete description",
    "IH": "item on hold",
    "IW": "waiver required",
}
BACKORDERED_CODES = frozenset({"IB", "BP"})
# Line statuses that need an event besides the acceptance of the order. The seller's cancelled
# quantities stay in the demand that the fill rate counts, so they are not a change of the order.
LINE_STATUS_TYPES = {
    **dict.fromkeys(BACKORDERED_CODES, EventType.LINE_BACKORDERED),
    **dict.fromkeys(HOLD_CODES, EventType.ORDER_HELD),
    **dict.fromkeys(REJECTED_CODES, EventType.LINE_SHORTED),
    "IS": EventType.LINE_SUBSTITUTED,
    "IQ": EventType.ORDER_CHANGED,
}
# What ACK02 counts. For a substituted item it is the quantity that will not be shipped.
LINE_STATUS_MEASURES = {
    **dict.fromkeys(BACKORDERED_CODES, Measure.BACKORDERED),
    **dict.fromkeys(REJECTED_CODES, Measure.CANCELLED),
    "IS": Measure.CANCELLED,
    "IQ": Measure.ORDERED,
}
