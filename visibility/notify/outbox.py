"""The outbox: claim due notifications, send them through their channel, record the result."""

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import Case, F, Q, QuerySet, UUIDField, Value, When
from structlog.stdlib import get_logger

import visibility.notify.channels
from connectors.sdk.load_plugins_of_package import load_plugins
from connectors.sdk.payload import PayloadError
from visibility.db.data_scope import DataScope
from visibility.models.alerts import (
    NOT_STOPPED,
    Alert,
    Notification,
    NotificationState,
    Subscription,
)
from visibility.notify.channel import Channel, DeliveryFailed, OutgoingMessage
from visibility.notify.check_and_encrypt_channel_settings import (
    UnreadableChannelSecrets,
    decrypt_channel_secrets,
    hide_secrets,
    parse_channel_settings_with_errors,
)
from visibility.notify.delivery_log import record_accepted, record_failed, record_written
from visibility.notify.notification_texts import compose_message_for_notifications
from visibility.notify.sending_schedule import postpone_new_notifications
from visibility.storage.person_scopes import load_scope

log = get_logger(__name__)
MAX_ATTEMPTS = 20
MAX_PAUSE = timedelta(hours=2)
# Messages to one subscription are at least this far apart; alerts in between go together.
MIN_INTERVAL = timedelta(seconds=30)
MAX_PER_MESSAGE = 5_000
MAX_ERROR_LENGTH = 500
OUTSIDE_SCOPE = "The order is outside the orders that this person sees."


@cache
def channel_registry() -> dict[str, Channel]:
    """Return every channel by its code."""
    classes = load_plugins(visibility.notify.channels, Channel, "code")
    return {code: kind() for code, kind in classes.items()}


@dataclass(frozen=True, slots=True)
class NotificationBatch:
    """Notifications sent in one message. `attempts`: notification id -> number of this attempt."""

    id: UUID
    attempts: Mapping[int, int]


def send_due_notifications(*, now: datetime, limit: int = 50) -> int:
    """Send due notifications of up to `limit` subscriptions; return how many left the outbox.

    Nothing is sent to deactivated people. All that is due for one subscription goes in one message.
    If the process is killed while it sends, the message is sent again with the same id.
    Subscriptions are claimed one by one: what waits for a slow server is not claimed, so other
    workers send it.
    """
    started = time.monotonic()
    postpone_new_notifications(now)
    sent = 0
    for _ in range(limit):
        batches = _claim_due_notifications(now)
        if not batches:
            break
        for batch in batches:
            sent += _send_batch(batch, now + timedelta(seconds=time.monotonic() - started))
    return sent


def _claim_due_notifications(now: datetime, limit: int = 1) -> list[NotificationBatch]:
    """Claim due notifications. The attempt is counted first, so that a fatal one backs off."""
    due = Notification.objects.filter(state=NotificationState.PENDING, next_attempt_at__lte=now)
    batches: list[NotificationBatch] = []
    with transaction.atomic():
        subscriptions = list(
            Subscription.objects.select_for_update(skip_locked=True, no_key=True)
            .filter(Q(last_sent_at__isnull=True) | Q(last_sent_at__lte=now - MIN_INTERVAL))
            .filter(pk__in=due.values("subscription"), enabled=True)
            .filter(NOT_STOPPED)
            .order_by(F("last_sent_at").asc(nulls_first=True), "pk")[:limit]
        )
        for subscription in subscriptions:
            rows = due.select_for_update().filter(subscription=subscription)
            groups = _group_never_sent_and_first_maybe_sent(
                list(rows.order_by("next_attempt_at", "pk")[: _max_alerts(subscription)])
            )
            batches += [_claim_notifications_as_batch(group, now) for group in groups]
        Subscription.objects.filter(pk__in=[s.pk for s in subscriptions]).update(last_sent_at=now)
    return batches


def _max_alerts(subscription: Subscription) -> int:
    channel = channel_registry().get(subscription.channel)
    return min(channel.max_alerts, MAX_PER_MESSAGE) if channel else MAX_PER_MESSAGE


def _group_never_sent_and_first_maybe_sent(
    rows: Sequence[Notification],
) -> list[list[Notification]]:
    """Group notifications: all that were never sent, and one message that may have been sent."""
    fresh: list[Notification] = []
    resent: dict[UUID, list[Notification]] = {}
    for row in rows:
        if row.batch or (row.attempts and not row.error):
            resent.setdefault(row.batch or row.message_id, []).append(row)
        else:
            fresh.append(row)
    return [group for group in (fresh, *list(resent.values())[:1]) if group]


def _claim_notifications_as_batch(rows: Sequence[Notification], now: datetime) -> NotificationBatch:
    first = rows[0]
    batch_id = first.batch or (first.message_id if len(rows) == 1 else uuid4())
    retry_at = now + _retry_delay(max(row.attempts for row in rows) + 1)
    _queryset_of_notifications(rows).update(
        attempts=F("attempts") + 1,
        next_attempt_at=retry_at,
        error="",
        batch=batch_id if first.batch or len(rows) > 1 else None,
    )
    return NotificationBatch(batch_id, {row.pk: row.attempts + 1 for row in rows})


def _retry_delay(attempts: int) -> timedelta:
    """Return an exponential pause with jitter."""
    seconds = min(15.0 * 2**attempts, MAX_PAUSE.total_seconds())
    return timedelta(seconds=seconds * random.uniform(0.8, 1.2))  # noqa: S311  # jitter


def _send_batch(batch: NotificationBatch, now: datetime) -> int:
    """Send one message. A worker that was suspended must not send what another has re-claimed."""
    rows = [
        row
        for row in Notification.objects.filter(
            pk__in=batch.attempts,
            state=NotificationState.PENDING,
        ).select_related(
            "alert__rule",
            "alert__order__order",
            "alert__source",
            "subscription__user",
            "subscription__team",
        )
        if row.attempts == batch.attempts[row.pk] and not row.subscription.is_stopped
    ]
    if len(rows) < len(batch.attempts):
        return 0
    subscription = rows[0].subscription
    rows = _cancel_outside_scope(rows, load_scope(subscription.user_id))
    if not rows:
        return 0
    try:
        message = compose_message_for_notifications(rows, message_id=str(batch.id), sent_at=now)
        sent = send_and_record(subscription, message, rows)
    except Exception as error:  # recorded on the notifications; the others go on
        _set_error_and_fail_after_max_attempts(rows, error, now)
        return 0
    state = NotificationState.SENT if sent.is_accepted else NotificationState.WRITTEN
    _queryset_of_notifications(rows).update(state=state, sent_at=now, error="")
    return len(rows)


def _cancel_outside_scope(
    rows: Sequence[Notification], scope: DataScope | None
) -> list[Notification]:
    """Cancel what the person may no longer see: the scope changed, or the order."""
    if scope is None:
        return list(rows)
    visible = [row for row in rows if _is_in_scope(row.alert, scope)]
    _queryset_of_notifications([row for row in rows if row not in visible]).update(
        state=NotificationState.CANCELLED, error=OUTSIDE_SCOPE
    )
    return visible


def _is_in_scope(alert: Alert, scope: DataScope) -> bool:
    order = getattr(alert.order, "order", None)
    return order is not None and scope.covers(vars(order))


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message that was sent, and the answer. If no server accepted it, it was only written."""

    is_accepted: bool
    answer: str


def send_and_record(
    subscription: Subscription, message: OutgoingMessage, rows: Sequence[Notification] = ()
) -> SentMessage:
    """Send a message; record the result on the subscription and in its delivery log.

    `rows`: the claimed notifications, none for a test message. Raises DeliveryFailed, or what the
    channel raises. No text of an error or an answer contains a secret.
    """
    secrets: dict[str, str] = {}
    try:
        channel = channel_registry().get(subscription.channel)
        if channel is None:
            raise DeliveryFailed(f"unknown channel {subscription.channel!r}")
        secrets = decrypt_channel_secrets(subscription.sealed_secrets)
        parsed = parse_channel_settings_with_errors(
            channel, {**subscription.stored_non_secret_settings, **secrets}
        )
        for setting in channel.settings:
            parsed.raise_if_invalid_else_true(setting.name)
        answer = hide_secrets(channel.send(message, parsed) or "", secrets)
        missing_server = channel.missing_server_sentence()
    except Exception as error:
        reported = _error_without_secrets(error, secrets)
        text = describe_failure(reported)
        _record_result_on_subscription(subscription, delivery_error=text)
        record_failed(subscription, message, rows, error=reported, answer=text)
        raise reported from None
    accepted = {} if missing_server else {"accepted_at": message.sent_at}
    _record_result_on_subscription(subscription, delivery_error="", **accepted)
    if missing_server:
        record_written(subscription, message, rows, reason=missing_server)
    else:
        record_accepted(subscription, message, rows, answer=answer)
    return SentMessage(not missing_server, answer)


def _error_without_secrets(error: Exception, secrets: Mapping[str, str]) -> Exception:
    """Return a DeliveryFailed for problems of settings, and hide secrets in other errors."""
    if isinstance(error, PayloadError | UnreadableChannelSecrets):
        return DeliveryFailed(str(error))
    if hide_secrets(str(error), secrets) == str(error):
        return error
    if isinstance(error, DeliveryFailed):
        error.args = (hide_secrets(str(error), secrets),)
        return error
    return RuntimeError(f"{type(error).__name__}: {hide_secrets(str(error), secrets)}")


def describe_failure(error: Exception) -> str:
    """Return the text of an error of a channel, for people."""
    return str(error) if isinstance(error, DeliveryFailed) else f"{type(error).__name__}: {error}"


def _record_result_on_subscription(
    subscription: Subscription, *, delivery_error: str, **fields: object
) -> None:
    Subscription.objects.filter(pk=subscription.pk).update(
        delivery_error=delivery_error[:MAX_ERROR_LENGTH], **fields
    )


def _queryset_of_notifications(rows: Sequence[Notification]) -> QuerySet[Notification]:
    return Notification.objects.filter(pk__in=[row.pk for row in rows])


def _set_error_and_fail_after_max_attempts(
    rows: Sequence[Notification], error: Exception, now: datetime
) -> None:
    """Record the failure; notifications are retried up to 20 times.

    They are not retried before the time that the server asks for. If the channel was not the
    cause, each is retried alone: one may have broken the message.
    """
    channel_failed = isinstance(error, DeliveryFailed)
    for row in rows:
        log.warning(
            "notification_failed",
            notification=row.pk,
            attempts=row.attempts,
            error=type(error).__name__,
        )
    batch = Value(None, output_field=UUIDField()) if channel_failed else F("message_id")
    if isinstance(error, DeliveryFailed) and error.retry_after:
        _queryset_of_notifications(rows).filter(next_attempt_at__lt=now + error.retry_after).update(
            next_attempt_at=now + error.retry_after
        )
    _queryset_of_notifications(rows).filter(state=NotificationState.PENDING).update(
        error=describe_failure(error)[:MAX_ERROR_LENGTH],
        batch=batch,
        state=Case(
            When(attempts__gte=MAX_ATTEMPTS, then=Value(NotificationState.FAILED)),
            default=Value(NotificationState.PENDING),
        ),
    )
