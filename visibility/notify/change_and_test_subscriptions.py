"""Add, change, remove and try subscriptions: checked, audited, and with encrypted secrets."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from connectors.sdk.settings import SettingError, find_setting
from visibility.models.alerts import Notification, NotificationState, Subscription
from visibility.models.audit import append_audit_entry
from visibility.notify.channel import Channel
from visibility.notify.check_and_encrypt_channel_settings import (
    UnreadableChannelSecrets,
    decrypt_channel_secrets,
    encrypt_channel_secrets,
    hide_secrets,
    parse_channel_settings_with_errors,
    split_secret_settings,
)
from visibility.notify.check_selection import (
    RULE,
    SCHEDULE_FIELDS,
    SEVERITIES,
    TEAM,
    SubscriptionChange,
    audited_value,
    check_selection,
)
from visibility.notify.notification_texts import compose_test_message
from visibility.notify.outbox import (
    channel_registry,
    describe_failure,
    send_and_record,
)
from visibility.notify.sending_schedule import send_postponed_now

MAX_ID = 2**63 - 1
CHANNEL = "channel"
SELECTION_FIELDS = (RULE, "rules", SEVERITIES, "scope", TEAM, "enabled", *SCHEDULE_FIELDS)


class InvalidSubscription(ValueError):
    """Values of a subscription are invalid. `errors` names the fields and says why."""

    def __init__(self, errors: Sequence[SettingError]) -> None:
        super().__init__("\n".join(f"{error.name}: {error.sentence}" for error in errors))
        self.errors = tuple(errors)


class UnknownSubscription(LookupError):
    """There is no such subscription, or it was removed."""


DEACTIVATED = "Its owner is deactivated: nothing is sent until the account is reactivated."


@dataclass(frozen=True, slots=True)
class SubscriptionTestResult:
    """Whether a server accepted a test message; if none did, a sentence says why."""

    is_accepted: bool
    detail: str


def load_subscription_not_removed(number: int) -> Subscription:
    """Return a subscription that was not removed. Raises UnknownSubscription."""
    rows = Subscription.objects.select_related("user", "rule", "team").filter(
        removed_at=None, pk=number
    )
    subscription = rows.first() if number <= MAX_ID else None
    if subscription is None:
        raise UnknownSubscription(number)
    return subscription


def add_subscription(
    channel: str, change: SubscriptionChange, *, by: User, now: datetime
) -> Subscription:
    """Create a subscription of the user `by`. Raises InvalidSubscription."""
    kind = channel_registry().get(channel)
    subscription = Subscription(
        user=by,
        channel=channel,
        channel_settings={},
        follows_alerts=kind is not None and kind.follows_alerts,
    )
    with transaction.atomic():
        changed = _apply_and_return_changed_values(subscription, change)
        subscription.save()
        _audit("subscription.added", subscription, changed, by=by, now=now)
    return subscription


def change_subscription(
    number: int, change: SubscriptionChange, *, by: User, now: datetime
) -> Subscription:
    """Change a subscription; without a difference, nothing is written.

    What waits to be sent is cancelled when it is disabled. Raises InvalidSubscription and
    UnknownSubscription.
    """
    with transaction.atomic():
        subscription = _lock_subscription(number)
        changed = _apply_and_return_changed_values(subscription, change)
        if changed:
            subscription.save(
                update_fields=[
                    "channel_settings",
                    "sealed_secrets",
                    "address",
                    *SELECTION_FIELDS,
                    "delivery_error",
                    "failing_since",
                    "disabled_reason",
                ]
            )
            _audit("subscription.changed", subscription, changed, by=by, now=now)
        if set(SCHEDULE_FIELDS) & changed.keys():
            send_postponed_now(subscription, now)
        if not subscription.enabled:
            _cancel_pending(subscription, "The subscription was disabled before this was sent.")
    return subscription


def remove_subscription(number: int, *, by: User, now: datetime) -> None:
    """Remove a subscription and its secrets; cancel what waits. Raises UnknownSubscription."""
    with transaction.atomic():
        subscription = _lock_subscription(number)
        subscription.enabled, subscription.sealed_secrets = False, ""
        subscription.removed_at = now
        subscription.save(update_fields=["enabled", "sealed_secrets", "removed_at"])
        _cancel_pending(subscription, "The subscription was removed before this was sent.")
        _audit("subscription.removed", subscription, {}, by=by, now=now)


def cancel_notifications_of_user(user: User) -> int:
    """Cancel what waits to be sent to a deactivated person; return how many notifications.

    The subscriptions stay, and go on with new alerts when the person is reactivated.
    """
    pending = Notification.objects.filter(
        subscription__user=user, subscription__team=None, state=NotificationState.PENDING
    )
    reason = "The account was deactivated before this was sent."
    return pending.update(state=NotificationState.CANCELLED, error=reason)


def send_test_message(number: int, *, by: User, now: datetime) -> SubscriptionTestResult:
    """Send a test message now, also if it is disabled, but not to a deactivated person.

    Raises UnknownSubscription.
    """
    subscription = load_subscription_not_removed(number)
    if subscription.is_stopped:
        return SubscriptionTestResult(is_accepted=False, detail=DEACTIVATED)
    channel = channel_registry().get(subscription.channel)
    message = compose_test_message(message_id=str(uuid.uuid4()), sent_at=now)
    try:
        sent = send_and_record(subscription, message)
        is_accepted, answer = sent.is_accepted, sent.answer
        missing = channel.missing_server_sentence() if channel else ""
        detail = "The server accepted the test message." if is_accepted else missing
        detail += f" Answer: {answer}" if is_accepted and answer else ""
    except Exception as error:  # shown to the person who tries the subscription
        is_accepted, detail = False, describe_failure(error)
    _audit("subscription.tested", subscription, {"accepted": is_accepted}, by=by, now=now)
    return SubscriptionTestResult(is_accepted, detail)


def _lock_subscription(number: int) -> Subscription:
    locked = Subscription.objects.select_for_update(no_key=True).filter(removed_at=None, pk=number)
    if locked.first() is None:
        raise UnknownSubscription(number)
    return load_subscription_not_removed(number)


def _apply_and_return_changed_values(
    subscription: Subscription, change: SubscriptionChange
) -> dict[str, Any]:
    """Set the new values; return what changed, for the audit log. Raises InvalidSubscription."""
    errors: list[SettingError] = []
    changed: dict[str, Any] = {}
    wanted, selection_errors = check_selection(subscription, change)
    errors += selection_errors
    channel = channel_registry().get(subscription.channel)
    if channel is None:
        known = ", ".join(sorted(channel_registry()))
        sentence = f"There is no channel {subscription.channel[:40]!r}. Channels: {known}."
        # One whose channel no longer exists can still be disabled.
        errors += [SettingError(CHANNEL, sentence)] if change.enabled is not False else []
    elif subscription.pk is None and channel.not_installed_sentence():
        errors.append(SettingError(CHANNEL, channel.not_installed_sentence()))
    elif change.enabled is not False or change.settings:
        changed_names, setting_errors = _apply_channel_settings_if_valid(
            subscription, channel, change.settings
        )
        errors += setting_errors
        changed |= {"settings": changed_names} if changed_names else {}
    if errors:
        raise InvalidSubscription(errors)
    for name, value in wanted.items():
        if getattr(subscription, name) != value:
            setattr(subscription, name, value)
            changed[name] = audited_value(value)
    if subscription.enabled:
        subscription.failing_since, subscription.disabled_reason = None, ""
    return changed


def _apply_channel_settings_if_valid(
    subscription: Subscription, channel: Channel, given: Mapping[str, str]
) -> tuple[list[str], Sequence[SettingError]]:
    """Set the settings of the channel; return the names that changed, and what is invalid."""
    secret_names = {setting.name for setting in channel.settings if setting.is_secret}
    try:
        secrets = decrypt_channel_secrets(subscription.sealed_secrets)
    except UnreadableChannelSecrets:
        secrets = {}  # they are lost: the required ones must be entered again
    stored = {**subscription.stored_non_secret_settings, **secrets}
    before = {n: str(value) for n, value in stored.items() if find_setting(channel.settings, n)}
    entered = {n: t for n, t in given.items() if t.strip() or n not in secret_names}
    merged = {name: text.strip() for name, text in {**before, **entered}.items() if text.strip()}
    parsed = parse_channel_settings_with_errors(channel, merged)
    if parsed.errors:
        hidden = {name: merged[name] for name in secret_names & merged.keys()}
        return [], [SettingError(e.name, hide_secrets(e.sentence, hidden)) for e in parsed.errors]
    changed = sorted(n for n in before.keys() | merged.keys() if before.get(n) != merged.get(n))
    subscription.channel_settings, secrets = split_secret_settings(channel, merged)
    if changed:
        subscription.address, subscription.delivery_error = "", ""
        subscription.sealed_secrets = encrypt_channel_secrets(secrets)
    return changed, ()


def _cancel_pending(subscription: Subscription, reason: str) -> None:
    Notification.objects.filter(subscription=subscription, state=NotificationState.PENDING).update(
        state=NotificationState.CANCELLED, error=reason
    )


def _audit(
    action: str, subscription: Subscription, changed: Mapping[str, Any], *, by: User, now: datetime
) -> None:
    """Add an audit entry. It names the settings that changed, never their values."""
    append_audit_entry(
        action,
        user=by,
        object=f"subscription {subscription.pk}",
        detail={CHANNEL: subscription.channel, **changed},
        now=now,
    )
