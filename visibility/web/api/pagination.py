"""Keyset pagination with signed, opaque cursors."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from django.core import signing
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from visibility.web.api.problems import InvalidInput
from visibility.web.api.query_params import InvalidValue, QueryParameter

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 200


def _parse_page_size(value: str) -> int:
    if not value.isascii() or not value.isdecimal() or int(value[:9]) < 1:
        raise InvalidValue("must be an integer of at least 1")
    return MAX_PAGE_SIZE if len(value) > 9 else min(int(value), MAX_PAGE_SIZE)


def _check_cursor_length(value: str) -> str:
    if len(value) > 1000:
        raise InvalidValue("is not a valid cursor")
    return value


CURSOR = QueryParameter("cursor", "The `next` value of the previous page.", _check_cursor_length)
PAGE_SIZE = QueryParameter(
    "page_size",
    f"Items per page. Default: {DEFAULT_PAGE_SIZE}. Maximum: {MAX_PAGE_SIZE}.",
    _parse_page_size,
    openapi_format="integer",
)
PAGING = (CURSOR, PAGE_SIZE)


@dataclass(frozen=True, slots=True)
class KeysetPageRequest:
    """A page request: the name of the list and its query parameters."""

    name: str
    params: Mapping[str, Any]

    @property
    def size(self) -> int:
        """Items per page."""
        return int(self.params.get(PAGE_SIZE.name, DEFAULT_PAGE_SIZE))

    @property
    def decoded_cursor(self) -> list[Any] | None:
        """The decoded cursor, or None for the first page. Raises InvalidInput."""
        cursor = self.params.get(CURSOR.name)
        if cursor is None:
            return None
        try:
            values = signing.Signer(salt=self._cursor_signing_salt()).unsign_object(cursor)
        except (signing.BadSignature, ValueError, UnicodeError):
            raise InvalidInput(
                CURSOR.name, "is not a valid cursor for this list and these filters"
            ) from None
        assert isinstance(values, list)
        return values

    def encode_cursor(self, *sort_key: str | int | None) -> str:
        """Encode the sort key of the last row as a cursor."""
        return signing.Signer(salt=self._cursor_signing_salt()).sign_object(
            list(sort_key), compress=True
        )

    def build_page_content(self, items: Sequence[Any], next_cursor: str | None) -> dict[str, Any]:
        return {"items": items, "next": next_cursor}

    def _cursor_signing_salt(self) -> str:
        """The signing salt. It binds a cursor to its list and filters."""
        filters = {
            name: value.isoformat() if hasattr(value, "isoformat") else value
            for name, value in self.params.items()
            if name not in {CURSOR.name, PAGE_SIZE.name}
        }
        digest = hashlib.sha256(json.dumps([self.name, filters], sort_keys=True).encode())
        return f"visibility.web.api.{digest.hexdigest()}"


def parse_cursor_time(text: str | None) -> datetime | None:
    """Parse a timestamp from a decoded cursor."""
    return datetime.fromisoformat(text) if text else None


class HasCursor(Protocol):
    """A row that can produce its own cursor."""

    @property
    def cursor(self) -> str:
        """The `after` value for the page that follows this row."""


Row = TypeVar("Row", bound=HasCursor)


def collect_page(
    fetch: Callable[[str], Sequence[Row]], *, chunk: int, after: str, size: int
) -> tuple[list[Row], str | None]:
    """Collect one page from chunks of at most `chunk` rows.

    `fetch(after)` returns one row more than `chunk` if there are more. The second result is the
    cursor of the next page, or None on the last page.
    """
    rows: list[Row] = []
    has_more = True
    while has_more and len(rows) <= size:
        chunk_rows = fetch(after)
        has_more = len(chunk_rows) > chunk
        rows += chunk_rows[:chunk]
        after = rows[-1].cursor if rows else ""
    shown = rows[:size]
    return shown, shown[-1].cursor if shown and (has_more or len(rows) > size) else None


def page_serializer(name: str, item: serializers.Serializer[Any]) -> serializers.Serializer[Any]:
    """The serializer of a page, for the OpenAPI document."""
    return inline_serializer(
        name,
        {
            "items": item,
            "next": serializers.CharField(
                allow_null=True, help_text="The cursor of the next page; null on the last."
            ),
        },
    )
