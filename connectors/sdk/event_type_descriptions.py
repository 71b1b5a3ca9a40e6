"""What each event type means: its label, its meaning, and its effect on the timeline of an order.

Screens, exports, the JSON Schemas and docs/events.md take the texts from here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.sdk.events import EventType


@dataclass(frozen=True, slots=True)
class EventTypeDescription:
    """`label` for screens, `meaning` in a sentence, and `effect` on the order's timeline."""

    label: str
    meaning: str
    effect: str


NO_EFFECT = "None; it is listed in the activity of the order."
STATUS_AND_SCAN = "Sets the status of the package; it counts as a scan."
_T = EventTypeDescription

EVENT_TYPES: Mapping[EventType, EventTypeDescription] = {
    EventType.ORDER_RECEIVED: _T(
        "Order received", "A system received the order.", "Milestone: received."
    ),
    EventType.ORDER_ACCEPTED: _T(
        "Order accepted", "The seller accepted the order.", "Milestone: accepted."
    ),
    EventType.ORDER_REJECTED: _T(
        "Order rejected", "The seller rejected the order.", "Status: rejected, until work begins."
    ),
    EventType.ORDER_CHANGED: _T(
        "Order changed",
        "Quantities, prices or dates of the order changed.",
        "Its quantities, prices and dates replace the earlier ones of the source.",
    ),
    EventType.ORDER_CANCELLED: _T(
        "Order cancelled",
        "The order, or the cancelled quantities of its lines, are no longer wanted.",
        "Milestone: cancelled. Without quantities it cancels the order, or what is not shipped.",
    ),
    EventType.ORDER_HELD: _T(
        "Put on hold", "The order must not be released yet.", "Status: on hold."
    ),
    EventType.ORDER_HOLD_RELEASED: _T(
        "Hold released", "The hold of the order ended.", "Ends the hold of the source."
    ),
    EventType.ORDER_RELEASED: _T(
        "Released to the warehouse",
        "The warehouse may begin to work on the order.",
        "Milestone: released. Ends the hold of the source.",
    ),
    EventType.PAYMENT_APPROVED: _T(
        "Payment approved",
        "A payment of the customer was authorized, and the money is not collected yet.",
        "Milestone: payment approved.",
    ),
    EventType.QUOTATION_ISSUED: _T(
        "Quotation issued",
        "A quotation was sent to the customer.",
        "None. Orders that name the quotation are related to it and never merged.",
    ),
    EventType.CONTRACT_SIGNED: _T(
        "Contract signed",
        "A sales contract was signed.",
        "None. Orders that name the contract are related to it and never merged.",
    ),
    EventType.LINE_REORDERED: _T(
        "Item reordered",
        "The seller ordered more stock of an item from its supplier.",
        NO_EFFECT,
    ),
    EventType.LINE_ALLOCATED: _T(
        "Stock allocated", "Stock was allocated to lines.", "Milestone: allocated."
    ),
    EventType.LINE_DEALLOCATED: _T(
        "Deallocated",
        "An allocation was taken back.",
        "Its allocated quantities replace the earlier ones.",
    ),
    EventType.LINE_SHORTED: _T(
        "Line short-shipped",
        "Less was shipped than was due, for lack of stock.",
        "State: stock shortage while the line is open. Its cancelled quantities are the seller's.",
    ),
    EventType.LINE_BACKORDERED: _T(
        "Line back-ordered",
        "A quantity waits for stock.",
        "State and status: back-ordered, by the back-ordered quantities.",
    ),
    EventType.LINE_SUBSTITUTED: _T(
        "Line substituted",
        "Another item is shipped in place of the ordered one.",
        "The substitute fills the ordered line.",
    ),
    EventType.PICK_STARTED: _T(
        "Picking started",
        "The warehouse began to pick.",
        "Shows that the order is being worked on.",
    ),
    EventType.PICK_COMPLETED: _T("Picked", "Goods were picked.", "Milestone: picked."),
    EventType.PACK_COMPLETED: _T("Packed", "Goods were packed.", "Milestone: packed."),
    EventType.GOODS_MOVEMENT_POSTED: _T(
        "Goods movement posted",
        "The ERP posted a goods movement document (SAP: material document).",
        "None. Send shipment.confirmed when the goods leave.",
    ),
    EventType.LABEL_CREATED: _T(
        "Label created",
        "A shipping label was created, which does not prove a shipment.",
        "Adds the shipment, and when its label was created.",
    ),
    EventType.SHIPMENT_TENDERED: _T(
        "Offered to a carrier", "A load was offered to a carrier (X12: 204).", NO_EFFECT
    ),
    EventType.SHIPMENT_CONFIRMED: _T(
        "Shipment confirmed", "Goods left the location.", "Milestone: shipped. Adds the shipment."
    ),
    EventType.SHIPMENT_VOID: _T(
        "Shipment voided",
        "A confirmed shipment did not take place.",
        "Takes back the quantities of the part, or of the shipments and packages that it names.",
    ),
    EventType.PICKED_UP: _T("Carrier pickup", "The carrier picked up the goods.", STATUS_AND_SCAN),
    EventType.IN_TRANSIT: _T("In transit", "The carrier moves the goods.", STATUS_AND_SCAN),
    EventType.OUT_FOR_DELIVERY: _T(
        "Out for delivery", "The goods are on the delivery vehicle.", STATUS_AND_SCAN
    ),
    EventType.ATTEMPTED: _T("Delivery attempted", "A delivery attempt failed.", STATUS_AND_SCAN),
    EventType.AVAILABLE_FOR_PICKUP: _T(
        "Ready for pickup", "The customer can collect the goods.", STATUS_AND_SCAN
    ),
    EventType.DELIVERED: _T(
        "Delivered",
        "The goods arrived.",
        "Milestone: delivered. The shipped quantities of the shipment count as delivered.",
    ),
    EventType.DELAYED: _T("Delayed", "The carrier reports a delay.", STATUS_AND_SCAN),
    EventType.SHIPMENT_EXCEPTION: _T(
        "Delivery exception", "Something prevents the delivery.", STATUS_AND_SCAN
    ),
    EventType.SHIPMENT_RETURNED: _T(
        "Returned to sender",
        "The carrier brings the goods back.",
        STATUS_AND_SCAN
        + " It takes a delivery back. A later delivery of the package is one to the "
        "sender: its goods are then returned.",
    ),
    EventType.ETA_UPDATED: _T(
        "Estimated delivery",
        "The carrier expects another time of delivery.",
        "Sets the expected delivery of the shipment.",
    ),
    EventType.INVENTORY_SNAPSHOT: _T(
        "Inventory snapshot", "The stock of items at a time.", NO_EFFECT
    ),
    EventType.INVENTORY_ADJUSTED: _T(
        "Inventory adjusted", "The stock of an item was corrected (X12: 947).", NO_EFFECT
    ),
    EventType.INVOICE_ISSUED: _T(
        "Invoice issued", "An invoice was sent to the customer.", "Milestone: invoiced."
    ),
    EventType.PAYMENT_REMINDER_SENT: _T(
        "Payment reminder sent",
        "The customer was reminded of an unpaid invoice (SAP: dunning notice).",
        NO_EFFECT,
    ),
    EventType.INVOICE_PARTLY_PAID: _T(
        "Invoice partly paid", "Less than the amount of an invoice was paid.", NO_EFFECT
    ),
    EventType.INVOICE_PAID: _T("Invoice paid", "An invoice was paid.", "Milestone: paid."),
    EventType.INVOICE_VOID: _T(
        "Invoice voided",
        "An invoice was cancelled.",
        "Takes back the quantities of the part, or of the invoices that it names.",
    ),
    EventType.FREIGHT_INVOICED: _T(
        "Freight invoiced", "A carrier invoiced its freight (X12: 210).", NO_EFFECT
    ),
    EventType.CREDIT_REQUESTED: _T(
        "Credit memo requested",
        "A credit memo request was entered, for example for a complaint.",
        NO_EFFECT,
    ),
    EventType.DEBIT_REQUESTED: _T(
        "Debit memo requested",
        "A debit memo request was entered, for example for a price that was too low.",
        NO_EFFECT,
    ),
    EventType.CREDIT_ISSUED: _T(
        "Credit issued", "A credit memo was sent to the customer.", "Milestone: credited."
    ),
    EventType.RETURN_AUTHORIZED: _T(
        "Return authorized", "The customer may return goods.", NO_EFFECT
    ),
    EventType.RETURN_DELIVERY_CREATED: _T(
        "Return delivery created",
        "A delivery document for returned goods was created (SAP: returns delivery).",
        NO_EFFECT,
    ),
    EventType.RETURN_RECEIVED: _T(
        "Return received", "Returned goods arrived.", "Milestone: returned."
    ),
    EventType.RETURN_CREDITED: _T(
        "Return credited", "Returned goods were credited.", "Milestone: credited."
    ),
    EventType.DOCUMENT_ACKNOWLEDGED: _T(
        "Document acknowledged",
        "The receiver acknowledged a document (X12: 824, 990; EDIFACT: APERAK).",
        NO_EFFECT,
    ),
    EventType.DOCUMENT_REJECTED: _T(
        "Document rejected",
        "The receiver rejected a document (X12: 824, 990; EDIFACT: APERAK).",
        NO_EFFECT,
    ),
    EventType.UNMAPPED: _T(
        "Unmapped status",
        "A status text without a mapping yet.",
        "None until a person maps the status text.",
    ),
}
