"""The promise of an order and the time: late, due today, and how long is left."""

from datetime import UTC, datetime, time, timedelta

from django.db.models import Q

from visibility.formatting import end_of_promised_time, format_duration, in_zone, start_of_day
from visibility.models import Order
from visibility.storage.organization import organization_time_zone
from visibility.timeline.model import Status

# Promises that end within this time are marked.
URGENT = timedelta(days=1)


def past_promise_condition(now: datetime) -> Q:
    """Open orders that were not delivered by the end of the promised time.

    A date without a time, which is stored as midnight UTC, lasts until the end of that day.
    """
    days = [_midnight_utc(now, days=n) for n in (0, 1)]
    return Q(promised_at__lt=now, delivered_at__isnull=True, is_open=True) & ~Q(
        promised_at__in=days
    )


def due_today_condition(now: datetime) -> Q:
    """Open orders whose promised time ends later today."""
    end = start_of_day(now, organization_time_zone()) + timedelta(days=1)
    bare_dates = [_midnight_utc(now, days=n) for n in (0, 1)]
    later_today = Q(promised_at__gte=now, promised_at__lt=end) & ~Q(promised_at__in=bare_dates)
    return Q(is_open=True, delivered_at__isnull=True) & (later_today | Q(promised_at=bare_dates[0]))


def _midnight_utc(now: datetime, *, days: int) -> datetime:
    """How a promise of today's date without a time is stored; with `days`, of a later date."""
    today = in_zone(now, organization_time_zone()).date() + timedelta(days=days)
    return datetime.combine(today, time(), UTC)


def slack_text_and_tone(order: Order, now: datetime) -> tuple[str, str]:
    """The time until the promise, or how late the order is or was delivered."""
    is_due = order.is_open or order.delivered_at
    if not order.promised_at or not is_due or order.status in {Status.CANCELLED, Status.REJECTED}:
        return "", ""
    promised = end_of_promised_time(order.promised_at, organization_time_zone())
    slack = promised - (order.delivered_at or now)
    if order.delivered_at:
        return f"{format_duration(slack)} {'late' if slack < timedelta(0) else 'early'}", ""
    if slack < timedelta(0):
        return f"{format_duration(slack)} late", "late"
    return f"{format_duration(slack)} left", "risk" if slack < URGENT else ""


def days_late(order: Order, now: datetime) -> int:
    """The whole days that the order is or was delivered after its promise; 0 without a promise."""
    if not order.promised_at or order.status in {Status.CANCELLED, Status.REJECTED}:
        return 0
    return max(((order.delivered_at or now) - order.promised_at).days, 0)
