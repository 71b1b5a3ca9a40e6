"""The query: each call lists its parameters, and any other is refused by name."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

from django.db.models import TextChoices
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from visibility.web.api.problems import Invalid

LONGEST = 200
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)", re.ASCII)
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class Wrong(ValueError):
    """The value is none of those expected; the text says what is."""


def text(value: str) -> str:
    """Any text, short and printable."""
    if len(value) > LONGEST:
        raise Wrong(f"at most {LONGEST} characters")
    if any(char < " " or char == "\x7f" for char in value):
        raise Wrong("no control characters")
    return value


def moment(value: str) -> datetime:
    """RFC 3339 with an offset, in UTC."""
    try:
        if not MOMENT.fullmatch(value):
            raise ValueError
        found = datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Wrong("a time such as 2026-03-04T05:06:07Z") from None
    if not 2000 <= found.year <= 2200:
        raise Wrong("a time between the years 2000 and 2200")
    return found


def day(value: str) -> date:
    """A calendar day."""
    try:
        if not DAY.fullmatch(value):
            raise ValueError
        found = date.fromisoformat(value)
    except ValueError:
        raise Wrong("a day such as 2026-03-04") from None
    if not 2000 <= found.year <= 2200:
        raise Wrong("a day between the years 2000 and 2200")
    return found


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: its name, what it means, how it is read."""

    name: str
    about: str
    read: Callable[[str], Any] = text
    choices: tuple[str, ...] = ()
    # The format of OpenAPI, or "integer".
    kind: str = ""

    def value(self, given: str) -> Any:
        """The value. Raises Invalid."""
        try:
            if self.choices and given not in self.choices:
                raise Wrong(f"one of {', '.join(self.choices)}")
            return self.read(given)
        except Wrong as error:
            raise Invalid(self.name, str(error)) from None

    def documented(self) -> OpenApiParameter:
        """For the OpenAPI document."""
        schema: dict[str, Any] = {"type": "string"}
        if self.kind == "integer":
            schema = {"type": "integer", "minimum": 1}
        elif self.kind:
            schema["format"] = self.kind
        if self.choices:
            schema["enum"] = list(self.choices)
        return OpenApiParameter(self.name, schema, OpenApiParameter.QUERY, description=self.about)


def chosen(name: str, about: str, kind: type[StrEnum] | type[TextChoices]) -> Parameter:
    """A parameter that takes one of the words of an enumeration."""
    return Parameter(name, about, choices=tuple(str(one.value) for one in kind))


def documented(parameters: Sequence[Parameter]) -> list[OpenApiParameter | Any]:
    """All of a call's parameters for the OpenAPI document."""
    return [one.documented() for one in parameters]


def asked(request: Request, parameters: Sequence[Parameter]) -> dict[str, Any]:
    """The values of those given; blank ones count as absent. Raises Invalid."""
    known = {one.name: one for one in parameters}
    found = {}
    for name, values in request.query_params.lists():
        if name not in known:
            raise Invalid(text_of(name), f"no such parameter; known are {', '.join(known) or '-'}")
        if len(values) > 1:
            raise Invalid(name, "given twice")
        if values[0].strip():
            found[name] = known[name].value(values[0].strip())
    return found


def text_of(name: str) -> str:
    """A stranger's word, short enough to be repeated to them."""
    return "".join(char for char in name[:60] if char.isprintable())
