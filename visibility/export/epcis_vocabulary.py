"""Map canonical event types to the Core Business Vocabulary (CBV) 2.0."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from connectors.sdk.events import EventType


class EpcisEventType(StrEnum):
    """The EPCIS event type."""

    OBJECT = "ObjectEvent"
    TRANSACTION = "TransactionEvent"


class EpcisAction(StrEnum):
    """The EPCIS action: the start, the course or the end of a process."""

    ADD = "ADD"
    OBSERVE = "OBSERVE"
    DELETE = "DELETE"


@dataclass(frozen=True, slots=True)
class EpcisMapping:
    """The EPCIS form of an event type; empty values have no CBV equivalent."""

    event_type: EpcisEventType
    action: EpcisAction = EpcisAction.OBSERVE
    step: str = ""
    disposition: str = ""


def _transaction_event_mapping(
    action: EpcisAction = EpcisAction.OBSERVE, step: str = ""
) -> EpcisMapping:
    return EpcisMapping(EpcisEventType.TRANSACTION, action, step)


def _object_event_mapping(step: str, disposition: str = "") -> EpcisMapping:
    return EpcisMapping(EpcisEventType.OBJECT, EpcisAction.OBSERVE, step, disposition)


EPCIS_MAPPINGS: Mapping[EventType, EpcisMapping] = {
    EventType.ORDER_RECEIVED: _transaction_event_mapping(EpcisAction.ADD),
    EventType.ORDER_ACCEPTED: _transaction_event_mapping(),
    EventType.ORDER_REJECTED: _transaction_event_mapping(EpcisAction.DELETE),
    EventType.ORDER_CHANGED: _transaction_event_mapping(),
    EventType.ORDER_CANCELLED: _transaction_event_mapping(EpcisAction.DELETE),
    EventType.ORDER_HELD: _transaction_event_mapping(step="holding"),
    EventType.ORDER_HOLD_RELEASED: _transaction_event_mapping(),
    EventType.ORDER_RELEASED: _transaction_event_mapping(),
    EventType.PAYMENT_APPROVED: _transaction_event_mapping(),
    EventType.QUOTATION_ISSUED: _transaction_event_mapping(EpcisAction.ADD),
    EventType.CONTRACT_SIGNED: _transaction_event_mapping(EpcisAction.ADD),
    EventType.LINE_REORDERED: _object_event_mapping(""),
    EventType.LINE_ALLOCATED: _object_event_mapping("reserving", "reserved"),
    EventType.LINE_DEALLOCATED: _object_event_mapping("reserving", "available"),
    EventType.LINE_SHORTED: _object_event_mapping("reserving", "unavailable"),
    EventType.LINE_BACKORDERED: _object_event_mapping("reserving", "unavailable"),
    EventType.LINE_SUBSTITUTED: _object_event_mapping("replacing"),
    EventType.PICK_STARTED: _object_event_mapping("picking", "in_progress"),
    EventType.PICK_COMPLETED: _object_event_mapping("picking"),
    EventType.PACK_COMPLETED: _object_event_mapping("packing", "container_closed"),
    EventType.GOODS_MOVEMENT_POSTED: _transaction_event_mapping(EpcisAction.ADD),
    EventType.LABEL_CREATED: _object_event_mapping(""),
    EventType.SHIPMENT_TENDERED: _transaction_event_mapping(EpcisAction.ADD),
    EventType.SHIPMENT_CONFIRMED: _object_event_mapping("shipping", "in_transit"),
    EventType.SHIPMENT_VOID: _object_event_mapping("void_shipping"),
    EventType.PICKED_UP: _object_event_mapping("departing", "in_transit"),
    EventType.IN_TRANSIT: _object_event_mapping("transporting", "in_transit"),
    EventType.OUT_FOR_DELIVERY: _object_event_mapping("transporting", "in_transit"),
    EventType.ATTEMPTED: _object_event_mapping("transporting", "in_transit"),
    EventType.AVAILABLE_FOR_PICKUP: _object_event_mapping("arriving", "in_transit"),
    EventType.DELIVERED: _object_event_mapping("accepting"),
    EventType.DELAYED: _object_event_mapping("transporting", "in_transit"),
    EventType.SHIPMENT_EXCEPTION: _object_event_mapping("transporting", "unknown"),
    EventType.SHIPMENT_RETURNED: _object_event_mapping("transporting", "returned"),
    EventType.ETA_UPDATED: _object_event_mapping(""),
    EventType.INVENTORY_SNAPSHOT: _object_event_mapping("stock_taking"),
    EventType.INVENTORY_ADJUSTED: _object_event_mapping("cycle_counting"),
    EventType.INVOICE_ISSUED: _transaction_event_mapping(EpcisAction.ADD),
    EventType.PAYMENT_REMINDER_SENT: _transaction_event_mapping(),
    EventType.INVOICE_PARTLY_PAID: _transaction_event_mapping(),
    EventType.INVOICE_PAID: _transaction_event_mapping(),
    EventType.INVOICE_VOID: _transaction_event_mapping(EpcisAction.DELETE),
    EventType.FREIGHT_INVOICED: _transaction_event_mapping(EpcisAction.ADD),
    EventType.CREDIT_REQUESTED: _transaction_event_mapping(EpcisAction.ADD),
    EventType.DEBIT_REQUESTED: _transaction_event_mapping(EpcisAction.ADD),
    EventType.CREDIT_ISSUED: _transaction_event_mapping(EpcisAction.ADD),
    EventType.RETURN_AUTHORIZED: _transaction_event_mapping(EpcisAction.ADD),
    EventType.RETURN_DELIVERY_CREATED: _transaction_event_mapping(EpcisAction.ADD),
    EventType.RETURN_RECEIVED: _object_event_mapping("receiving", "returned"),
    EventType.RETURN_CREDITED: _transaction_event_mapping(),
    EventType.DOCUMENT_ACKNOWLEDGED: _transaction_event_mapping(),
    EventType.DOCUMENT_REJECTED: _transaction_event_mapping(),
    EventType.UNMAPPED: _object_event_mapping(""),
}
# Unit codes of UN/CEFACT Recommendation 20. Empty: pieces, which EPCIS counts without a unit.
UNIT_CODES: Mapping[str, str] = {
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
