"""Query parameters: each endpoint declares its own, and unknown parameters are rejected."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

from django.db.models import TextChoices
from rest_framework.request import Request

from visibility.db.parse_id_and_time import parse_day as parse_iso_day
from visibility.web.api.problem_responses import InvalidInput

MAX_LENGTH = 200
MAX_REPEATED = 50
TIME_PATTERN = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)", re.ASCII
)


class InvalidValue(ValueError):
    """The value is invalid; the message says what is expected."""


def parse_short_printable_text(value: str) -> str:
    """Parse short printable text."""
    if len(value) > MAX_LENGTH:
        raise InvalidValue(f"must have at most {MAX_LENGTH} characters")
    if any(char < " " or char == "\x7f" for char in value):
        raise InvalidValue("must not contain control characters")
    return value


def parse_rfc3339_time(value: str) -> datetime:
    """Parse an RFC 3339 time with an offset; return it in UTC."""
    try:
        if not TIME_PATTERN.fullmatch(value):
            raise ValueError
        time = datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidValue("must be a time such as 2026-03-04T05:06:07Z") from None
    if not 2000 <= time.year <= 2200:
        raise InvalidValue("must be between the years 2000 and 2200")
    return time


def parse_day(value: str) -> date:
    """Parse an ISO 8601 date."""
    date_value = parse_iso_day(value)
    if date_value is None:
        raise InvalidValue("must be a date such as 2026-03-04")
    if not 2000 <= date_value.year <= 2200:
        raise InvalidValue("must be between the years 2000 and 2200")
    return date_value


@dataclass(frozen=True, slots=True)
class QueryParameter:
    """A query parameter: its name, description and parser."""

    name: str
    description: str
    parse: Callable[[str], Any] = parse_short_printable_text
    choices: tuple[str, ...] = ()
    # An OpenAPI string format, or "integer" for a number of at least one.
    openapi_format: str = ""
    # The lookup by which the parameter filters a queryset.
    lookup: str = ""
    # Several values are accepted; the parsed value is a list.
    is_repeatable: bool = False
    accepts_empty: bool = False

    def parse_value(self, raw: str) -> Any:
        """Parse the value. Raises InvalidInput."""
        try:
            if self.choices and raw not in self.choices:
                raise InvalidValue(f"must be one of {', '.join(self.choices)}")
            return self.parse(raw)
        except InvalidValue as error:
            raise InvalidInput(self.name, str(error)) from None

    def to_openapi(self) -> dict[str, Any]:
        """The parameter in the OpenAPI document."""
        schema: dict[str, Any] = {"type": "string"}
        if self.openapi_format == "integer":
            schema = {"type": "integer", "minimum": 1}
        elif self.openapi_format:
            schema["format"] = self.openapi_format
        if self.choices:
            schema["enum"] = list(self.choices)
        if self.is_repeatable:
            schema = {"type": "array", "items": schema}
        return {
            "in": "query",
            "name": self.name,
            "schema": schema,
            "description": self.description,
        }


def enum_param(
    name: str,
    description: str,
    enum: type[StrEnum] | type[TextChoices],
    *,
    parse: Callable[[str], Any] = parse_short_printable_text,
    lookup: str = "",
) -> QueryParameter:
    """A parameter that takes a value of an enumeration."""
    choices = tuple(str(member.value) for member in enum)
    return QueryParameter(name, description, parse, choices=choices, lookup=lookup)


def parse_query(request: Request, parameters: Sequence[QueryParameter]) -> dict[str, Any]:
    """Parse the query string; blank values count as absent. Raises InvalidInput."""
    known = {parameter.name: parameter for parameter in parameters}
    parsed: dict[str, Any] = {}
    for name, values in request.query_params.lists():
        if name not in known:
            raise InvalidInput(
                printable_excerpt(name),
                f"unknown parameter; the parameters are: {', '.join(known) or 'none'}",
            )
        declared = known[name]
        given = [value.strip() for value in values if value.strip() or declared.accepts_empty]
        if declared.is_repeatable:
            if len(given) > MAX_REPEATED:
                raise InvalidInput(name, f"must have at most {MAX_REPEATED} values")
            if given:
                parsed[name] = [declared.parse_value(value) for value in given]
        elif len(values) > 1:
            raise InvalidInput(name, "must be given only once")
        elif given:
            parsed[name] = declared.parse_value(given[0])
    return parsed


def printable_excerpt(name: str) -> str:
    """A client's text, shortened and printable, so that an error can quote it."""
    return "".join(char for char in name[:60] if char.isprintable())
