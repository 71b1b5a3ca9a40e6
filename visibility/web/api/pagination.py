"""Pages of a list: a signed, opaque cursor says where the next one begins."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from django.core import signing
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from visibility.web.api.problems import Invalid
from visibility.web.api.query_params import Parameter, Wrong

PAGE = 50
MOST = 200


def _size(value: str) -> int:
    if not value.isascii() or not value.isdecimal() or int(value[:9]) < 1:
        raise Wrong("a whole number from 1")
    return MOST if len(value) > 9 else min(int(value), MOST)


def _cursor(value: str) -> str:
    if len(value) > 1000:
        raise Wrong("not a cursor of this list")
    return value


CURSOR = Parameter("cursor", "Where the page begins: `next` of the page before.", _cursor)
SIZE = Parameter(
    "page_size", f"How many at most: {PAGE}, up to {MOST}; more is {MOST}.", _size, kind="integer"
)
PAGING = (CURSOR, SIZE)


@dataclass(frozen=True, slots=True)
class Pages:
    """One list as asked for: its name, and the filters that a cursor of it belongs to."""

    name: str
    asked: Mapping[str, Any]

    @property
    def size(self) -> int:
        """How many to a page."""
        return int(self.asked.get(SIZE.name, PAGE))

    @property
    def place(self) -> list[Any] | None:
        """Where to begin, None at the beginning. Raises Invalid."""
        given = self.asked.get(CURSOR.name)
        if given is None:
            return None
        try:
            found = signing.Signer(salt=self._salt()).unsign_object(given)
        except (signing.BadSignature, ValueError, UnicodeError):
            raise Invalid(CURSOR.name, "not a cursor of this list with these filters") from None
        assert isinstance(found, list)
        return found

    def after(self, *place: str | int | None) -> str:
        """The cursor of the page after a place."""
        return signing.Signer(salt=self._salt()).sign_object(list(place), compress=True)

    def page(self, items: Sequence[Any], following: str | None) -> dict[str, Any]:
        """The answer."""
        return {"items": items, "next": following}

    def _salt(self) -> str:
        """A cursor fits only the list and the filters it was made for."""
        filters = {
            name: value.isoformat() if hasattr(value, "isoformat") else value
            for name, value in self.asked.items()
            if name not in {CURSOR.name, SIZE.name}
        }
        digest = hashlib.sha256(json.dumps([self.name, filters], sort_keys=True).encode())
        return f"visibility.web.api.{digest.hexdigest()}"


def at(text: str | None) -> datetime | None:
    """A moment of a cursor's place."""
    return datetime.fromisoformat(text) if text else None


class Placed(Protocol):
    """A row that says where the page after it begins."""

    @property
    def place(self) -> str:
        """A word for `after`."""


Row = TypeVar("Row", bound=Placed)


def gathered(
    fetch: Callable[[str], Sequence[Row]], *, chunk: int, after: str, size: int
) -> tuple[list[Row], str | None]:
    """A page of a list that is read `chunk` at a time, and the place of the one after it."""
    rows: list[Row] = []
    more = True
    while more and len(rows) <= size:
        some = fetch(after)
        more = len(some) > chunk
        rows += some[:chunk]
        after = rows[-1].place if rows else ""
    shown = rows[:size]
    return shown, shown[-1].place if shown and (more or len(rows) > size) else None


def paged(name: str, item: serializers.Serializer[Any]) -> serializers.Serializer[Any]:
    """The shape of a page, for the OpenAPI document."""
    return inline_serializer(
        name,
        {
            "items": item,
            "next": serializers.CharField(
                allow_null=True, help_text="The cursor of the next page; null on the last."
            ),
        },
    )
