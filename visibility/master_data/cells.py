"""The cells of a master table: text in, checked values out, and text again."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings

from visibility.models.master import same

Value = str | int | list[str] | dict[str, str] | None
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
BIGGEST = 2**63 - 1
ROLES = ("sold_to", "ship_to", "bill_to")
LISTED = 200


class BadCell(ValueError):
    """A cell can't be taken; the text says what was expected."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name in files and bodies, its title on screens, how a cell is read."""

    name: str
    title: str
    read: Callable[[str], Value]
    write: Callable[[Any], str] = str
    longest: int = 250
    required: bool = False
    about: str = ""
    default: Value = ""
    choices: tuple[str, ...] = ()
    number: bool = False

    def value(self, cell: str) -> Value:
        """The value of a cell. Raises BadCell."""
        text = cell.strip()
        if not text:
            if self.required:
                raise BadCell(f"{self.name} is missing")
            return self.default
        if len(text) > self.longest:
            raise BadCell(f"{self.name} has more than {self.longest} characters")
        if any(char < " " or char == "\x7f" for char in text):
            raise BadCell(f"{self.name} contains a control character")
        if self.choices and text not in self.choices:
            raise BadCell(f"{self.name} is one of {', '.join(self.choices)}")
        return self.read(text)

    def cell(self, value: Any) -> str:
        """The value as a cell."""
        return "" if value is None else self.write(value)


def code(text: str) -> str:
    """A code of few letters: case and blanks do not tell two apart."""
    return same(text)


def whole(text: str) -> int:
    """A positive whole number."""
    if not text.isascii() or not text.isdecimal() or not 0 < int(text[:20]) <= BIGGEST:
        raise BadCell(f"{text!r} is not a whole number from 1")
    return int(text)


def moment(text: str) -> str:
    """A day, which begins at midnight of the organisation's zone, or RFC 3339 with an offset."""
    try:
        if DAY.fullmatch(text):
            found = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(settings.TIME_ZONE))
        else:
            found = datetime.fromisoformat(text)
        if found.tzinfo is None or not 1990 <= found.year <= 2200:
            raise ValueError
    except ValueError:
        raise BadCell(f"{text!r} is not a day such as 2026-03-04, nor a time with zone") from None
    return found.astimezone(UTC).isoformat()


def moment_cell(value: Any) -> str:
    """A day where it is one, else the time."""
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    local: datetime = found.astimezone(ZoneInfo(settings.TIME_ZONE))
    if not any((local.hour, local.minute, local.second, local.microsecond)):
        return local.date().isoformat()
    return str(found.astimezone(UTC).isoformat()).replace("+00:00", "Z")


def zone(text: str) -> str:
    """An IANA zone."""
    if text not in available_timezones():
        raise BadCell(f"{text!r} is not a time zone such as America/Chicago")
    return text


def roles(text: str) -> list[str]:
    """Words separated by blanks or commas."""
    found = re.split(r"[\s,;]+", text.lower().replace("-", "_"))
    unknown = sorted(set(found) - {*ROLES, ""})
    if unknown:
        raise BadCell(f"roles are {', '.join(ROLES)}, not {unknown[0]!r}")
    return [role for role in ROLES if role in found]


def roles_cell(value: list[str]) -> str:
    """In one cell."""
    return " ".join(value)


def parts(text: str) -> dict[str, str]:
    """What one kit is made of: `A-1: 2, B-2: 1/2`."""
    found: dict[str, str] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        number, _, count = part.rpartition(":")
        if not number.strip() or number.strip() in found:
            raise BadCell(f"{part!r} is not of the form NUMBER: COUNT, each number once")
        found[number.strip()] = str(ratio(count.strip()))
    if len(found) > LISTED:
        raise BadCell(f"a kit has at most {LISTED} components")
    return found


def parts_cell(value: Mapping[str, str]) -> str:
    """In one cell."""
    return ", ".join(f"{number}: {count}" for number, count in value.items())


def ratio(text: str) -> Fraction:
    """An exact positive count: `2`, `0.5`, `1/3`."""
    try:
        if len(text) > 30 or not re.fullmatch(r"[\d./ ]+", text, re.ASCII):
            raise ValueError
        found = Fraction(text.replace(" ", ""))
        if found <= 0:
            raise ValueError
    except (ValueError, ZeroDivisionError):
        raise BadCell(f"{text!r} is not a positive number such as 2, 0.5 or 1/3") from None
    return found
