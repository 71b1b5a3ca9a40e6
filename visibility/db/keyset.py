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


def encode_cursor(sort_key: Sequence[datetime | date | Decimal | int | str | None]) -> str:
    """URL-safe text for the values of a sort key."""
    texts = encode_sort_key_as_texts(sort_key)
    return base64.urlsafe_b64encode(json.dumps(texts).encode()).decode().rstrip("=")


def encode_sort_key_as_texts(
    sort_key: Sequence[datetime | date | Decimal | int | str | None],
) -> list[str | None]:
    """The values of a sort key as texts; null stays null."""
    return [
        v.isoformat() if isinstance(v, date) else None if v is None else str(v) for v in sort_key
    ]


def decode_cursor(
    cursor: str, types: Sequence[type], *, is_first_nullable: bool = False
) -> list[Any]:
    """The values of a sort key, one for each of `types`, safe to compare in PostgreSQL.

    Types: `datetime` (with a time zone), `date`, `Decimal`, `int`, `str`. Raises InvalidCursor.
    """
    try:
        texts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except INVALID_CURSOR_ERRORS as error:
        raise InvalidCursor(cursor) from error
    return decode_sort_key_from_texts(texts, types, is_first_nullable=is_first_nullable)


def decode_sort_key_from_texts(
    texts: object, types: Sequence[type], *, is_first_nullable: bool = False
) -> list[Any]:
    """The values of `encode_sort_key_as_texts`. Raises InvalidCursor."""
    try:
        if not isinstance(texts, list) or len(texts) != len(types):
            raise InvalidCursor(str(texts))
        return [
            None
            if text is None and is_first_nullable and index == 0
            else _parse_sort_key_value(text, kind)
            for index, (text, kind) in enumerate(zip(texts, types, strict=True))
        ]
    except INVALID_CURSOR_ERRORS as error:
        raise InvalidCursor(str(texts)) from error


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


def _parse_sort_key_value(text: str, kind: type) -> datetime | date | Decimal | int | str:
    if kind is str:
        # PostgreSQL cannot store NUL; a lone surrogate cannot be encoded as UTF-8 (a ValueError).
        if b"\0" in text.encode():
            raise InvalidCursor(text)
        return text
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
