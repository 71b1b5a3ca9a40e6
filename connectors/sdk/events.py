"""The canonical event model: events, the business objects they refer to, and quantities.

An event is one fact, as one source reports it. It refers to business objects by identifiers. The
vocabulary follows EPCIS 2.0 (times, corrections), OCEL 2.0 (one event, many objects) and X12.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class EventType(StrEnum):
    """What happened. `unmapped` is an event whose type (in `raw_type`) has no mapping yet."""

    ORDER_RECEIVED = "order.received"
    ORDER_ACCEPTED = "order.accepted"
    ORDER_REJECTED = "order.rejected"
    ORDER_CHANGED = "order.changed"
    ORDER_CANCELLED = "order.cancelled"
    ORDER_HELD = "order.held"
    ORDER_HOLD_RELEASED = "order.hold_released"
    ORDER_RELEASED = "order.released"
    PAYMENT_APPROVED = "payment.approved"
    QUOTATION_ISSUED = "quotation.issued"
    CONTRACT_SIGNED = "contract.signed"
    LINE_REORDERED = "line.reordered"
    LINE_ALLOCATED = "line.allocated"
    LINE_DEALLOCATED = "line.deallocated"
    LINE_SHORTED = "line.shorted"
    LINE_BACKORDERED = "line.backordered"
    LINE_SUBSTITUTED = "line.substituted"
    PICK_STARTED = "pick.started"
    PICK_COMPLETED = "pick.completed"
    PACK_COMPLETED = "pack.completed"
    GOODS_MOVEMENT_POSTED = "goods_movement.posted"
    LABEL_CREATED = "shipment.label_created"  # a label does not prove a shipment
    SHIPMENT_TENDERED = "shipment.tendered"  # offered to a carrier
    SHIPMENT_CONFIRMED = "shipment.confirmed"
    SHIPMENT_VOID = "shipment.void"
    PICKED_UP = "shipment.picked_up"
    IN_TRANSIT = "shipment.in_transit"
    OUT_FOR_DELIVERY = "shipment.out_for_delivery"
    ATTEMPTED = "shipment.attempted"
    AVAILABLE_FOR_PICKUP = "shipment.available_for_pickup"
    DELIVERED = "shipment.delivered"
    DELAYED = "shipment.delayed"
    SHIPMENT_EXCEPTION = "shipment.exception"
    SHIPMENT_RETURNED = "shipment.returned"
    ETA_UPDATED = "eta.updated"
    INVENTORY_SNAPSHOT = "inventory.snapshot"
    INVENTORY_ADJUSTED = "inventory.adjusted"
    INVOICE_ISSUED = "invoice.issued"
    PAYMENT_REMINDER_SENT = "payment.reminder_sent"
    INVOICE_PARTLY_PAID = "invoice.partly_paid"
    INVOICE_PAID = "invoice.paid"
    INVOICE_VOID = "invoice.void"
    FREIGHT_INVOICED = "freight.invoiced"  # the carrier's invoice, not the customer's
    CREDIT_REQUESTED = "credit.requested"
    DEBIT_REQUESTED = "debit.requested"
    CREDIT_ISSUED = "credit.issued"
    RETURN_AUTHORIZED = "return.authorized"
    RETURN_DELIVERY_CREATED = "return.delivery_created"
    RETURN_RECEIVED = "return.received"
    RETURN_CREDITED = "return.credited"
    DOCUMENT_ACKNOWLEDGED = "document.acknowledged"
    DOCUMENT_REJECTED = "document.rejected"
    UNMAPPED = "unmapped"


class ObjectKind(StrEnum):
    """Kinds of business objects that events refer to."""

    CUSTOMER = "customer"
    ITEM = "item"
    ORDER = "order"
    ORDER_LINE = "order_line"  # one line or piece of one order, with an id of its own
    SHIPMENT = "shipment"
    PACKAGE = "package"
    INVOICE = "invoice"
    RETURN = "return"
    RETURN_DELIVERY = "return_delivery"
    QUOTATION = "quotation"
    CONTRACT = "contract"
    GOODS_MOVEMENT = "goods_movement"
    CREDIT_MEMO_REQUEST = "credit_memo_request"
    DEBIT_MEMO_REQUEST = "debit_memo_request"
    LOAD = "load"
    VEHICLE = "vehicle"
    CONTAINER = "container"
    TRANSPORT_DOCUMENT = "transport_document"
    SERIALIZED_ITEM = "serialized_item"  # one piece with its serial number


# Kinds of objects that many orders refer to. Events relate them to orders; no order owns them.
SHARED_KINDS = frozenset(
    {
        ObjectKind.CUSTOMER,
        ObjectKind.ITEM,
        ObjectKind.QUOTATION,
        ObjectKind.CONTRACT,
        ObjectKind.LOAD,
        ObjectKind.VEHICLE,
        ObjectKind.CONTAINER,
        ObjectKind.TRANSPORT_DOCUMENT,
        ObjectKind.SERIALIZED_ITEM,
    }
)


class IdentifierScheme(StrEnum):
    """Kinds of identifiers."""

    SALES_ORDER = "sales_order"  # the ERP's order number
    WEB_ORDER = "web_order"  # the web shop's order number or name
    ORDER_NUMBER = "order_number"  # another system's order number
    CUSTOMER_PO = "customer_po"
    SOURCE_ID = "source_id"  # a system's technical id
    SHIPMENT = "shipment"
    DELIVERY = "delivery"
    BOL = "bol"
    PRO = "pro"
    SSCC = "sscc"
    TRACKING = "tracking"
    INVOICE = "invoice"
    CREDIT_MEMO = "credit_memo"
    RMA = "rma"
    CUSTOMER = "customer"
    SKU = "sku"
    REFERENCE = "reference"
    RETURN_DELIVERY = "return_delivery"
    QUOTATION = "quotation"
    CONTRACT = "contract"
    GOODS_MOVEMENT = "goods_movement"
    CREDIT_MEMO_REQUEST = "credit_memo_request"
    DEBIT_MEMO_REQUEST = "debit_memo_request"
    LOAD = "load"
    VEHICLE = "vehicle"
    CONTAINER = "container"
    TRANSPORT_DOCUMENT = "transport_document"
    SERIAL = "serial"  # issued per SKU


class Measure(StrEnum):
    """What a line quantity measures."""

    ORDERED = "ordered"
    ALLOCATED = "allocated"
    BACKORDERED = "backordered"
    PICKED = "picked"
    PACKED = "packed"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    INVOICED = "invoiced"
    RETURNED = "returned"
    CREDITED = "credited"
    CANCELLED = "cancelled"


class QuantityMode(StrEnum):
    """Whether the quantities of a line are the total of their scope or an increment to it."""

    TOTAL = "total"
    DELTA = "delta"


class Attribute(StrEnum):
    """Attributes of an event. Dates and times are ISO 8601 text, amounts are decimal strings."""

    CHANNEL = "channel"
    CUSTOMER_NO = "customer_no"
    CUSTOMER_NAME = "customer_name"
    CUSTOMER_GROUP = "customer_group"
    CURRENCY = "currency"
    TOTAL = "total"
    REQUESTED_AT = "requested_at"  # delivery requested by the customer
    PROMISED_AT = "promised_at"  # delivery promised to the customer
    SHIP_BY = "ship_by"
    ETA = "eta"
    WAREHOUSE = "warehouse"
    CARRIER = "carrier"
    SERVICE = "service"
    LOCATION = "location"
    REASON = "reason"
    STATUS = "status"  # status text of the source
    DETAIL = "detail"


DATES = frozenset({Attribute.REQUESTED_AT, Attribute.PROMISED_AT, Attribute.SHIP_BY, Attribute.ETA})
LINE_DATES = (Attribute.REQUESTED_AT, Attribute.PROMISED_AT, Attribute.SHIP_BY)


class Flag(StrEnum):
    """Anything unusual about an applied event."""

    DATE_ONLY = "date_only"
    TIME_RECEIVED = "time_received"  # no event time sent; the time received is used
    TIME_OF_REPORT = "time_of_report"  # a state without a time of its own, as of its report
    ZONE_ASSUMED = "zone_assumed"
    LOCAL_REPEATED = "local_repeated"
    LOCAL_SKIPPED = "local_skipped"
    FUTURE = "future"  # dated ahead; has no effect until then
    SANITIZED = "sanitized"
    CONFUSABLE = "confusable"  # a number with look-alike characters
    ENVELOPE = "envelope"  # EDI counts or control numbers do not match


@dataclass(frozen=True, slots=True)
class EventIdentifier:
    """One identifier of one object.

    `issuer` is the owner of the number range: the slug of a source, a customer number, or empty if
    the value is globally unique. A `strong` identifier identifies exactly one object, so references
    that share it are merged. A weak identifier is stored and searchable but never merges objects.
    """

    scheme: IdentifierScheme
    value: str
    issuer: str = ""
    strong: bool = True


@dataclass(frozen=True, slots=True)
class ObjectReference:
    """A reference to one object. All identifiers of a reference belong to the same object."""

    kind: ObjectKind
    identifiers: tuple[EventIdentifier, ...]


@dataclass(frozen=True, slots=True)
class EventLine:
    """Quantities of one order line.

    `line_id` is the source's own id of the line. Indexes point into `objects`, -1 is not reported:
    `order_index` for events that refer to several orders; `package_index` is the package that
    contains the line (a line in several packages is repeated, and its quantities add up);
    `shipment_index` is the shipment that a line of an invoice of several shipments is about;
    `order_line_index` is the order line object that it is about: without an `order_index`, the line
    belongs to the order of that object. `ship_by`, `requested_at` and `promised_at` are ISO 8601
    text, as those of an order. `seller` is its seller on a marketplace. `pieces_per_unit`: how many
    pieces one `unit` contains. `is_goods` is false for what is never shipped, such as a service.
    """

    line_id: str
    sku: str = ""
    description: str = ""
    unit: str = "EA"
    price: Decimal | None = None
    quantities: Mapping[Measure, Decimal] = field(default_factory=dict)
    order_index: int = -1
    package_index: int = -1
    quantity_mode: QuantityMode = QuantityMode.TOTAL
    seller: str = ""
    ship_by: str = ""
    requested_at: str = ""
    promised_at: str = ""
    serials: tuple[str, ...] = ()
    pieces_per_unit: Decimal | None = None
    shipment_index: int = -1
    is_goods: bool = True
    order_line_index: int = -1

    @property
    def dates(self) -> dict[Attribute, str]:
        """The dates that the line has of its own, by name."""
        return {name: date for name in LINE_DATES if (date := getattr(self, name.value))}


@dataclass(frozen=True, slots=True)
class CanonicalEvent:
    """One fact, as one source reports it.

    `key` identifies the fact within its source; a repeated report has the same key. `scope` says
    what the line quantities are totals of: empty for the whole order, else for example `shipment
    4453260548`. A later event with the same scope replaces the earlier quantities, or adds to them
    if the `quantity_mode` of the line is `delta`; quantities of different scopes add up. `revision`
    is the source's version as sortable text: of two reports with one key, the higher revision wins.
    `corrects` lists keys of events of this source that this event withdraws. `complete_measures`
    lists the measures that the event reports for its whole scope: what it does not name is zero.
    `takes_back` lists types of earlier events of this source, with the same scope, that no longer
    hold. `other_attributes` are attributes of the source by their own names, as text; only exports
    of the event log read them. `occurred_at` is in UTC, or None if the source sends no time.
    """

    type: EventType
    key: str
    occurred_at: datetime | None
    objects: tuple[ObjectReference, ...]
    lines: tuple[EventLine, ...] = ()
    scope: str = ""
    attributes: Mapping[Attribute, str] = field(default_factory=dict)
    revision: str = ""
    raw_type: str = ""
    flags: tuple[Flag, ...] = ()
    corrects: tuple[str, ...] = ()
    complete_measures: tuple[Measure, ...] = ()
    takes_back: tuple[EventType, ...] = ()
    other_attributes: Mapping[str, str] = field(default_factory=dict)
