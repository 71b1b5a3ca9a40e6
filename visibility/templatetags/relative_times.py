"""Moments in templates: an absolute time in the attribute, a relative one that ticks."""

from datetime import datetime

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from visibility.formatting import ago, clock, span

register = template.Library()


@register.simple_tag
def moment(at: datetime | None, now: datetime, form: str = "ago") -> SafeString | str:
    """`<time>`: `2 h 5 min ago` (form "ago"), `2 h 5 min` ("span") or `Mon 3 Nov 14:03` ("clock").

    The first two tick in the browser (`moments.js`).
    """
    if at is None:
        return "\N{EN DASH}"
    words = {"ago": ago(at, now), "span": span(now - at), "clock": clock(at)}[form]
    return format_html(
        '<time datetime="{}" title="{}" data-tick="{}">{}</time>',
        at.isoformat(),
        clock(at),
        form,
        words,
    )
