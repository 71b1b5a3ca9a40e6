"""Template filters that format days, durations, amounts, counts and names."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Protocol

from django import template

from connectors.sdk.events import EventType
from visibility import formatting
from visibility.screens.orders.event_labels import EVENT_LABELS
from visibility.storage.organization import organization_time_zone

register = template.Library()
NO_VALUE = "\u2013"
Number = Decimal | int | float


class CustomerNameAndNumber(Protocol):
    """Anything with the name and number of a customer."""

    customer_name: str
    customer_no: str


@register.filter
def date_in_organization_zone(at: datetime) -> date:
    """The day of a promise in the organization's zone; a bare date stays that date.

    `|date` alone converts a bare date, which is stored as midnight UTC, to the day before in any
    zone west of Greenwich.
    """
    return formatting.local_or_bare_utc_date(at, organization_time_zone())


@register.filter
def day(moment: datetime | date | None) -> str:
    """`Sat, Nov 21`."""
    return formatting.format_date(_local(moment)) if moment else ""


@register.filter
def short_day(moment: datetime | date | None) -> str:
    """`Nov 21`, where there is little room."""
    return formatting.format_date(_local(moment), weekday=False) if moment else ""


@register.filter
def day_with_year(moment: datetime | date | None) -> str:
    """`Sat, Nov 21, 2026`."""
    return formatting.format_date(_local(moment), year=True) if moment else ""


@register.filter
def time_of_day(moment: datetime | None) -> str:
    """`14:03`."""
    return f"{_local(moment):%H:%M}" if moment else ""


@register.filter
def timestamp(moment: datetime | None) -> str:
    """`Sat, Nov 21, 14:03`."""
    return f"{day(moment)}, {time_of_day(moment)}" if moment else ""


@register.filter
def short_timestamp(moment: datetime | None) -> str:
    """`Nov 21, 14:03`, where there is little room."""
    return f"{short_day(moment)}, {time_of_day(moment)}" if moment else ""


@register.filter
def timestamp_with_year(moment: datetime | None) -> str:
    """`Sat, Nov 21, 2026, 14:03`."""
    return f"{day_with_year(moment)}, {time_of_day(moment)}" if moment else ""


@register.filter
def timestamp_with_seconds(moment: datetime | None) -> str:
    """`Sat, Nov 21, 2026, 14:03:05`, where the order of events counts."""
    return f"{day_with_year(moment)}, {_local(moment):%H:%M:%S}" if moment else ""


def _local(moment: datetime | date) -> datetime | date:
    """A moment in the organization's zone; a date as it is."""
    if isinstance(moment, datetime):
        return formatting.in_zone(moment, organization_time_zone())
    return moment


@register.filter
def duration(length: timedelta | None) -> str:
    """`2 d 4 h`."""
    return NO_VALUE if length is None else formatting.format_duration(length)


@register.filter
def money(amount: Number | None, currency: str = "") -> str:
    """`1,234.50 USD`; without a currency only the amount."""
    return NO_VALUE if amount is None else f"{Decimal(str(amount)):,.2f} {currency}".rstrip()


@register.filter
def money_without_cents(amount: Number | None, currency: str = "") -> str:
    """`1,235 USD`, without cents: an amount that is read at a glance."""
    if amount is None:
        return NO_VALUE
    rounded = Decimal(str(amount)).quantize(Decimal(1), ROUND_HALF_UP)
    return f"{rounded:,} {currency}".rstrip()


@register.filter
def customer_name_if_may_see_contacts(order: CustomerNameAndNumber, contacts: object) -> str:
    """The customer's name if the user may see contacts, otherwise the customer number."""
    return (order.customer_name if contacts else "") or order.customer_no


@register.filter
def channel_label(code: str) -> str:
    """A sales channel as people read it; codes without a label are returned unchanged."""
    return formatting.sales_channel_label(code)


@register.filter
def event_label(code: str) -> str:
    """A type of events as people read it; an unknown one is returned unchanged."""
    return EVENT_LABELS[EventType(code)] if code in set(EventType) else code


@register.filter
def underscores_to_spaces(code: object) -> str:
    """`picked_up` as `picked up`."""
    return str(code or "").replace("_", " ")


@register.filter
def source_title(titles: Mapping[str, str], slug: str) -> str:
    """The title of a source, or the slug if it is unknown."""
    return titles.get(slug, slug)


@register.filter
def quantity(amount: Number | None, unit: str = "") -> str:
    """`1,200 EA`, `0.5 KG`: without trailing zeros."""
    if amount is None:
        return NO_VALUE
    plain = f"{Decimal(str(amount)):,f}"
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return f"{plain} {unit}".rstrip()


@register.filter
def count(number: int) -> str:
    """`18,509`: a number of things with thousands separators."""
    return formatting.format_number(number)


@register.filter
def percent(fraction: float | None) -> str:
    """`95.7%`; a dash without a value."""
    return NO_VALUE if fraction is None else formatting.format_percent(fraction)
