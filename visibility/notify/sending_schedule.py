"""Quiet hours and digests: when a subscription sends what is queued now."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction

from visibility.models.alerts import (
    DigestInterval,
    Notification,
    NotificationState,
    Subscription,
)
from visibility.models.rules_clocks_and_calendars import Severity
from visibility.storage.organization import organization_time_zone

# Changes of an alert that a follower already received: an incident must not stay open for hours.
FOLLOWED_TRANSITIONS = ("acknowledged", "resolved", "withdrawn", "undone")
DEFAULT_DIGEST_TIME = time(8)
MAX_POSTPONED = 5_000


def postpone_new_notifications(now: datetime) -> int:
    """Postpone new notifications as their subscriptions want it; return how many."""
    subscriptions = Subscription.objects.filter(enabled=True).exclude(
        digest="", quiet_from__isnull=True
    )
    return sum(_postpone_those_of(subscription, now) for subscription in subscriptions)


def _postpone_those_of(subscription: Subscription, now: datetime) -> int:
    postponed = 0
    with transaction.atomic():
        rows = list(
            Notification.objects.select_for_update(of=("self",), skip_locked=True)
            .filter(subscription=subscription, state=NotificationState.PENDING, attempts=0)
            .filter(next_attempt_at__lte=now, postponed_until=None, batch=None)
            .select_related("alert")
            .order_by("pk")[:MAX_POSTPONED]
        )
        by_time: dict[datetime, list[int]] = {}
        for row in rows:
            if not _is_sent_at_once(subscription, row):
                at = next_send_time(subscription, queued_at=row.next_attempt_at, now=now)
                by_time.setdefault(at, []).append(row.pk)
        for at, ids in by_time.items():
            if at > now:
                postponed += Notification.objects.filter(pk__in=ids).update(
                    postponed_until=at, next_attempt_at=at
                )
    return postponed


def send_postponed_now(subscription: Subscription, now: datetime) -> None:
    """Forget when notifications were to be sent, because the quiet hours or the digest changed."""
    Notification.objects.filter(
        subscription=subscription,
        state=NotificationState.PENDING,
        postponed_until__isnull=False,
        attempts=0,
    ).update(postponed_until=None, next_attempt_at=now)


def next_send_time(subscription: Subscription, *, queued_at: datetime, now: datetime) -> datetime:
    """Return when a notification is sent: with the digest, and not in quiet hours."""
    zone = ZoneInfo(subscription.time_zone or organization_time_zone())
    at = max(_digest_time(subscription, queued_at.astimezone(zone)), now.astimezone(zone))
    start, end = subscription.quiet_from, subscription.quiet_until
    if start is None or end is None or not _is_between(at.time(), start, end):
        return at.astimezone(now.tzinfo)
    day = at.date() + timedelta(days=1 if at.time() >= end else 0)
    return datetime.combine(day, end, zone).astimezone(now.tzinfo)


def _is_between(moment: time, start: time, end: time) -> bool:
    """Whether a time of day is in hours that may include midnight."""
    if start <= end:
        return start <= moment < end
    return moment >= start or moment < end


def _digest_time(subscription: Subscription, local: datetime) -> datetime:
    """Return the first digest that is not before a local time; without a digest, that time."""
    if subscription.digest == DigestInterval.HOURLY:
        hour = local.replace(minute=0, second=0, microsecond=0)
        return hour if hour == local else hour + timedelta(hours=1)
    if subscription.digest == DigestInterval.DAILY:
        at = subscription.digest_at or DEFAULT_DIGEST_TIME
        day = local.date() + timedelta(days=1 if local.time() > at else 0)
        return datetime.combine(day, at, local.tzinfo)
    return local


def _is_sent_at_once(subscription: Subscription, row: Notification) -> bool:
    if row.alert.severity == Severity.CRITICAL and subscription.critical_at_once:
        return True
    return subscription.follows_alerts and row.transition.startswith(FOLLOWED_TRANSITIONS)
