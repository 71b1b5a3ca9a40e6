"""The delivery log: record each attempt, disable what fails for days, and send messages again."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from structlog.stdlib import get_logger

from visibility.models.alerts import Notification, NotificationState, Subscription
from visibility.models.audit import append_audit_entry
from visibility.models.deliveries import DeliveryAttempt
from visibility.notify.channel import DeliveryFailed, OutgoingMessage
from visibility.notify.mail import has_mail_server, send_email

log = get_logger(__name__)
# A subscription all of whose attempts failed for so long is disabled.
DISABLE_AFTER = timedelta(days=3)
RETENTION = timedelta(days=30)
MAX_ANSWER_LENGTH = 500
FILE = "file"  # in place of the code of a response
# States in which a notification can be sent again.
ENDED = (NotificationState.SENT, NotificationState.FAILED, NotificationState.CANCELLED)


class CannotResend(ValueError):
    """The message cannot be sent again; a sentence says why."""


def record_accepted(
    subscription: Subscription,
    message: OutgoingMessage,
    rows: Sequence[Notification],
    *,
    answer: str,
) -> None:
    """Record that a server accepted a message: the subscription does not fail any more."""
    _record_attempt(subscription, message, rows, code="", answer=answer, is_accepted=True)
    Subscription.objects.filter(pk=subscription.pk, failing_since__isnull=False).update(
        failing_since=None
    )


def record_written(
    subscription: Subscription,
    message: OutgoingMessage,
    rows: Sequence[Notification],
    *,
    reason: str,
) -> None:
    """Record that a message was only written to a file, because there is no server."""
    _record_attempt(subscription, message, rows, code=FILE, answer=reason, is_accepted=False)


def record_failed(
    subscription: Subscription,
    message: OutgoingMessage,
    rows: Sequence[Notification],
    *,
    error: Exception,
    answer: str,
) -> None:
    """Record a failed attempt, and disable the subscription if it lasts or cannot end.

    A test message, which has no notifications, disables nothing.
    """
    code = error.code if isinstance(error, DeliveryFailed) else ""
    _record_attempt(subscription, message, rows, code=code, answer=answer, is_accepted=False)
    if not rows:
        return
    at = message.sent_at
    Subscription.objects.filter(pk=subscription.pk, failing_since=None).update(failing_since=at)
    since = subscription.failing_since or at
    if isinstance(error, DeliveryFailed) and error.is_permanent:
        reason = f"The receiver no longer exists. {answer}"
    elif at - since >= DISABLE_AFTER:
        reason = f"All attempts have failed for {DISABLE_AFTER.days} days. {answer}"
    else:
        return
    _disable(subscription, reason, at)


def _record_attempt(
    subscription: Subscription,
    message: OutgoingMessage,
    rows: Sequence[Notification],
    *,
    code: str,
    answer: str,
    is_accepted: bool,
) -> None:
    status = answer.split(" ", 1)[0]
    DeliveryAttempt.objects.create(
        subscription=subscription,
        message_id=UUID(message.id),
        at=message.sent_at,
        number=max((row.attempts for row in rows), default=0),
        alerts=len({row.alert_id for row in rows}),
        notifications=[row.pk for row in rows],
        is_accepted=is_accepted,
        code=code or (status if is_accepted and status.isdecimal() and len(status) == 3 else ""),
        answer=answer.replace("\0", "")[:MAX_ANSWER_LENGTH],
    )


def _disable(subscription: Subscription, reason: str, now: datetime) -> None:
    """Disable it, give up what waits, and notify its owner. `channel_alerts.py` opens the alert."""
    with transaction.atomic():
        changed = Subscription.objects.filter(pk=subscription.pk, enabled=True).update(
            enabled=False, disabled_reason=reason[:MAX_ANSWER_LENGTH]
        )
        if not changed:
            return
        Notification.objects.filter(
            subscription=subscription, state=NotificationState.PENDING
        ).update(state=NotificationState.FAILED, error=f"The subscription was disabled. {reason}")
        append_audit_entry(
            "subscription.disabled",
            user=None,
            object=f"subscription {subscription.pk}",
            detail={"channel": subscription.channel, "enabled": False},
            now=now,
        )
    log.warning("subscription_disabled", subscription=subscription.pk)
    _email_owner(subscription, reason)


def _email_owner(subscription: Subscription, reason: str) -> None:
    """Email the person who added it. If that fails, the alert remains, which they own."""
    if not subscription.user.email or not has_mail_server():
        return
    try:
        send_email(
            "A subscription was disabled",
            f"Your subscription “{subscription.channel}” sends no alerts any more.\n\n{reason}\n\n"
            "Correct it, send a test message, and enable it again on the page Subscriptions.\n",
            subscription.user.email,
        )
    except DeliveryFailed:
        log.warning("owner_not_notified", subscription=subscription.pk)


def resend_message(subscription: Subscription, attempt_id: int, *, by: User, now: datetime) -> int:
    """Send the message of an attempt again with the same id; return how many alerts it has.

    It goes out with the next run of the outbox. Raises CannotResend.
    """
    attempt = DeliveryAttempt.objects.filter(subscription=subscription, pk=attempt_id).first()
    if attempt is None or not attempt.notifications:
        raise CannotResend("There is no such message of alerts.")
    if not subscription.enabled:
        raise CannotResend("The subscription is disabled. Enable it first.")
    with transaction.atomic():
        queued = Notification.objects.filter(
            pk__in=attempt.notifications, subscription=subscription, state__in=ENDED
        ).update(
            state=NotificationState.PENDING,
            attempts=0,
            next_attempt_at=now,
            error="",
            batch=attempt.message_id,
        )
        if not queued:
            raise CannotResend("The message is waiting to be sent already.")
        append_audit_entry(
            "subscription.resent",
            user=by,
            object=f"subscription {subscription.pk}",
            detail={"channel": subscription.channel, "message": str(attempt.message_id)},
            now=now,
        )
    return queued


def delete_old_attempts(now: datetime) -> int:
    """Delete attempts that are older than 30 days; return how many."""
    return DeliveryAttempt.objects.filter(at__lt=now - RETENTION).delete()[0]
