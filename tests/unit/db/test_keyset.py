"""Cursors of keyset pagination: round trip, and rejection of what is no cursor."""

import base64
import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from visibility.db.keyset import InvalidCursor, decode_cursor, encode_cursor

TYPES = (datetime, date, Decimal, int)
SORT_KEY: list[datetime | date | Decimal | int] = [
    datetime(2026, 2, 28, 23, 59, 1, 5, UTC),
    date(2024, 2, 29),
    Decimal("-12.50"),
    2**62,
]


def encode(*texts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(texts).encode()).decode().rstrip("=")


def test_cursor_returns_the_sort_key() -> None:
    cursor = encode_cursor(SORT_KEY)
    assert decode_cursor(cursor, TYPES) == SORT_KEY
    assert cursor.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    ("cursor", "kind"),
    [
        ("", int),
        ("~", int),
        ("é", int),
        ("[" * 50_000, int),
        (base64.b64encode(b"[" * 50_000).decode(), int),
        (encode(), int),
        (encode("1", "2"), int),
        (encode(None), int),
        (encode("x"), int),
        (encode(str(2**63)), int),
        (encode("9" * 5_000), int),
        (encode("2026-02-30"), date),
        (encode("2026-02-28T10:00:00"), datetime),
        (encode("NaN"), Decimal),
        (encode("1E+99"), Decimal),
        (encode("one"), Decimal),
    ],
)
def test_text_that_is_no_cursor_is_rejected(cursor: str, kind: type) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(cursor, [kind])
