"""Load subscriptions with their channel, what they select, and how their last message went."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min

from connectors.sdk.settings import SettingError, SettingType
from visibility.formatting import count_with_noun
from visibility.models import (
    AuditEntry,
    DeliveryAttempt,
    Notification,
    NotificationState,
    Severity,
    Subscription,
)
from visibility.notify.change_and_test_subscriptions import DEACTIVATED
from visibility.notify.channel import Channel
from visibility.notify.check_and_encrypt_channel_settings import parse_channel_settings_with_errors
from visibility.notify.outbox import channel_registry
from visibility.screens.setting_fields import SettingField, build_setting_field
from visibility.screens.subscriptions.selection_fields import describe_schedule, describe_scope

PAGE_SIZE = 50
MAX_HISTORY = 50
DELIVERIES_PER_PAGE = 20


@dataclass(frozen=True, slots=True)
class SubscriptionSummary:
    """A subscription for a page or the API. Secret settings have a name and no value.

    `channel`: None if this version does not have it. `problem`: why it cannot be sent, apart from
    the result of the last attempt.
    """

    subscription: Subscription
    channel: Channel | None
    problem: str

    @property
    def channel_title(self) -> str:
        """The title of the channel, or its code if it no longer exists."""
        return self.channel.title if self.channel else self.subscription.channel

    @property
    def settings(self) -> dict[str, str]:
        """The settings by name, without the secret ones."""
        secret = {s.name for s in self.channel.settings if s.is_secret} if self.channel else set()
        stored = self.subscription.stored_non_secret_settings.items()
        return {name: str(value) for name, value in stored if name not in secret}

    @property
    def target(self) -> str:
        """Where the messages go: the texts that are no secret, in the order of the form."""
        all_settings = self.channel.settings if self.channel else ()
        declared = [s.name for s in all_settings if s.type is not SettingType.BOOLEAN]
        return ", ".join(self.settings[name] for name in declared if name in self.settings)

    @property
    def has_secrets(self) -> bool:
        """Whether it has stored secrets."""
        return bool(self.subscription.sealed_secrets)

    @property
    def severities(self) -> list[str]:
        """The severities that it selects; none: all."""
        stored = self.subscription.severities
        return [s for s in Severity.values if isinstance(stored, list) and s in stored]

    @property
    def rule_codes(self) -> list[str]:
        """The codes of the rules that it selects; none: all."""
        rule = self.subscription.rule
        return [rule.code] if rule else list(self.subscription.rules)

    @property
    def selection(self) -> str:
        """Which alerts it selects: `high, critical; rule Stuck in released`."""
        severities = ", ".join(
            label.lower() for value, label in Severity.choices if value in self.severities
        )
        rule = self.subscription.rule
        text = f"Alerts of severity {severities}" if severities else "All alerts"
        if rule:
            text += f" of the rule {rule.title}"
        elif self.subscription.rules:
            text += f" of {count_with_noun(len(self.subscription.rules), 'rule')}"
        return f"{text}{describe_scope(self.subscription)}"

    @property
    def schedule(self) -> str:
        """When it sends: `Daily digest at 08:00; quiet hours 22:00 to 06:00`; empty: at once."""
        return describe_schedule(self.subscription)

    @property
    def owner(self) -> str:
        """The team whose subscription it is, or the name of the user who added it."""
        if self.subscription.team:
            return f"Team {self.subscription.team.title}"
        user = self.subscription.user
        return user.get_full_name() or user.get_username()


def list_subscriptions(*, after: int = 0, limit: int = PAGE_SIZE) -> list[SubscriptionSummary]:
    """Return subscriptions in the order in which they were added. One statement."""
    rows = Subscription.objects.filter(removed_at=None, pk__gt=after).select_related(
        "user", "rule", "team"
    )
    return [summarize_subscription(row) for row in rows.order_by("pk")[:limit]]


def summarize_subscription(subscription: Subscription) -> SubscriptionSummary:
    """Describe a subscription. No statement if its user and rule are loaded."""
    channel = channel_registry().get(subscription.channel)
    if subscription.is_stopped:
        problem = DEACTIVATED
    elif channel is None:
        problem = f"This version has no channel “{subscription.channel}”."
    else:
        problem = channel.not_installed_sentence() or channel.missing_server_sentence()
    return SubscriptionSummary(subscription, channel, problem)


def channels_without_server() -> list[tuple[Channel, str]]:
    """Return the channels that no server accepts messages of, each with the reason."""
    channels = [(channel, channel.missing_server_sentence()) for channel in list_channels()]
    return [(channel, reason) for channel, reason in channels if reason]


def list_channels() -> list[Channel]:
    """Return the channels that can be used, by title."""
    return [channel for channel in _all_channels() if not channel.not_installed_sentence()]


def channels_not_installed() -> list[tuple[Channel, str]]:
    """Return the channels whose package is missing, each with how to install it."""
    channels = [(channel, channel.not_installed_sentence()) for channel in _all_channels()]
    return [(channel, sentence) for channel, sentence in channels if sentence]


def _all_channels() -> list[Channel]:
    return sorted(channel_registry().values(), key=lambda channel: channel.title)


def build_channel_setting_fields(
    channel: Channel,
    *,
    stored: SubscriptionSummary | None = None,
    entered: Mapping[str, str] | None = None,
    errors: Sequence[SettingError] = (),
) -> list[SettingField]:
    """Return the settings of a channel as form fields, with stored or entered values."""
    values = (stored.settings if stored else {}) | dict(entered or {})
    sentences = {error.name: error.sentence for error in errors}
    if stored and not errors and entered is None:
        # A stored value that this version refuses is explained before it is changed.
        stored_errors = parse_channel_settings_with_errors(channel, stored.settings).errors
        secret = {setting.name for setting in channel.settings if setting.is_secret}
        sentences = {e.name: e.sentence for e in stored_errors if e.name not in secret}
    return [
        build_setting_field(
            setting,
            setting.name,
            values.get(setting.name, ""),
            sentences.get(setting.name, ""),
            is_stored=stored is not None and stored.has_secrets,
        )
        for setting in channel.settings
    ]


@dataclass(frozen=True, slots=True)
class WaitingMessages:
    """Notifications that wait to be sent, and when the next attempt is due."""

    count: int
    next_at: datetime | None


def waiting_messages(number: int) -> WaitingMessages:
    """Return what waits to be sent to a subscription."""
    rows = Notification.objects.filter(subscription=number, state=NotificationState.PENDING)
    return WaitingMessages(**rows.aggregate(count=Count("pk"), next_at=Min("next_attempt_at")))


def latest_deliveries(number: int, before: int) -> list[DeliveryAttempt]:
    """Return a page of the delivery log, newest first, and one more if there is one."""
    rows = DeliveryAttempt.objects.filter(subscription=number)
    if before:
        rows = rows.filter(pk__lt=before)
    return list(rows.order_by("-pk")[: DELIVERIES_PER_PAGE + 1])


def subscription_history(number: int) -> list[AuditEntry]:
    """Return the latest changes and tests of a subscription, newest first."""
    entries = AuditEntry.objects.filter(
        object=f"subscription {number}", action__startswith="subscription."
    )
    return list(entries.select_related("user").order_by("-pk")[:MAX_HISTORY])
