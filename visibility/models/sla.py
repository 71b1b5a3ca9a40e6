"""Promises: rules, the clocks they run, and the hours that count."""

import json
from hashlib import sha256
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from visibility.models.objects import BusinessObject


class Severity(models.TextChoices):
    """How bad a breach is."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class WorkCalendar(models.Model):
    """Working hours: `hours` is {"mon": [["08:00", "18:00"]], ...}; `holidays` a country code."""

    code = models.SlugField(unique=True)
    title = models.CharField(max_length=120)
    zone = models.CharField(max_length=60, default="UTC")
    hours = models.JSONField(default=dict)
    holidays = models.CharField(max_length=10, default="", blank=True)

    def __str__(self) -> str:
        return self.title


class SlaRule(models.Model):
    """A promise: a kind from the shelf with parameters, a scope, an owner and a response."""

    code = models.SlugField(unique=True)
    kind = models.CharField(max_length=60)
    title = models.CharField(max_length=200)
    params = models.JSONField(default=dict)
    # {"channel": ..., "warehouse": ..., "customer_no": ..., "carrier": ...}; empty: every order.
    scope = models.JSONField(default=dict)
    severity = models.CharField(max_length=10, choices=Severity.choices)
    team = models.CharField(max_length=80)
    calendar = models.ForeignKey(WorkCalendar, on_delete=models.PROTECT)
    response = models.TextField()
    consequence = models.TextField()
    enabled = models.BooleanField(default=True)
    version = models.IntegerField(default=1)

    def __str__(self) -> str:
        return self.title


def as_set_up(rule: SlaRule) -> str:
    """A short digest of all that decides a rule's clocks: another one, and they are set anew."""
    hours = rule.calendar
    said = [rule.kind, rule.params, rule.scope, rule.enabled, rule.version]
    said += [hours.zone, hours.hours, hours.holidays]
    return sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


class ClockState(models.TextChoices):
    """`running` until it is stopped or judged; `met` and `breached` are verdicts."""

    RUNNING = "running"
    MET = "met"
    BREACHED = "breached"


class SlaClock(models.Model):
    """One obligation of one order under one rule. Derived."""

    rule = models.ForeignKey(SlaRule, on_delete=models.PROTECT)
    order = models.ForeignKey(BusinessObject, on_delete=models.PROTECT)
    obligation = models.TextField()
    started_at = models.DateTimeField()
    due_at = models.DateTimeField()
    stopped_at = models.DateTimeField(null=True)
    state = models.CharField(max_length=10, choices=ClockState.choices)
    subject = models.TextField(default="")
    # Slugs of the sources whose word would stop it, separated by blanks.
    waits_for = models.TextField(default="")
    rule_version = models.IntegerField(default=1)
    # When we first knew of it: a deadline that had passed by then waits for the backlog.
    heard_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["order", "rule", "obligation"], name="clock_once")
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["due_at"],
                condition=Q(state="running", stopped_at__isnull=True),
                name="clock_due",
            )
        ]


class FailedClock(models.Model):
    """A rule raised where it was to set, or to judge, the clock of an order. Derived.

    Of this rule the order has no clock then, and the alerts that stand stay as they are.
    """

    rule = models.ForeignKey(SlaRule, on_delete=models.PROTECT)
    order = models.ForeignKey(BusinessObject, on_delete=models.PROTECT)
    obligation = models.TextField(default="")
    # A sentence for people.
    error = models.TextField()
    # The rule as it was then.
    setup = models.CharField(max_length=16)
    # Tried again some time later, whatever the rule: a newer release may know better.
    failed_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["order", "rule", "obligation"], name="failed_clock_once"
            )
        ]
