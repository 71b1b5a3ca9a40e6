"""Alerts, their history, subscriptions and outgoing notifications."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import User
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from visibility.formatting import AGE_PLACEHOLDER, format_duration
from visibility.models.objects_and_identifiers import BusinessObject
from visibility.models.rules_clocks_and_calendars import Severity, SlaRule
from visibility.models.sources_and_messages import Source
from visibility.models.teams import Team


class AlertState(models.TextChoices):
    """Open and acknowledged alerts need a person; resolved and withdrawn ones are closed."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    SUPPRESSED = "suppressed"  # every source that could report the step is silent
    RESOLVED = "resolved"
    WITHDRAWN = "withdrawn"  # there is no breach: late evidence, or the rule changed


ACTIVE_ALERT_STATES = (
    AlertState.OPEN,
    AlertState.ACKNOWLEDGED,
    AlertState.SNOOZED,
    AlertState.SUPPRESSED,
)


class AlertKind(models.TextChoices):
    """What opened an alert; an alert of another rule about sources has the code of its kind."""

    SLA = "sla"  # subject_key: the subject key of the clock
    SOURCE_SILENT = "source_silent"  # subject_key: empty, "parked", or "event:" and the type
    UNMAPPED_STATUS = "unmapped_status"  # subject_key: the external status text
    RULE_FAILED = "rule_failed"  # a rule that cannot be evaluated; subject_key: its code
    CHANNEL_FAILED = "channel_failed"  # a disabled subscription; subject_key: its id


class AlertClosingReason(models.TextChoices):
    """Why an alert was closed. `resolution` says it in words."""

    COMPLETED_LATE = "completed_late"
    COMPLETED_ON_TIME = "completed_on_time"  # late evidence
    DUE_LATER = "due_later"  # new evidence moved the deadline
    NOT_APPLICABLE = "not_applicable"  # by new evidence, the rule does not apply
    RULE_CHANGED = "rule_changed"  # the evidence is the same
    CONDITION_ENDED = "condition_ended"
    BY_USER = "by_user"
    ORDERS_MERGED = "orders_merged"


def alert_kinds() -> list[tuple[str, str]]:
    """The choices of migration 0005; `kind` is open now."""
    return list(AlertKind.choices)


@dataclass(frozen=True, slots=True)
class ReplacedAlertState:
    """What an action of a person replaced: the columns before it, and the ID of its entry."""

    entry_id: int
    values: Mapping[str, Any]


class Alert(models.Model):
    """One problem that people handle; it is reopened rather than created again.

    Unique by order, rule and subject key, by source, kind and subject key, or else by rule, kind
    and subject. `subject_kind` is a `RuleSubject`; empty on rows of an older release.
    """

    kind = models.CharField(max_length=60, default=AlertKind.SLA)

    rule = models.ForeignKey(SlaRule, on_delete=models.PROTECT, null=True)
    order = models.ForeignKey(BusinessObject, on_delete=models.PROTECT, null=True)
    source = models.ForeignKey(Source, on_delete=models.PROTECT, null=True)
    subject_kind = models.CharField(max_length=20, default="", db_default="")
    subject_key = models.TextField(default="")
    episode = models.IntegerField(default=1)
    state = models.CharField(max_length=14, choices=AlertState.choices, default=AlertState.OPEN)
    severity = models.CharField(max_length=10, choices=Severity.choices)
    # The title when it opened. `title_template` is the same with "{age}" in place of the age, and
    # empty if there is none: see `title_with_age()`.
    title = models.TextField()
    title_template = models.TextField(default="", db_default="")
    team = models.CharField(max_length=80, default="")
    owner_team = models.ForeignKey(Team, on_delete=models.PROTECT, null=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    money = models.DecimalField(max_digits=24, decimal_places=4, null=True)
    currency = models.CharField(max_length=8, default="")
    started_at = models.DateTimeField()
    due_at = models.DateTimeField()
    opened_at = models.DateTimeField()
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    snoozed_until = models.DateTimeField(null=True)
    # What ends the snooze before `snoozed_until`, or sets it: see `snooze_ends.py`. Empty: a time.
    snooze_end = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()))
    resolved_at = models.DateTimeField(null=True)
    resolution = models.TextField(default="")
    # An `AlertClosingReason`; empty while the alert is active, and on rows of an older release.
    closing_reason = models.CharField(max_length=30, default="", db_default="")
    changed_at = models.DateTimeField(db_default=Now())

    # Set on the instance that an action returns; not stored.
    replaced: ReplacedAlertState | None = None

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["order", "rule", "subject_key"],
                condition=Q(order__isnull=False),
                name="alert_order_unique",
            ),
            models.UniqueConstraint(
                fields=["source", "kind", "subject_key"],
                condition=Q(source__isnull=False),
                name="alert_source_unique",
            ),
            models.UniqueConstraint(
                fields=["rule", "kind", "subject_kind", "subject_key"],
                condition=Q(order__isnull=True, source__isnull=True),
                name="alert_subject_unique",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["state", "-due_at"], name="alert_state"),
            models.Index(fields=["order"], name="alert_order"),
            models.Index(
                fields=["snoozed_until"], condition=Q(state="snoozed"), name="alert_snoozed"
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def title_with_age(self, now: datetime) -> str:
        """The title with the age of the case: as of `now`, or as of the end of a closed alert."""
        if not self.title_template:
            return self.title
        end = self.resolved_at if self.state not in ACTIVE_ALERT_STATES else None
        age = max((end or now) - self.started_at, timedelta(0))
        return self.title_template.replace(AGE_PLACEHOLDER, format_duration(age))

    @property
    def subject(self) -> str:
        """`subject_kind`, also of a row that an older release wrote."""
        return self.subject_kind or ("source" if self.source_id else "order")


class AlertEntry(models.Model):
    """One line of an alert's history: a transition, a note, an assignment."""

    alert = models.ForeignKey(Alert, on_delete=models.PROTECT, related_name="entries")
    at = models.DateTimeField()
    action = models.CharField(max_length=20)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True)
    text = models.TextField(default="")


class AlertMention(models.Model):
    """A user whom a note on an alert mentions as `@username`."""

    entry = models.ForeignKey(AlertEntry, on_delete=models.CASCADE, related_name="mentions")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "entry"], name="alert_mention_unique")
        ]


# The subscriptions of a person stop when the account is deactivated; those of a team go on.
NOT_STOPPED = Q(user__in=User.objects.filter(is_active=True)) | Q(team__isnull=False)


class Subscription(models.Model):
    """Which alerts a user receives, and through which channel."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    channel = models.CharField(max_length=40, default="email")
    # The settings that the channel declares, as texts by name, without the secret ones.
    channel_settings = models.JSONField(
        default=dict, db_default=models.Value({}, models.JSONField())
    )
    # The secret settings; see visibility/notify/check_and_encrypt_channel_settings.py.
    sealed_secrets = models.TextField(default="", db_default="")
    # The email address in rows of an older release; `channel_settings` has it in others.
    address = models.CharField(max_length=250, default="", db_default="")
    # The team whose subscription it is; otherwise it is that of `user`, who added it.
    team = models.ForeignKey(Team, on_delete=models.PROTECT, null=True, related_name="+")
    # The rule, if it is only one; `rules` has the codes of all. Neither: all rules.
    rule = models.ForeignKey(SlaRule, on_delete=models.PROTECT, null=True)
    rules = models.JSONField(default=list, db_default=models.Value([], models.JSONField()))
    severities = models.JSONField(default=list)
    # Values of alerts and their orders that it selects, by name: see `SCOPE_NAMES`.
    scope = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()))
    # Quiet hours and digest, in this zone; empty: that of the organization.
    time_zone = models.CharField(max_length=60, default="", db_default="")
    quiet_from = models.TimeField(null=True)
    quiet_until = models.TimeField(null=True)
    # Critical alerts are sent in quiet hours and outside of the digest, too.
    critical_at_once = models.BooleanField(default=True, db_default=True)
    digest = models.CharField(max_length=10, default="", db_default="")  # a DigestInterval
    digest_at = models.TimeField(null=True)
    # It also reports that an alert which it received was acknowledged or closed.
    follows_alerts = models.BooleanField(default=False, db_default=False)
    enabled = models.BooleanField(default=True)
    # When a message was last sent or attempted. Later notifications wait and go in one message.
    last_sent_at = models.DateTimeField(null=True)
    # When a server last accepted a message, and why the last attempt failed (empty: it did not).
    accepted_at = models.DateTimeField(null=True)
    delivery_error = models.TextField(default="", db_default="")
    # Since when all attempts have failed, and why it was disabled for that.
    failing_since = models.DateTimeField(null=True)
    disabled_reason = models.TextField(default="", db_default="")
    # A removed subscription stays, because its notifications refer to it; its secrets do not.
    removed_at = models.DateTimeField(null=True)

    @property
    def is_stopped(self) -> bool:
        """Whether nothing is sent, because its person is deactivated; a team's goes on."""
        return self.team_id is None and not self.user.is_active

    @property
    def stored_non_secret_settings(self) -> Mapping[str, Any]:
        """The settings by name, without the secret ones; empty if they are unreadable."""
        stored = self.channel_settings if isinstance(self.channel_settings, Mapping) else {}
        return stored or ({"address": self.address} if self.address else {})


# What `Subscription.scope` may contain: the team of the alert, and fields of its order.
SCOPE_NAMES = ("team", "warehouse", "channel", "customer_group", "customer_no")


class DigestInterval(models.TextChoices):
    """How often a digest collects alerts into one message."""

    HOURLY = "hourly"
    DAILY = "daily"


class NotificationState(models.TextChoices):
    """`pending` until it is sent; `failed` after the last attempt."""

    PENDING = "pending"
    SENT = "sent"  # a server accepted it
    WRITTEN = "written"  # to a file, because no server is configured
    FAILED = "failed"
    CANCELLED = "cancelled"  # its subscription was disabled or removed first


class Notification(models.Model):
    """The outbox: one row per (alert, episode, transition, subscription), sent at least once."""

    message_id = models.UUIDField(default=uuid.uuid4, unique=True)
    # Rows of one batch go in one message with this id; equal to `message_id`: it goes alone.
    batch = models.UUIDField(null=True)
    alert = models.ForeignKey(Alert, on_delete=models.PROTECT)
    episode = models.IntegerField()
    transition = models.CharField(max_length=20)
    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT)
    state = models.CharField(
        max_length=10, choices=NotificationState.choices, default=NotificationState.PENDING
    )
    attempts = models.IntegerField(default=0)
    next_attempt_at = models.DateTimeField(db_default=Now())
    # Until when quiet hours or the digest of the subscription postponed it.
    postponed_until = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    error = models.TextField(default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["alert", "episode", "transition", "subscription"],
                name="notification_unique",
            )
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["next_attempt_at"], condition=Q(state="pending"), name="notification_due"
            )
        ]
