"""Limits of canonical events, so that columns, indexes and sums can hold every value."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from connectors.sdk.events import (
    DATES,
    Attribute,
    CanonicalEvent,
    EventIdentifier,
    EventLine,
    Flag,
    ObjectKind,
    ObjectReference,
)
from connectors.sdk.identifier_normalization import has_invisible_or_lookalike, normalize_identifier
from connectors.sdk.parse_event_references import serial_references
from connectors.sdk.payload import ParkReason, PayloadError, parse_decimal
from connectors.sdk.timestamps import MAX_AHEAD

VALID_YEARS = (2000, 9000)
MAX_KEY_LENGTH = 500
MAX_NUMBER_LENGTH = 200
MAX_ISSUER_LENGTH = 100
# The product of a quantity and a price must fit an amount column.
MAX_QUANTITY = Decimal(10) ** 9
MAX_PRICE = Decimal(10) ** 11
MAX_TOTAL = Decimal(10) ** 18
# Every object of an event is related to the others: the work grows faster than their number.
MAX_REFERENCES = 1_000
MAX_SELLER_LENGTH = 200


def validate_and_flag_event(event: CanonicalEvent, received_at: datetime) -> CanonicalEvent:
    """Return the event with keys shortened, and flags and serialized items added.

    Raises PayloadError.

    The flags mark events without a time and identifiers with look-alike characters. Values that are
    implausible or too large are errors.
    """
    if event.occurred_at is not None and event.occurred_at - received_at > MAX_AHEAD:
        time = f"{event.occurred_at:%Y-%m-%d %H:%M}"
        raise PayloadError(
            ParkReason.TIMESTAMP,
            event.key[:80],
            f"{time} is more than 7 days after the time received",
        )
    if not event.key.strip():
        raise PayloadError(ParkReason.SCHEMA, event.type.value, "nothing identifies this fact")
    serials = (ref for ref in serial_references(event.lines) if ref not in event.objects)
    objects = (*event.objects, *serials)
    if len(objects) > MAX_REFERENCES:
        detail = (
            f"refers to {len(objects):,} objects, and {MAX_REFERENCES:,} are the most: "
            "send several events"
        )
        raise PayloadError(ParkReason.SIZE, event.key[:80], detail)
    identifiers = [i for ref in objects for i in ref.identifiers]
    for identifier in identifiers:
        _check_identifier(identifier)
    for line in event.lines:
        _check_line(line)
        _check_index(line.order_index, ObjectKind.ORDER, objects)
        _check_index(line.package_index, ObjectKind.PACKAGE, objects)
        _check_index(line.shipment_index, ObjectKind.SHIPMENT, objects)
        _check_index(line.order_line_index, ObjectKind.ORDER_LINE, objects)
    attributes = event.attributes
    if Attribute.TOTAL in attributes:
        total = parse_decimal(attributes[Attribute.TOTAL], "total")
        _check_amount(total, MAX_TOTAL, "total")
        attributes = {**attributes, Attribute.TOTAL: format(total, "f")}  # 1E+3 is a number too
    for name in DATES & event.attributes.keys():
        _check_date(event.attributes[name], name.value)
    lacks_time = event.occurred_at is None and Flag.TIME_RECEIVED not in event.flags
    has_lookalikes = any(has_invisible_or_lookalike(identifier.value) for identifier in identifiers)
    return replace(
        event,
        objects=objects,
        attributes=attributes,
        key=_shorten_key(event.key),
        corrects=tuple(_shorten_key(key) for key in event.corrects),
        flags=(
            *event.flags,
            *((Flag.TIME_RECEIVED,) * lacks_time),
            *((Flag.CONFUSABLE,) * has_lookalikes),
        ),
    )


def _check_identifier(identifier: EventIdentifier) -> None:
    path = identifier.scheme.value
    if not identifier.value.strip():
        raise PayloadError(ParkReason.IDENTIFIER, path, "is blank")
    length = max(
        len(identifier.value), len(normalize_identifier(identifier.scheme, identifier.value))
    )
    if length > MAX_NUMBER_LENGTH:
        raise PayloadError(
            ParkReason.IDENTIFIER, path, f"longer than {MAX_NUMBER_LENGTH} characters"
        )
    if len(identifier.issuer) > MAX_ISSUER_LENGTH:
        detail = f"the issuer is longer than {MAX_ISSUER_LENGTH} characters"
        raise PayloadError(ParkReason.IDENTIFIER, path, detail)
    if "\ufffd" in identifier.value + identifier.issuer:
        raise PayloadError(ParkReason.ENCODING, path, "contains invalid characters")


def _check_line(line: EventLine) -> None:
    path = f"line {line.line_id[:40]}"
    for measure, quantity in line.quantities.items():
        _check_amount(quantity, MAX_QUANTITY, f"{path} {measure.value}")
    if line.price is not None:
        _check_amount(line.price, MAX_PRICE, f"{path} price")
    if line.pieces_per_unit is not None:
        _check_amount(line.pieces_per_unit, MAX_QUANTITY, f"{path} pieces_per_unit")
    for name, date in line.dates.items():
        _check_date(date, f"{path} {name.value}")
    if len(line.seller) > MAX_SELLER_LENGTH:
        detail = f"longer than {MAX_SELLER_LENGTH} characters"
        raise PayloadError(ParkReason.SIZE, f"{path} seller", detail)


def _check_index(index: int, kind: ObjectKind, objects: Sequence[ObjectReference]) -> None:
    """Check that the index of a line's order, package or shipment, if given, refers to one."""
    if index >= 0 and (index >= len(objects) or objects[index].kind is not kind):
        detail = f"reference {index} of a line is no {kind.value} of the event"
        raise PayloadError(ParkReason.MAPPING, "lines", detail)


def _check_date(text: str, path: str) -> None:
    """Check that a date or time can be displayed in every time zone."""
    try:
        is_valid = VALID_YEARS[0] <= datetime.fromisoformat(text).year <= VALID_YEARS[1]
    except ValueError:
        is_valid = False
    if not is_valid:
        raise PayloadError(ParkReason.TIMESTAMP, path, f"{text[:40]!r} is not a valid date")


def _check_amount(amount: Decimal, limit: Decimal, path: str) -> None:
    if abs(amount) >= limit:
        raise PayloadError(ParkReason.NUMBER, path, f"{amount:f} is too large")


def _shorten_key(key: str) -> str:
    """Shorten a key to what an index can hold. A hash keeps shortened keys distinct."""
    if len(key) <= MAX_KEY_LENGTH:
        return key
    return f"{key[: MAX_KEY_LENGTH - 65]} {hashlib.sha256(key.encode()).hexdigest()}"
