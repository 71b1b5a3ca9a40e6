"""SLA rules, the clocks they run, and the working calendars."""

import json
from hashlib import sha256
from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from visibility.models.objects_and_identifiers import BusinessObject
from visibility.models.teams import Team


class Severity(models.TextChoices):
    """How bad a breach is."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class WorkCalendar(models.Model):
    """Working hours and cut-offs, with the later versions that replace them from a date.

    `hours`: {"mon": [["08:00", "18:00"]], ...}; `holidays`: a country code, and `subdivision` a
    part of it. `closed_days`: [{"day": "12-24" or "2026-12-24", "title": ...}]. `exceptions`:
    [{"date": "2026-12-31", "hours": [...], "title": ...}]. `cutoffs`: [{"warehouse": ...,
    "carrier": ..., "times": {"mon": "17:00"}}], empty for any. `later_versions`: the same fields
    with "from": a date, in the order of the dates.
    """

    code = models.SlugField(unique=True)
    title = models.CharField(max_length=120)
    zone = models.CharField(max_length=60, default="UTC")
    hours = models.JSONField(default=dict)
    holidays = models.CharField(max_length=10, default="", blank=True)
    subdivision = models.CharField(max_length=20, default="", db_default="", blank=True)
    closed_days = models.JSONField(default=list, db_default=models.Value([], models.JSONField()))
    exceptions = models.JSONField(default=list, db_default=models.Value([], models.JSONField()))
    cutoffs = models.JSONField(default=list, db_default=models.Value([], models.JSONField()))
    later_versions = models.JSONField(default=list, db_default=models.Value([], models.JSONField()))
    # Grows with each change.
    version = models.IntegerField(default=1, db_default=1)

    def __str__(self) -> str:
        return self.title


class SlaRule(models.Model):
    """An SLA rule: a rule kind with parameters, a scope, an owning team and a response."""

    code = models.SlugField(unique=True)
    kind = models.CharField(max_length=60)
    title = models.CharField(max_length=200)
    params = models.JSONField(default=dict)
    # {"channel": ..., "warehouse": ..., "customer_no": ..., "carrier": ...}; empty: every order.
    # Of a rule about sources: {"source": ..., "role": ...}; empty: every source.
    scope = models.JSONField(default=dict)
    severity = models.CharField(max_length=10, choices=Severity.choices)
    team = models.CharField(max_length=80)
    owner_team = models.ForeignKey(Team, on_delete=models.PROTECT, null=True)
    calendar = models.ForeignKey(WorkCalendar, on_delete=models.PROTECT)
    response = models.TextField()
    consequence = models.TextField()
    enabled = models.BooleanField(default=True)
    # Never enabled again and hidden from lists; its alerts and their history stay.
    archived_at = models.DateTimeField(null=True)
    version = models.IntegerField(default=1)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(archived_at__isnull=True) | Q(enabled=False),
                name="archived_rule_is_disabled",
            )
        ]

    def __str__(self) -> str:
        return self.title


def rule_definition_fingerprint(rule: SlaRule) -> str:
    """Fingerprint of what a rule's clocks and conditions depend on, without its version."""
    values = [
        rule.kind,
        rule.params,
        rule.scope,
        rule.enabled,
        *working_hours_values(rule.calendar),
    ]
    return sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def rule_fingerprint(rule: SlaRule) -> str:
    """Fingerprint of everything that affects a rule's clocks: when it changes, recompute them."""
    values = [rule.kind, rule.params, rule.scope, rule.enabled, rule.version]
    values += working_hours_values(rule.calendar)
    return sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


HOURS_FIELDS = ("zone", "hours", "holidays", "subdivision", "closed_days", "exceptions")


def working_hours_values(calendar: WorkCalendar) -> list[Any]:
    """What deadlines depend on. Cut-offs, and fields that older releases had not, add nothing.

    A later version with the same hours as the version before it adds nothing either.
    """
    values: list[Any] = [calendar.zone, calendar.hours, calendar.holidays]
    added = [calendar.subdivision, calendar.closed_days, calendar.exceptions]
    values += [added] if any(added) else []
    previous: Any = [getattr(calendar, name) for name in HOURS_FIELDS]
    for version in calendar.later_versions:
        hours = [version.get(name) for name in HOURS_FIELDS]
        if hours != previous:
            values.append([version.get("from"), hours])
        previous = hours
    return values


class ClockState(models.TextChoices):
    """`running` until it is met or its deadline passes; `met` and `breached` are final."""

    RUNNING = "running"
    MET = "met"
    BREACHED = "breached"


class SlaClock(models.Model):
    """The deadline of one subject of one order under one rule. Derived.

    `subject_key` tells several clocks of one order apart, such as a package number; it is empty
    where there is only one.
    """

    rule = models.ForeignKey(SlaRule, on_delete=models.PROTECT)
    order = models.ForeignKey(BusinessObject, on_delete=models.PROTECT)
    subject_key = models.TextField()
    started_at = models.DateTimeField()
    due_at = models.DateTimeField()
    stopped_at = models.DateTimeField(null=True)
    state = models.CharField(max_length=10, choices=ClockState.choices)
    subject = models.TextField(default="")
    # Slugs of the sources that could report the awaited step.
    expected_sources = ArrayField(models.CharField(max_length=60), default=list)
    # True: they are the sources of this order, so each one must be up to date before its absence
    # proves anything. False: the source is unknown, and these are all that it could be.
    sources_are_known = models.BooleanField(default=False, db_default=False)
    rule_version = models.IntegerField(default=1)
    # The money at risk while it is overdue. `currency` null: written before these columns existed.
    money = models.DecimalField(max_digits=24, decimal_places=4, null=True)
    currency = models.CharField(max_length=8, null=True)
    # When the clock became known. A deadline that had already passed waits for the backlog.
    known_since = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["order", "rule", "subject_key"], name="clock_unique")
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["due_at"],
                condition=Q(state="running", stopped_at__isnull=True),
                name="clock_due",
            )
        ]


class FailedClock(models.Model):
    """A rule that raised an error for an order. Derived.

    The order has no clock of this rule then, and its active alerts stay unchanged.
    """

    rule = models.ForeignKey(SlaRule, on_delete=models.PROTECT)
    order = models.ForeignKey(BusinessObject, on_delete=models.PROTECT)
    subject_key = models.TextField(default="")
    # The message that people read.
    error = models.TextField()
    # `rule_fingerprint()` of the rule when it failed.
    rule_fingerprint = models.CharField(max_length=16)
    # Retried some time later even if the rule is unchanged: a newer release may succeed.
    failed_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["order", "rule", "subject_key"], name="failed_clock_unique"
            )
        ]
