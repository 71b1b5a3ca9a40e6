"""Declared filters of a list: one declaration for its page, chips, exports, saved views and API."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from django.db.models import Q
from django.http import QueryDict

from visibility.db.parse_id_and_time import parse_day, parse_plausible_time
from visibility.formatting import (
    count_with_noun,
    format_date,
    format_number,
    format_timestamp,
)
from visibility.models.permission import Permission
from visibility.storage.organization import organization_time_zone

YES = "1"
MAX_TEXT_LENGTH = 250
MAX_DAYS = 36_500
MAX_AMOUNT = Decimal(10) ** 15
FIRST_YEAR, LAST_YEAR = 2000, 2200


class InvalidFilterValue(ValueError):
    """The filter does not accept the value; the message says what it expects."""


class FilterKind(StrEnum):
    """What a filter accepts, and so which field of a form it is."""

    CHOICE = "choice"
    TEXT = "text"
    SWITCH = "switch"
    DAY = "day"
    DAYS = "days"
    AMOUNT = "amount"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class FilterContext:
    """For whom, and as of when, a list is filtered."""

    permissions: frozenset[Permission]
    now: datetime


@dataclass(frozen=True, slots=True)
class ListFilter:
    """A filter. `condition`: from the values, of which one must match, and the context.

    `choices`: each value with its label. `value_label`: the label of any other value. `check`: what
    is wrong with a text that is no valid value; empty if it is one.
    `has_suggestions`: the list knows frequent values; with `is_free_text` others can be entered.
    `permission` is needed to use the filter.
    A filter with `is_repeatable` may have several values; with `accepts_empty`, an empty text is a
    value. `is_in_form`: the page has a field.
    """

    name: str
    label: str
    description: str
    condition: Callable[[Sequence[Any], FilterContext], Q]
    kind: FilterKind = FilterKind.TEXT
    choices: Mapping[str, str] = field(default_factory=dict)
    value_label: Callable[[str], str] = str
    check: Callable[[str], str] = lambda _: ""
    has_suggestions: bool = False
    is_free_text: bool = False
    is_repeatable: bool = False
    accepts_empty: bool = False
    max_length: int = MAX_TEXT_LENGTH
    is_in_form: bool = True
    permission: Permission | None = None

    def parse(self, text: str) -> Any:
        """The value as a string, date, number of days or amount. Raises InvalidFilterValue."""
        return PARSERS[self.kind](self, text)

    def text(self, value: Any) -> str:
        """The value in words; empty for a switch, whose label says it all."""
        if self.kind is FilterKind.SWITCH:
            return ""
        if isinstance(value, datetime):
            return format_timestamp(value, organization_time_zone())
        if isinstance(value, date):
            return format_date(value, year=True)
        if self.kind is FilterKind.DAYS:
            return count_with_noun(value, "day")
        if isinstance(value, Decimal):
            return f"{value:,f}"
        return self.choices.get(value) or self.value_label(value)


@dataclass(frozen=True, slots=True)
class FilterChip:
    """A filter of a query string. `error`: why it is not applied; empty if it is."""

    name: str
    raw: str
    label: str
    text: str
    error: str = ""

    @property
    def sentence(self) -> str:
        """`Carrier: UPS`, or what is wrong with the value."""
        label = f"{self.label}: {self.text}" if self.text else self.label
        return f"{label} {self.error}." if self.error else label


@dataclass(frozen=True, slots=True)
class AppliedFilters:
    """The valid values by filter, and a chip for each value, also for those that are invalid."""

    values: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    chips: Sequence[FilterChip] = ()
    permissions: frozenset[Permission] = frozenset(Permission)

    @property
    def errors(self) -> list[FilterChip]:
        """The chips of values that are not applied."""
        return [chip for chip in self.chips if chip.error]


def read_filters(
    filters: Mapping[str, ListFilter], query: QueryDict, permissions: frozenset[Permission]
) -> AppliedFilters:
    """The filters of a query string; other parameters and empty values are ignored."""
    values: dict[str, list[Any]] = {}
    chips: list[FilterChip] = []
    for name, each in filters.items():
        given = [raw if each.accepts_empty else raw.strip() for raw in query.getlist(name)]
        raws = dict.fromkeys(raw for raw in given if raw or each.accepts_empty)
        for index, raw in enumerate(raws):
            try:
                if each.permission and each.permission not in permissions:
                    raise InvalidFilterValue("is not available for your role")
                if index and not each.is_repeatable:
                    raise InvalidFilterValue("is a second value of this filter")
                value = each.parse(raw)
            except InvalidFilterValue as error:
                chips.append(FilterChip(name, raw, each.label, f"“{raw[:40]}”", str(error)))
            else:
                values.setdefault(name, []).append(value)
                chips.append(FilterChip(name, raw, each.label, each.text(value)))
    return AppliedFilters(values, chips, permissions)


def combined_condition(
    filters: Mapping[str, ListFilter], applied: AppliedFilters, now: datetime
) -> Q:
    """All filters as one condition."""
    context = FilterContext(applied.permissions, now)
    condition = Q()
    for name, values in applied.values.items():
        condition &= filters[name].condition(values, context)
    return condition


def by_name(*filters: ListFilter) -> Mapping[str, ListFilter]:
    """The filters by the names of their parameters."""
    return {each.name: each for each in filters}


def _parse_text(declared: ListFilter, text: str) -> str:
    if len(text) > declared.max_length:
        raise InvalidFilterValue(
            f"must have at most {format_number(declared.max_length)} characters"
        )
    if "\0" in text:
        raise InvalidFilterValue("must not contain NUL characters")
    if sentence := declared.check(text):
        raise InvalidFilterValue(sentence)
    return text


def _parse_choice(declared: ListFilter, text: str) -> str:
    if text not in declared.choices:
        raise InvalidFilterValue("is not a value of this filter")
    return text


def _parse_switch(_: ListFilter, text: str) -> str:
    if text != YES:
        raise InvalidFilterValue(f"must be {YES}")
    return text


def _parse_day(_: ListFilter, text: str) -> date:
    day = parse_day(text)
    if day is None:
        raise InvalidFilterValue("must be a date such as 2026-03-04")
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise InvalidFilterValue(f"must be between the years {FIRST_YEAR} and {LAST_YEAR}")
    return day


def _parse_days(_: ListFilter, text: str) -> int:
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_DAYS))
    if not is_number or not 1 <= int(text) <= MAX_DAYS:
        raise InvalidFilterValue(f"must be a number of days from 1 to {format_number(MAX_DAYS)}")
    return int(text)


def _parse_amount(_: ListFilter, text: str) -> Decimal:
    sentence = "must be an amount such as 1250 or 99.50"
    if len(text) > 30 or not set(text) <= set("0123456789."):
        raise InvalidFilterValue(sentence)
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise InvalidFilterValue(sentence) from None
    if amount > MAX_AMOUNT:
        raise InvalidFilterValue(f"must be at most {format_number(MAX_AMOUNT)}")
    return amount


def _parse_time(_: ListFilter, text: str) -> datetime:
    time = parse_plausible_time(text)
    if time is None or "T" not in text.upper():
        raise InvalidFilterValue("must be a time such as 2026-03-04T05:06:07Z")
    return time


PARSERS: Mapping[FilterKind, Callable[[ListFilter, str], Any]] = {
    FilterKind.CHOICE: _parse_choice,
    FilterKind.TEXT: _parse_text,
    FilterKind.SWITCH: _parse_switch,
    FilterKind.DAY: _parse_day,
    FilterKind.DAYS: _parse_days,
    FilterKind.AMOUNT: _parse_amount,
    FilterKind.TIME: _parse_time,
}
