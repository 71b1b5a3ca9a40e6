"""Filters that give abbreviations a long form, for eyes, keyboards and screen readers."""

import re

from django import template
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe

register = template.Library()
# The one list of abbreviations of the trade that screens use.
LONG_FORMS = {
    "3PL": "third-party logistics provider",
    "CRM": "customer relationship management system",
    "EDI": "electronic data interchange",
    "EPCIS": "Electronic Product Code Information Services",
    "ERP": "enterprise resource planning system",
    "OCEL": "Object-Centric Event Log",
    "OMS": "order management system",
    "P90": "90th percentile: 90% are at most this",
    "PRO": "progressive number of a freight carrier",
    "SCOR": "Supply Chain Operations Reference model",
    "SSCC": "serial shipping container code",
    "WMS": "warehouse management system",
}
ABBREVIATION = re.compile(rf"\b({'|'.join(LONG_FORMS)})\b")


@register.filter
def spell_out(text: str) -> SafeString:
    """The text; each abbreviation shows its long form when the pointer or the focus is on it."""
    return _with_long_forms(text, ' tabindex="0"')


@register.filter
def spell_out_inside_control(text: str) -> SafeString:
    """The same inside of a link, button or cell, which has or needs no focus of its own."""
    return _with_long_forms(text, "")


def _with_long_forms(text: str, focus: str) -> SafeString:
    escaped = str(conditional_escape(text))
    marked = ABBREVIATION.sub(lambda match: _abbreviation(match[1], focus), escaped)
    return mark_safe(marked)  # noqa: S308 (the text is escaped, and the list is our own)


def _abbreviation(short: str, focus: str) -> str:
    return format_html(
        '<span class="term"{} data-long="{}">{}<span class="visually-hidden"> ({})</span></span>',
        mark_safe(focus),  # noqa: S308 (one of two constants)
        LONG_FORMS[short],
        short,
        LONG_FORMS[short],
    )
