"""Values of OData v2 documents of SAP: dates and times, numbers with zeros, items, references."""

import re
from datetime import datetime, timedelta
from decimal import Decimal

from connectors.sdk.event_codec import format_decimal, format_rfc3339
from connectors.sdk.events import (
    EventIdentifier,
    Flag,
    IdentifierScheme,
    ObjectKind,
    ObjectReference,
)
from connectors.sdk.json_dates import parse_json_date
from connectors.sdk.payload import Node, ParkReason, PayloadError
from connectors.sdk.timestamps import (
    ParsedTime,
    local_to_utc,
    parse_date_as_midnight,
    parse_timestamp,
    to_plausible_utc,
)

TIME_OF_DAY = re.compile(r"PT(?:([0-9]{1,2})H)?(?:([0-9]{1,2})M)?(?:([0-9]{1,2})(?:\.[0-9]+)?S)?")
# Status letters: blank is not relevant, A not yet, B in part, C completely.
NOT_YET, PARTLY, COMPLETELY = "A", "B", "C"
CENTS = Decimal("0.0001")


def without_leading_zeros(number: str) -> str:
    """Return a document or item number as people write it: events and items pad it with zeros."""
    return number.lstrip("0") if number.isascii() and number.isdecimal() else number


def moment_at(document: Node, key: str) -> datetime | None:
    """Return the time in `/Date(ms)/` or `/Date(ms+0000)/`; None for null.

    A date without an offset (Edm.DateTime) is midnight. ISO 8601 is read too. Raises PayloadError.
    """
    text, path = document.text_at(key), document.get(key).path
    if moment := parse_json_date(text, path):
        return moment
    parsed = parse_timestamp(text, path, "UTC")
    return parsed.time if parsed else None


def day_at(document: Node, key: str) -> str:
    """Return a date as ISO 8601 text; "" for null."""
    moment = moment_at(document, key)
    return f"{moment:%Y-%m-%d}" if moment else ""


def day_and_time(document: Node, day_key: str, time_key: str, zone: str) -> ParsedTime | None:
    """Return a date with its time of day (`PT14H05M12S`) in a zone; None without a date.

    Without a time, or with 00:00:00, which SAP sends for "no time", it is a date.
    """
    day = day_at(document, day_key)
    if not day:
        return None
    path = document.get(time_key).path
    text = document.text_at(time_key)
    match = TIME_OF_DAY.fullmatch(text)
    if text and match is None:
        raise PayloadError(ParkReason.TIMESTAMP, path, f"{text[:40]!r} is not a time of day")
    clock = timedelta(
        **{
            name: int(digits)
            for name, digits in zip(
                ("hours", "minutes", "seconds"), match.groups() if match else (), strict=False
            )
            if digits
        }
    )
    if not clock:
        return parse_date_as_midnight(day, path, zone)
    local = local_to_utc(datetime.fromisoformat(day) + clock, zone, path)
    return ParsedTime(to_plausible_utc(local.time, path), (Flag.ZONE_ASSUMED, *local.flags))


def changed_at(document: Node) -> ParsedTime | None:
    """Return `LastChangeDateTime`, which orders and billing documents have."""
    moment = moment_at(document, "LastChangeDateTime")
    return ParsedTime(moment) if moment else None


def revision_of(time: ParsedTime | None) -> str:
    """Return a time as sortable text."""
    return format_rfc3339(time.time) if time else ""


def items_of(document: Node, name: str) -> list[Node] | None:
    """Return the items of a document: `{"results": [...]}` or a list. None: not sent with it."""
    node = document.get(name)
    if isinstance(node.value, list):
        return node.as_list()
    if isinstance(node.value, dict) and node.value.get("results") is not None:
        return node.list_at("results")
    return None


def amount_at(document: Node, key: str) -> str:
    """Return an amount as text; "" for none."""
    amount = document.decimal_at(key)
    return "" if amount is None else format_decimal(amount)


def unit_price(item: Node, quantity: Decimal | None) -> Decimal | None:
    """Return the net amount of an item for one unit, to four decimals."""
    amount = item.decimal_at("NetAmount")
    if amount is None or not quantity:
        return None
    return (amount / quantity).quantize(CENTS).normalize()


def blocks_of(document: Node) -> list[str]:
    """Return why goods must not be delivered yet, in words; empty: they may.

    TotalCreditCheckStatus: A approved, B not approved, C not approved in part, D released by a
    person.
    """
    block, credit = document.text_at("DeliveryBlockReason"), document.text_at(CREDIT_STATUS)
    return [
        *([f"delivery block {block}"] if block else []),
        *([f"credit check {credit}"] if credit in {PARTLY, COMPLETELY} else []),
    ]


CREDIT_STATUS = "TotalCreditCheckStatus"


def order_reference(number: str, source: str) -> ObjectReference:
    """Return a reference to a sales order by its number."""
    ids = EventIdentifier(IdentifierScheme.SALES_ORDER, without_leading_zeros(number), source)
    return ObjectReference(ObjectKind.ORDER, (ids,))


def delivery_reference(number: str, source: str, *more: EventIdentifier) -> ObjectReference:
    """Return a reference to the shipment of an outbound delivery."""
    ids = EventIdentifier(IdentifierScheme.DELIVERY, without_leading_zeros(number), source)
    return ObjectReference(ObjectKind.SHIPMENT, (ids, *more))
