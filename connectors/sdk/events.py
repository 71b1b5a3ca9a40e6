"""The language everything else speaks: canonical events, the objects they name, quantities.

An event says one thing that happened, as one source claims it. It *names* business objects by
identifiers and never by our own row ids, so it can be made without a database. Vocabulary:
EPCIS 2.0 (times, corrections), OCEL 2.0 (events point at many objects), X12 and SCOR words.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import orjson


class EventType(StrEnum):
    """What happened. `unmapped` keeps a word nobody has mapped yet; the word is in `raw_type`."""

    ORDER_RECEIVED = "order.received"
    ORDER_ACCEPTED = "order.accepted"
    ORDER_REJECTED = "order.rejected"
    ORDER_CHANGED = "order.changed"
    ORDER_CANCELLED = "order.cancelled"
    ORDER_HELD = "order.held"
    ORDER_HOLD_RELEASED = "order.hold_released"
    ORDER_RELEASED = "order.released"
    LINE_ALLOCATED = "line.allocated"
    LINE_DEALLOCATED = "line.deallocated"
    LINE_SHORTED = "line.shorted"
    LINE_BACKORDERED = "line.backordered"
    LINE_SUBSTITUTED = "line.substituted"
    PICK_STARTED = "pick.started"
    PICK_COMPLETED = "pick.completed"
    PACK_COMPLETED = "pack.completed"
    LABEL_CREATED = "shipment.label_created"  # a label is not a shipment
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
    INVOICE_ISSUED = "invoice.issued"
    INVOICE_PAID = "invoice.paid"
    INVOICE_VOID = "invoice.void"
    CREDIT_ISSUED = "credit.issued"
    RETURN_AUTHORISED = "return.authorised"
    RETURN_RECEIVED = "return.received"
    RETURN_CREDITED = "return.credited"
    DOCUMENT_ACKNOWLEDGED = "document.acknowledged"
    DOCUMENT_REJECTED = "document.rejected"
    UNMAPPED = "unmapped"


class ObjectKind(StrEnum):
    """The business objects events speak of."""

    CUSTOMER = "customer"
    ITEM = "item"
    ORDER = "order"
    SHIPMENT = "shipment"
    PACKAGE = "package"
    INVOICE = "invoice"
    RETURN = "return"


class Scheme(StrEnum):
    """What kind of number an identifier is."""

    SALES_ORDER = "sales_order"  # the ERP's number
    WEB_ORDER = "web_order"  # the shop's number or name
    ORDER_NUMBER = "order_number"  # another system's number of the order
    CUSTOMER_PO = "customer_po"
    SOURCE_ID = "source_id"  # a system's own technical id
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


class Measure(StrEnum):
    """What a quantity of a line counts."""

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


class Attribute(StrEnum):
    """Facts beside the event. Dates and times are ISO 8601 text, money is a decimal string."""

    CHANNEL = "channel"
    CUSTOMER_NO = "customer_no"
    CUSTOMER_NAME = "customer_name"
    CUSTOMER_GROUP = "customer_group"
    CURRENCY = "currency"
    TOTAL = "total"
    REQUESTED_AT = "requested_at"  # delivery the customer asked for
    PROMISED_AT = "promised_at"  # delivery we promised
    SHIP_BY = "ship_by"
    ETA = "eta"
    WAREHOUSE = "warehouse"
    CARRIER = "carrier"
    SERVICE = "service"
    LOCATION = "location"
    REASON = "reason"
    STATUS = "status"  # the source's own status word, as a claim
    DETAIL = "detail"


class Flag(StrEnum):
    """What is unusual about an applied event."""

    DATE_ONLY = "date_only"
    TIME_RECEIVED = "time_received"  # the source gave no time: the receive time stands in
    ZONE_ASSUMED = "zone_assumed"
    LOCAL_REPEATED = "local_repeated"
    LOCAL_SKIPPED = "local_skipped"
    FUTURE = "future"  # told before it happens: without effect until then
    SANITISED = "sanitised"
    UNKNOWN_SKU = "unknown_sku"
    UNIT = "unit"
    CURRENCY = "currency"
    OVERSHIP = "overship"
    CONFUSABLE = "confusable"  # a number that could be read as another one
    ENVELOPE = "envelope"  # EDI counts or control numbers that do not agree


@dataclass(frozen=True, slots=True)
class Identifier:
    """One number of one object.

    `issuer` is whose number range it is: the slug of a source, a customer's number, or empty where
    the value is unique by itself. A `strong` identifier names exactly one object: two seen together
    on one reference are the same object. A weak one is kept and found, and never joins.
    """

    scheme: Scheme
    value: str
    issuer: str = ""
    strong: bool = True


@dataclass(frozen=True, slots=True)
class Ref:
    """One object an event speaks of: all its identifiers name the same object."""

    kind: ObjectKind
    identifiers: tuple[Identifier, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """Quantities of one order line.

    `line_id` is the source's own id of the line (text), `order` the index in `objects` of the order
    it belongs to, for events that speak of several orders (-1: the only one).
    """

    line_id: str
    sku: str = ""
    description: str = ""
    unit: str = "EA"
    price: Decimal | None = None
    quantities: Mapping[Measure, Decimal] = field(default_factory=dict)
    order: int = -1


@dataclass(frozen=True, slots=True)
class CanonicalEvent:
    """One thing that happened, as one source claims it.

    `key` names the fact within its source: the same fact told again has the same key. `part` names
    what the line quantities are totals of: empty for the whole order, else for example
    `shipment 4453260548`; a later event with the same part replaces the earlier figures, different
    parts add up. `revision` is the source's own version (sortable text): of two tellings of one key
    the higher revision counts. `corrects` lists keys of this source's events that this one
    withdraws. `occurred_at` is aware UTC, or None where the source gives no time at all.
    """

    type: EventType
    key: str
    occurred_at: datetime | None
    objects: tuple[Ref, ...]
    lines: tuple[Line, ...] = ()
    part: str = ""
    attributes: Mapping[Attribute, str] = field(default_factory=dict)
    revision: str = ""
    raw_type: str = ""
    flags: tuple[Flag, ...] = ()
    corrects: tuple[str, ...] = ()


# What people and systems write where there is no number.
NO_NUMBER = frozenset(
    {"", "n/a", "na", "nil", "none", "null", "pickup", "tba", "tbd", "undefined", "unknown"}
)


def identifying(text: str) -> str:
    """The number, or empty where the value is none: `N/A`, `TBD`, `-`, `0`, `Pickup`."""
    trimmed = text.strip()
    if trimmed.casefold() in NO_NUMBER or not trimmed.strip("0-._/#* "):
        return ""
    return trimmed


SCHEMES = frozenset(Scheme)


def issued(setting: str, default: tuple[Scheme, str]) -> tuple[Scheme, str]:
    """Whose number a setting like `sales_order@erp` means; `default` for a blank one."""
    if not setting.strip():
        return default
    scheme, at, issuer = (part.strip() for part in setting.partition("@"))
    if not at or not issuer:
        raise ValueError(f"{setting!r} is not of the form scheme@source, as sales_order@erp is")
    if scheme not in SCHEMES:
        raise ValueError(f"{scheme!r} is no scheme; known are {', '.join(sorted(Scheme))}")
    return Scheme(scheme), issuer


def plain(number: Decimal) -> str:
    """A decimal without exponent and without trailing zeros: `50`, `12.5`."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def iso(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds: `2026-03-04T05:06:07.000000Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def as_dict(event: CanonicalEvent) -> dict[str, Any]:
    """The event as plain JSON values; `from_dict` is its inverse."""
    return {
        "type": event.type.value,
        "key": event.key,
        "occurred_at": iso(event.occurred_at) if event.occurred_at else None,
        "objects": [
            {
                "kind": ref.kind.value,
                "identifiers": [
                    {
                        "scheme": i.scheme.value,
                        "issuer": i.issuer,
                        "value": i.value,
                        "strong": i.strong,
                    }
                    for i in ref.identifiers
                ],
            }
            for ref in event.objects
        ],
        "lines": [
            {
                "line_id": line.line_id,
                "sku": line.sku,
                "description": line.description,
                "unit": line.unit,
                "price": plain(line.price) if line.price is not None else None,
                "quantities": {m.value: plain(q) for m, q in sorted(line.quantities.items())},
                "order": line.order,
            }
            for line in event.lines
        ],
        "part": event.part,
        "attributes": {name.value: text for name, text in sorted(event.attributes.items())},
        "revision": event.revision,
        "raw_type": event.raw_type,
        "flags": sorted(flag.value for flag in event.flags),
        "corrects": list(event.corrects),
    }


def from_dict(data: Mapping[str, Any]) -> CanonicalEvent:
    """The event that `as_dict` wrote. Raises KeyError or ValueError on anything else."""
    at = data["occurred_at"]
    return CanonicalEvent(
        type=EventType(data["type"]),
        key=data["key"],
        occurred_at=datetime.fromisoformat(at) if at else None,
        objects=tuple(
            Ref(
                ObjectKind(ref["kind"]),
                tuple(
                    Identifier(Scheme(i["scheme"]), i["value"], i["issuer"], i["strong"])
                    for i in ref["identifiers"]
                ),
            )
            for ref in data["objects"]
        ),
        lines=tuple(
            Line(
                line_id=line["line_id"],
                sku=line["sku"],
                description=line["description"],
                unit=line["unit"],
                price=Decimal(line["price"]) if line["price"] is not None else None,
                quantities={Measure(m): Decimal(q) for m, q in line["quantities"].items()},
                order=line["order"],
            )
            for line in data["lines"]
        ),
        part=data["part"],
        attributes={Attribute(name): text for name, text in data["attributes"].items()},
        revision=data["revision"],
        raw_type=data["raw_type"],
        flags=tuple(Flag(flag) for flag in data["flags"]),
        corrects=tuple(data["corrects"]),
    )


def written(event: CanonicalEvent) -> bytes:
    """The event as JSON, in one way only: keys sorted, no blanks, UTF-8."""
    return orjson.dumps(as_dict(event), option=orjson.OPT_SORT_KEYS)


def content_hash(event: CanonicalEvent) -> str:
    """SHA-256 (hex) of everything the event says: two tellings with one hash are one telling."""
    return hash_of(written(event))


def hash_of(text: bytes) -> str:
    """The content hash of an event that is `written` already."""
    return hashlib.sha256(text).hexdigest()
