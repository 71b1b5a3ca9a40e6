"""The outbox: claim what is due, send it through its channel, note what became of it."""

import logging
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import Case, F, Q, QuerySet, UUIDField, Value, When

import visibility.notify.channels
from connectors.sdk.registry import load
from visibility.models.alerts import Notification, NotificationState, Subscription
from visibility.notify.channel import Channel, Undelivered
from visibility.notify.messages import note

log = logging.getLogger(__name__)
ATTEMPTS = 20
LONGEST_PAUSE = timedelta(hours=2)
# After a message to somebody the next one waits so long, and takes along what has come meanwhile.
QUIET = timedelta(seconds=30)
MOST = 5_000


@cache
def channels() -> dict[str, Channel]:
    """Every channel on the shelf."""
    found = load(visibility.notify.channels, Channel, "code")
    return {code: kind() for code, kind in found.items()}


@dataclass(frozen=True, slots=True)
class Letter:
    """Rows that go in one message: each with the attempt that this one is."""

    id: UUID
    attempts: Mapping[int, int]


def deliver(*, now: datetime, limit: int = 50) -> int:
    """Send what is due; how many notifications were sent. A kill in between sends a message again,
    under its id.

    What is due for one subscription goes in one message, and the next one waits a while: many
    deadlines that pass at once are no storm of mails.
    """
    return sum(_send(letter, now) for letter in _claim(now, limit))


def _claim(now: datetime, limit: int) -> list[Letter]:
    """Take rows by writing the attempt down first: a fatal one does not come back at once."""
    due = Notification.objects.filter(state=NotificationState.PENDING, next_attempt_at__lte=now)
    letters: list[Letter] = []
    with transaction.atomic():
        subscriptions = list(
            Subscription.objects.select_for_update(skip_locked=True, no_key=True)
            .filter(Q(told_at__isnull=True) | Q(told_at__lte=now - QUIET))
            .filter(pk__in=due.values("subscription"))
            .order_by(F("told_at").asc(nulls_first=True), "pk")[:limit]
        )
        for one in subscriptions:
            rows = due.select_for_update().filter(subscription=one)
            groups = _groups(list(rows.order_by("next_attempt_at", "pk")[:MOST]))
            letters += [_letter(group, now) for group in groups]
        Subscription.objects.filter(pk__in=[s.pk for s in subscriptions]).update(told_at=now)
    return letters


def _groups(rows: Sequence[Notification]) -> list[list[Notification]]:
    """All that nobody may have got yet, and one message that somebody may have: under its id."""
    fresh: list[Notification] = []
    again: dict[UUID, list[Notification]] = {}
    for row in rows:
        if row.batch or (row.attempts and not row.error):
            again.setdefault(row.batch or row.token, []).append(row)
        else:
            fresh.append(row)
    return [group for group in (fresh, *list(again.values())[:1]) if group]


def _letter(rows: Sequence[Notification], now: datetime) -> Letter:
    first = rows[0]
    name = first.batch or (first.token if len(rows) == 1 else uuid4())
    later = now + _pause(max(row.attempts for row in rows) + 1)
    _of(rows).update(
        attempts=F("attempts") + 1,
        next_attempt_at=later,
        error="",
        batch=name if first.batch or len(rows) > 1 else None,
    )
    return Letter(name, {row.pk: row.attempts + 1 for row in rows})


def _pause(attempts: int) -> timedelta:
    """Growing, with jitter."""
    seconds = min(15.0 * 2**attempts, LONGEST_PAUSE.total_seconds())
    return timedelta(seconds=seconds * random.uniform(0.8, 1.2))  # noqa: S311  # jitter


def _send(letter: Letter, now: datetime) -> int:
    """Send one, unless somebody else has claimed it since: who was frozen must not send again."""
    rows = [
        row
        for row in Notification.objects.filter(
            pk__in=letter.attempts, state=NotificationState.PENDING
        ).select_related("alert__rule", "alert__order__order", "subscription")
        if row.attempts == letter.attempts[row.pk]
    ]
    if len(rows) < len(letter.attempts):
        return 0
    to = rows[0].subscription
    channel = channels().get(to.channel)
    try:
        if channel is None:
            raise Undelivered(f"there is no channel {to.channel!r}")
        channel.send(note(rows, token=str(letter.id)), to.address)
    except Exception as error:  # the edge of a send: recorded, and the others go on
        _failed(rows, error)
        return 0
    _of(rows).update(state=NotificationState.SENT, sent_at=now, error="")
    return len(rows)


def _of(rows: Sequence[Notification]) -> QuerySet[Notification]:
    return Notification.objects.filter(pk__in=[row.pk for row in rows])


def _failed(rows: Sequence[Notification], error: Exception) -> None:
    """They come back later, but not for ever: together with others, or, if it was no fault of the
    receiver's, each alone, since one of them may spoil the others' message.
    """
    away = isinstance(error, Undelivered)
    told = str(error) if away else f"{type(error).__name__}: {error}"
    for row in rows:
        log.warning(
            "notification=%s attempts=%s error=%s", row.pk, row.attempts, type(error).__name__
        )
    alone = Value(None, output_field=UUIDField()) if away else F("token")
    _of(rows).update(
        error=told[:500],
        batch=alone,
        state=Case(
            When(attempts__gte=ATTEMPTS, then=Value(NotificationState.FAILED)),
            default=Value(NotificationState.PENDING),
        ),
    )
