"""Our event types in the words of the Core Business Vocabulary 2.0."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from connectors.sdk.events import EventType


class Form(StrEnum):
    """What kind of EPCIS event says it."""

    OBJECT = "ObjectEvent"
    TRANSACTION = "TransactionEvent"


class Action(StrEnum):
    """EPCIS: the start, the course or the end of something."""

    ADD = "ADD"
    OBSERVE = "OBSERVE"
    DELETE = "DELETE"


@dataclass(frozen=True, slots=True)
class Said:
    """How EPCIS says one of our event types; what the vocabulary has no word for stays empty."""

    form: Form
    action: Action = Action.OBSERVE
    step: str = ""
    disposition: str = ""


def _paper(action: Action = Action.OBSERVE, step: str = "") -> Said:
    return Said(Form.TRANSACTION, action, step)


def _goods(step: str, disposition: str = "") -> Said:
    return Said(Form.OBJECT, Action.OBSERVE, step, disposition)


WORDS: Mapping[EventType, Said] = {
    EventType.ORDER_RECEIVED: _paper(Action.ADD),
    EventType.ORDER_ACCEPTED: _paper(),
    EventType.ORDER_REJECTED: _paper(Action.DELETE),
    EventType.ORDER_CHANGED: _paper(),
    EventType.ORDER_CANCELLED: _paper(Action.DELETE),
    EventType.ORDER_HELD: _paper(step="holding"),
    EventType.ORDER_HOLD_RELEASED: _paper(),
    EventType.ORDER_RELEASED: _paper(),
    EventType.LINE_ALLOCATED: _goods("reserving", "reserved"),
    EventType.LINE_DEALLOCATED: _goods("reserving", "available"),
    EventType.LINE_SHORTED: _goods("reserving", "unavailable"),
    EventType.LINE_BACKORDERED: _goods("reserving", "unavailable"),
    EventType.LINE_SUBSTITUTED: _goods("replacing"),
    EventType.PICK_STARTED: _goods("picking", "in_progress"),
    EventType.PICK_COMPLETED: _goods("picking"),
    EventType.PACK_COMPLETED: _goods("packing", "container_closed"),
    EventType.LABEL_CREATED: _goods(""),
    EventType.SHIPMENT_CONFIRMED: _goods("shipping", "in_transit"),
    EventType.SHIPMENT_VOID: _goods("void_shipping"),
    EventType.PICKED_UP: _goods("departing", "in_transit"),
    EventType.IN_TRANSIT: _goods("transporting", "in_transit"),
    EventType.OUT_FOR_DELIVERY: _goods("transporting", "in_transit"),
    EventType.ATTEMPTED: _goods("transporting", "in_transit"),
    EventType.AVAILABLE_FOR_PICKUP: _goods("arriving", "in_transit"),
    EventType.DELIVERED: _goods("accepting"),
    EventType.DELAYED: _goods("transporting", "in_transit"),
    EventType.SHIPMENT_EXCEPTION: _goods("transporting", "unknown"),
    EventType.SHIPMENT_RETURNED: _goods("transporting", "returned"),
    EventType.ETA_UPDATED: _goods(""),
    EventType.INVENTORY_SNAPSHOT: _goods("stock_taking"),
    EventType.INVOICE_ISSUED: _paper(Action.ADD),
    EventType.INVOICE_PAID: _paper(),
    EventType.INVOICE_VOID: _paper(Action.DELETE),
    EventType.CREDIT_ISSUED: _paper(Action.ADD),
    EventType.RETURN_AUTHORISED: _paper(Action.ADD),
    EventType.RETURN_RECEIVED: _goods("receiving", "returned"),
    EventType.RETURN_CREDITED: _paper(),
    EventType.DOCUMENT_ACKNOWLEDGED: _paper(),
    EventType.DOCUMENT_REJECTED: _paper(),
    EventType.UNMAPPED: _goods(""),
}
# Units of UN/CEFACT Recommendation 20; none: pieces, which EPCIS counts without a unit.
UNITS: Mapping[str, str] = {
    "EA": "",
    "EACH": "",
    "PC": "",
    "PCE": "",
    "BX": "XBX",
    "CS": "XCS",
    "CT": "XCT",
    "PK": "XPK",
    "DZ": "DZN",
    "PR": "PR",
    "RL": "RL",
    "KG": "KGM",
    "LB": "LBR",
    "MT": "MTR",
    "FT": "FOT",
    "LT": "LTR",
}
