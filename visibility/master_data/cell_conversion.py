"""Parse the text cells of master data tables to values, and format values as text."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from visibility.models.master import normalize_term
from visibility.storage.organization import organization_time_zone

CellValue = str | int | list[str] | dict[str, str] | None
DATE_PATTERN = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
MAX_INTEGER = 2**63 - 1
CUSTOMER_ROLES = ("sold_to", "ship_to", "bill_to")
MAX_COMPONENTS = 200


class InvalidCell(ValueError):
    """A cell is invalid; the message says what is expected."""


@dataclass(frozen=True, slots=True)
class MasterColumn:
    """A column: its name in files and the API, its title on screens, its parser and formatter."""

    name: str
    title: str
    parse: Callable[[str], CellValue]
    format_value: Callable[[Any], str] = str
    max_length: int = 250
    required: bool = False
    description: str = ""
    default: CellValue = ""
    choices: tuple[str, ...] = ()
    is_number: bool = False

    def parse_cell(self, cell: str) -> CellValue:
        """Parse a cell. Raises InvalidCell."""
        text = cell.strip()
        if not text:
            if self.required:
                raise InvalidCell(f"{self.name} is missing")
            return self.default
        if len(text) > self.max_length:
            raise InvalidCell(f"{self.name} has more than {self.max_length} characters")
        if any(char < " " or char == "\x7f" for char in text):
            raise InvalidCell(f"{self.name} contains a control character")
        if self.choices and text not in self.choices:
            raise InvalidCell(f"{self.name} must be one of {', '.join(self.choices)}")
        return self.parse(text)

    def format_cell(self, value: Any) -> str:
        """Format a value as a cell."""
        return "" if value is None else self.format_value(value)


def normalize_code(text: str) -> str:
    """A short code; case and spaces are not significant."""
    return normalize_term(text)


def parse_positive_int(text: str) -> int:
    """Parse an integer of at least 1."""
    if not text.isascii() or not text.isdecimal() or not 0 < int(text[:20]) <= MAX_INTEGER:
        raise InvalidCell(f"{text!r} is not an integer of at least 1")
    return int(text)


def parse_date_or_time_to_utc_text(text: str) -> str:
    """Parse a date (midnight in the organization's time zone) or an RFC 3339 time to UTC."""
    try:
        if DATE_PATTERN.fullmatch(text):
            time = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(organization_time_zone()))
        else:
            time = datetime.fromisoformat(text)
        if time.tzinfo is None or not 1990 <= time.year <= 2200:
            raise ValueError
    except ValueError:
        raise InvalidCell(
            f"{text!r} is not a date such as 2026-03-04 or a time with an offset"
        ) from None
    return time.astimezone(UTC).isoformat()


def format_date_or_time(value: Any) -> str:
    """Format a midnight as a date, any other time as RFC 3339."""
    time = datetime.fromisoformat(value) if isinstance(value, str) else value
    local: datetime = time.astimezone(ZoneInfo(organization_time_zone()))
    if not any((local.hour, local.minute, local.second, local.microsecond)):
        return local.date().isoformat()
    return str(time.astimezone(UTC).isoformat()).replace("+00:00", "Z")


def validate_time_zone_name(text: str) -> str:
    """Check an IANA time zone name."""
    if text not in available_timezones():
        raise InvalidCell(f"{text!r} is not a time zone such as America/Chicago")
    return text


def parse_customer_roles(text: str) -> list[str]:
    """Parse roles separated by spaces, commas or semicolons."""
    names = re.split(r"[\s,;]+", text.lower().replace("-", "_"))
    unknown = sorted(set(names) - {*CUSTOMER_ROLES, ""})
    if unknown:
        raise InvalidCell(f"unknown role {unknown[0]!r}; the roles are {', '.join(CUSTOMER_ROLES)}")
    return [role for role in CUSTOMER_ROLES if role in names]


def format_customer_roles(value: list[str]) -> str:
    """Format roles as one cell."""
    return " ".join(value)


def parse_kit_components(text: str) -> dict[str, str]:
    """Parse the components of a kit: `A-1: 2, B-2: 1/2`."""
    components: dict[str, str] = {}
    for entry in filter(None, (p.strip() for p in text.split(","))):
        item_number, _, count = entry.rpartition(":")
        if not item_number.strip() or item_number.strip() in components:
            raise InvalidCell(f"{entry!r} must have the form NUMBER: COUNT, with each number once")
        components[item_number.strip()] = str(parse_fraction(count.strip()))
    if len(components) > MAX_COMPONENTS:
        raise InvalidCell(f"a kit must have at most {MAX_COMPONENTS} components")
    return components


def format_kit_components(value: Mapping[str, str]) -> str:
    """Format components as one cell."""
    return ", ".join(f"{number}: {count}" for number, count in value.items())


def parse_fraction(text: str) -> Fraction:
    """Parse an exact positive number: `2`, `0.5`, `1/3`."""
    try:
        if len(text) > 30 or not re.fullmatch(r"[\d./ ]+", text, re.ASCII):
            raise ValueError
        fraction = Fraction(text.replace(" ", ""))
        if fraction <= 0:
            raise ValueError
    except (ValueError, ZeroDivisionError):
        raise InvalidCell(f"{text!r} is not a positive number such as 2, 0.5 or 1/3") from None
    return fraction
