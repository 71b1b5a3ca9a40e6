"""What people were told, and what they did about it."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from visibility.models.intake import Source
from visibility.models.objects import BusinessObject
from visibility.models.sla import Severity, SlaRule


class AlertState(models.TextChoices):
    """Open and acknowledged ones need a person; the last two are over."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    HELD = "held"  # the feed that would tell is silent
    RESOLVED = "resolved"
    WITHDRAWN = "withdrawn"  # late evidence: the promise was kept


STANDING = (AlertState.OPEN, AlertState.ACKNOWLEDGED, AlertState.SNOOZED, AlertState.HELD)


# What the obligation of an alert about a source's word begins with; the word follows.
WORD = "word "


class Alert(models.Model):
    """One breach, once for ever: unique by (rule, order, obligation), or one for a silent source
    and for each of its words that nobody has mapped."""

    rule = models.ForeignKey(SlaRule, on_delete=models.PROTECT, null=True)
    order = models.ForeignKey(BusinessObject, on_delete=models.PROTECT, null=True)
    source = models.ForeignKey(Source, on_delete=models.PROTECT, null=True)
    obligation = models.TextField(default="")
    episode = models.IntegerField(default=1)
    state = models.CharField(max_length=14, choices=AlertState.choices, default=AlertState.OPEN)
    severity = models.CharField(max_length=10, choices=Severity.choices)
    title = models.TextField()
    team = models.CharField(max_length=80, default="")
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
    resolved_at = models.DateTimeField(null=True)
    resolution = models.TextField(default="")
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["order", "rule", "obligation"],
                condition=Q(order__isnull=False),
                name="alert_once",
            ),
            models.UniqueConstraint(
                fields=["source", "obligation"],
                condition=Q(source__isnull=False),
                name="alert_source_once",
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


class AlertEntry(models.Model):
    """One line of an alert's history: a transition, a note, an assignment."""

    alert = models.ForeignKey(Alert, on_delete=models.PROTECT, related_name="entries")
    at = models.DateTimeField()
    what = models.CharField(max_length=20)
    who = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True)
    text = models.TextField(default="")


class Subscription(models.Model):
    """Who is told of what, and by which channel of the shelf."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    channel = models.CharField(max_length=40, default="email")
    address = models.CharField(max_length=250)
    rule = models.ForeignKey(SlaRule, on_delete=models.PROTECT, null=True)
    severities = models.JSONField(default=list)
    enabled = models.BooleanField(default=True)
    # When something was last sent, or tried: what comes right after it waits and goes together.
    told_at = models.DateTimeField(null=True)


class NotificationState(models.TextChoices):
    """`pending` until it is sent; `failed` after the last attempt."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"


class Notification(models.Model):
    """The outbox: one row per (alert, episode, transition, subscription), sent at least once."""

    token = models.UUIDField(default=uuid.uuid4, unique=True)
    # Rows of one batch go in one message under this id; its own token: it goes alone.
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
    sent_at = models.DateTimeField(null=True)
    error = models.TextField(default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["alert", "episode", "transition", "subscription"], name="notification_once"
            )
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["next_attempt_at"], condition=Q(state="pending"), name="notification_due"
            )
        ]
