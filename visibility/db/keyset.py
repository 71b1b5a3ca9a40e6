"""Keyset pagination: the sort key of a page's last row, as opaque text and as a condition."""

import base64
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db.models import Q

MAX_DECIMAL_EXPONENT = 24
INVALID_CURSOR_ERRORS = (
    ValueError,
    TypeError,
    AttributeError,
    InvalidOperation,
    OverflowError,
    RecursionError,
)


class InvalidCursor(ValueError):
    """The text is not a cursor of this list."""


def encode_cursor(sort_key: Sequence[datetime | date | Decimal | int]) -> str:
    """URL-safe text for the values of a sort key."""
    texts = [v.isoformat() if isinstance(v, date) else str(v) for v in sort_key]
    return base64.urlsafe_b64encode(json.dumps(texts).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, types: Sequence[type]) -> list[Any]:
    """The values of a sort key, one for each of `types`, safe to compare in PostgreSQL.

    Types: `datetime` (with a time zone), `date`, `Decimal`, `int`. Raises InvalidCursor.
    """
    try:
        texts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(texts, list) or len(texts) != len(types):
            raise InvalidCursor(cursor)
        return [_parse_sort_key_value(text, kind) for text, kind in zip(texts, types, strict=True)]
    except INVALID_CURSOR_ERRORS as error:
        raise InvalidCursor(cursor) from error


def condition_for_rows_after_sort_key(keys: Sequence[str], sort_key: Sequence[Any]) -> Q:
    """The condition for the rows after a sort key. `-` before a key means descending.

    Only descending keys may be null: PostgreSQL sorts null before their other values.
    """
    condition = Q()
    for key, value in reversed(list(zip(keys, sort_key, strict=True))):
        name, operator = key.removeprefix("-"), "lt" if key.startswith("-") else "gt"
        if value is None:
            condition = Q(**{f"{name}__isnull": False}) | Q(**{name: None}) & condition
        elif not condition:
            condition = Q(**{f"{name}__{operator}": value})
        else:
            # The first condition is redundant: it lets PostgreSQL use the index.
            condition = Q(**{f"{name}__{operator}e": value}) & (
                Q(**{f"{name}__{operator}": value}) | condition
            )
    return condition


def _parse_sort_key_value(text: str, kind: type) -> datetime | date | Decimal | int:
    if kind is datetime:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise InvalidCursor(text)
        return moment.astimezone(UTC)
    if kind is date:
        return date.fromisoformat(text)
    if kind is Decimal:
        number = Decimal(text)
        if not number.is_finite() or abs(number.adjusted()) > MAX_DECIMAL_EXPONENT:
            raise InvalidCursor(text)
        return number
    integer = int(text)
    if abs(integer) >= 2**63:
        raise InvalidCursor(text)
    return integer
