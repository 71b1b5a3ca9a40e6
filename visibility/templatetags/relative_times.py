"""Template tags for times that the browser keeps up to date (`relative-times.js`)."""

from datetime import datetime, timedelta

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from visibility.formatting import (
    AGE_PLACEHOLDER,
    format_duration,
    format_relative_time,
    format_timestamp,
)
from visibility.models import ACTIVE_ALERT_STATES, Alert
from visibility.storage.organization import organization_time_zone

register = template.Library()


@register.simple_tag
def live_time(at: datetime | None, now: datetime, format_code: str = "ago") -> SafeString | str:
    """A `<time>` element.

    `format_code` is "ago" (`2 h 5 min ago`), "span" (`2 h 5 min`) or "clock" (`Mon, Nov 3,
    14:03`), or "countdown" (`2:05:09` until `at`, then `passed 2 h 5 min ago`). The browser updates
    all but the clock (`relative-times.js`).
    """
    if at is None:
        return "\N{EN DASH}"
    absolute = format_timestamp(at, organization_time_zone())
    text = {
        "ago": format_relative_time(at, now),
        "span": format_duration(now - at),
        "clock": absolute,
        "countdown": _format_countdown(at - now),
    }[format_code]
    return format_html(
        '<time datetime="{}" title="{}" data-tick="{}">{}</time>',
        at.isoformat(),
        absolute,
        format_code,
        text,
    )


def _format_countdown(left: timedelta) -> str:
    seconds = int(left.total_seconds())
    if seconds <= 0:
        return f"passed {format_duration(-left)} ago"
    days, hours = divmod(seconds // 3600, 24)
    clock = f"{hours}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{days} d {clock}" if days else clock


@register.simple_tag
def alert_title(alert: Alert, now: datetime) -> SafeString | str:
    """The title of an alert. The browser keeps the age of an active one up to date."""
    before, placeholder, after = alert.title_template.partition(AGE_PLACEHOLDER)
    if not placeholder or alert.state not in ACTIVE_ALERT_STATES:
        return alert.title_with_age(now)
    return format_html("{}{}{}", before, live_time(alert.started_at, now, "span"), after)


@register.simple_tag
def time_overdue(alert: Alert, now: datetime) -> SafeString | str:
    """`2 h 5 min`, `due in 12 min`, or `2 h 5 min` until a closed alert was closed."""
    if alert.state not in ACTIVE_ALERT_STATES:
        end = alert.resolved_at or alert.due_at
        return format_duration(end - alert.due_at) if end > alert.due_at else "\N{EN DASH}"
    if alert.due_at > now:
        return format_html("due {}", live_time(alert.due_at, now))
    return live_time(alert.due_at, now, "span")


@register.filter
def alert_title_text(alert: Alert, now: datetime) -> str:
    """The title of an alert as text, as of `now`."""
    return alert.title_with_age(now)
