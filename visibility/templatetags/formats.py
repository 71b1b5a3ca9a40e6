"""Moments, lengths, sums and amounts in templates, in the same words on every page."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from visibility import formatting

register = template.Library()
NONE = "\u2013"
Number = Decimal | int | float


class Ordered(Protocol):
    """Whatever tells who ordered."""

    customer_name: str
    customer_no: str


@register.filter
def ago(at: datetime | None, now: datetime) -> str:
    """`2 h 5 min ago`, `in 12 min`."""
    return formatting.ago(at, now) if at else NONE


@register.filter
def when(at: datetime | None, now: datetime) -> SafeString | str:
    """`<time>2 h ago · Mon 3 Nov 14:03</time>`, in the organisation's zone."""
    if at is None:
        return NONE
    return format_html(
        '<time datetime="{}">{} · {}</time>',
        at.isoformat(),
        formatting.ago(at, now),
        formatting.clock(at),
    )


@register.filter
def duration(length: timedelta | None) -> str:
    """`2 d 4 h`."""
    return NONE if length is None else formatting.span(length)


@register.filter
def money(amount: Number | None, currency: str = "") -> str:
    """`1,234.50 USD`; an amount without a known currency says so by having none."""
    return NONE if amount is None else f"{Decimal(str(amount)):,.2f} {currency}".rstrip()


@register.filter
def customer(order: Ordered, contacts: object) -> str:
    """Who ordered: the name for those who may see contacts, for others the number."""
    return (order.customer_name if contacts else "") or order.customer_no


@register.filter
def spaced(word: object) -> str:
    """`picked_up` as `picked up`."""
    return str(word or "").replace("_", " ")


@register.filter
def named(titles: Mapping[str, str], slug: str) -> str:
    """What a source is called."""
    return titles.get(slug, slug)


@register.filter
def quantity(amount: Number | None, unit: str = "") -> str:
    """`1,200 EA`, `0.5 KG`: no zeros that say nothing."""
    if amount is None:
        return NONE
    plain = f"{Decimal(str(amount)):,f}"
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return f"{plain} {unit}".rstrip()


@register.filter
def percent(share: Number | None) -> str:
    """A share of one as `93.4 %`."""
    return NONE if share is None else f"{Decimal(str(share)) * 100:.1f} %"
