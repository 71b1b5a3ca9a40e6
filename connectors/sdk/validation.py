"""What one event may hold: whatever is beyond, the rows, indexes and sums cannot bear."""

import hashlib
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from connectors.sdk.event_json import DATES
from connectors.sdk.events import Attribute, CanonicalEvent, Flag, Identifier, Line
from connectors.sdk.normalization import confusable, normalise
from connectors.sdk.payload import PayloadError, Reason, number
from connectors.sdk.timestamps import LATEST_AHEAD

YEARS = (1900, 9000)
LONGEST_KEY = 500
LONGEST_NUMBER = 200
LONGEST_ISSUER = 100
# A quantity times a price must still fit an amount of money.
QUANTITY = Decimal(10) ** 9
PRICE = Decimal(10) ** 11
TOTAL = Decimal(10) ** 18


def checked(event: CanonicalEvent, received_at: datetime) -> CanonicalEvent:
    """The event, fit to be kept; it says so where it has no time of its own or looks like another.

    Raises PayloadError for what is implausible or too large.
    """
    if event.occurred_at is not None and event.occurred_at - received_at > LATEST_AHEAD:
        when = f"{event.occurred_at:%Y-%m-%d %H:%M}"
        raise PayloadError(
            Reason.TIMESTAMP, event.key[:80], f"{when} is more than 7 days ahead of its arrival"
        )
    identifiers = [i for ref in event.objects for i in ref.identifiers]
    for identifier in identifiers:
        _identifier(identifier)
    for line in event.lines:
        _line(line)
    total = event.attributes.get(Attribute.TOTAL)
    if total is not None:
        _below(number(total, "total"), TOTAL, "total")
    for name in DATES & event.attributes.keys():
        _date(event.attributes[name], name.value)
    timeless = event.occurred_at is None and Flag.TIME_RECEIVED not in event.flags
    alike = any(confusable(identifier.value) for identifier in identifiers)
    return replace(
        event,
        key=_short(event.key),
        corrects=tuple(_short(key) for key in event.corrects),
        flags=(
            *event.flags,
            *((Flag.TIME_RECEIVED,) * timeless),
            *((Flag.CONFUSABLE,) * alike),
        ),
    )


def _identifier(identifier: Identifier) -> None:
    path = identifier.scheme.value
    written = max(len(identifier.value), len(normalise(identifier.scheme, identifier.value)))
    if written > LONGEST_NUMBER:
        raise PayloadError(Reason.IDENTIFIER, path, f"longer than {LONGEST_NUMBER} characters")
    if len(identifier.issuer) > LONGEST_ISSUER:
        detail = f"whose number it is takes more than {LONGEST_ISSUER} characters"
        raise PayloadError(Reason.IDENTIFIER, path, detail)
    if "\ufffd" in identifier.value + identifier.issuer:
        raise PayloadError(Reason.ENCODING, path, "characters that can't be kept")


def _line(line: Line) -> None:
    path = f"line {line.line_id[:40]}"
    for measure, quantity in line.quantities.items():
        _below(quantity, QUANTITY, f"{path} {measure.value}")
    if line.price is not None:
        _below(line.price, PRICE, f"{path} price")


def _date(text: str, path: str) -> None:
    """A date or time that every zone of the world can show."""
    try:
        shown = YEARS[0] <= datetime.fromisoformat(text).year <= YEARS[1]
    except ValueError:
        shown = False
    if not shown:
        raise PayloadError(Reason.TIMESTAMP, path, f"{text[:40]!r} is no date that can be meant")


def _below(amount: Decimal, limit: Decimal, path: str) -> None:
    if abs(amount) >= limit:
        raise PayloadError(Reason.NUMBER, path, f"{amount:f} is more than anyone trades")


def _short(key: str) -> str:
    """An index holds no longer key; what is cut away still counts."""
    if len(key) <= LONGEST_KEY:
        return key
    return f"{key[: LONGEST_KEY - 65]} {hashlib.sha256(key.encode()).hexdigest()}"
