"""How well the alerts work: how many there are, which rules open most, and what becomes of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Aggregate, Count, DurationField, F, Q, QuerySet
from django.db.models.functions import TruncHour

from visibility.models import Alert, AlertClosingReason, AlertState
from visibility.models.alerts import AlertKind
from visibility.screens.alerts.inbox import InboxViewName, view_condition

PERIODS = (7, 28, 90)
DEFAULT_DAYS = 28
MAX_RULES = 10
# Open and unassigned for longer, an alert is stale.
STALE_AFTER = timedelta(hours=24)
# Opened more often than this, an alert is unstable.
MAX_EPISODES = 3


class Median(Aggregate):
    """The continuous median of the values that are not null."""

    function = "percentile_cont"
    template = "%(function)s(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"


@dataclass(frozen=True, slots=True)
class AlertFigures:
    """The alerts that opened in a period.

    `open`, `stale` (unassigned for a day) and `unstable` (opened more than three times) are those
    of now. `closed_by_evidence`: without a person. The medians are None without a case.
    """

    opened: int
    open: int
    stale: int
    unstable: int
    closed: int
    closed_by_evidence: int
    withdrawn: int
    acknowledge_time: timedelta | None
    close_time: timedelta | None

    @property
    def acknowledge_seconds(self) -> float | None:
        """The median time from opening to acknowledging."""
        return self.acknowledge_time.total_seconds() if self.acknowledge_time else None

    @property
    def close_seconds(self) -> float | None:
        """The median time from opening to closing."""
        return self.close_time.total_seconds() if self.close_time else None

    @property
    def withdrawn_share(self) -> float | None:
        """The share of the closed alerts without a breach; None if none was closed."""
        return self.withdrawn / self.closed if self.closed else None

    @property
    def evidence_share(self) -> float | None:
        """The share of the closed alerts that evidence closed; None if none was closed."""
        return self.closed_by_evidence / self.closed if self.closed else None


@dataclass(frozen=True, slots=True)
class RuleAlertFigures:
    """The figures of one rule, or of one kind of alerts without a rule (`code` is then empty)."""

    code: str
    title: str
    figures: AlertFigures


@dataclass(frozen=True, slots=True)
class BusiestHour:
    """The hour in which most alerts opened."""

    starts_at: datetime
    alerts: int


@dataclass(frozen=True, slots=True)
class AlertHealth:
    """The figures of all alerts, and of the rules with the most alerts."""

    days: int
    total: AlertFigures
    rules: Sequence[RuleAlertFigures]
    busiest_hour: BusiestHour | None


def load_alert_health(alerts: QuerySet[Alert], *, days: int, now: datetime) -> AlertHealth:
    """The figures of these alerts. Three statements."""
    opened = alerts.filter(opened_at__gt=now - timedelta(days=days), opened_at__lte=now)
    aggregates = _aggregates(now)
    by_rule: Any = opened.values("rule__code", "rule__title", "kind").annotate(**aggregates)
    hours = opened.values(hour=TruncHour("opened_at")).annotate(many=Count("pk"))
    busiest = hours.order_by("-many", "-hour").first()
    return AlertHealth(
        days,
        AlertFigures(**opened.aggregate(**aggregates)),
        [
            RuleAlertFigures(
                row.pop("rule__code") or "",
                _title(row.pop("rule__title"), row.pop("kind")),
                AlertFigures(**row),
            )
            for row in by_rule.order_by("-opened", "rule__code", "kind")[:MAX_RULES]
        ],
        BusiestHour(busiest["hour"], busiest["many"]) if busiest else None,
    )


def _title(rule_title: str | None, kind: str) -> str:
    labels = dict(AlertKind.choices)
    return rule_title or str(labels.get(kind, kind.replace("_", " ")))


def _aggregates(now: datetime) -> dict[str, Any]:
    closed = Q(state__in=(AlertState.RESOLVED, AlertState.WITHDRAWN))
    by_evidence = closed & ~Q(closing_reason__in=("", AlertClosingReason.BY_USER))
    acknowledged = Q(acknowledged_at__gte=F("opened_at"))
    return {
        "opened": Count("pk"),
        "open": Count("pk", filter=view_condition(InboxViewName.OPEN, user_id=0, now=now)),
        "stale": Count(
            "pk",
            filter=view_condition(InboxViewName.UNASSIGNED, user_id=0, now=now)
            & Q(opened_at__lt=now - STALE_AFTER),
        ),
        "unstable": Count("pk", filter=Q(episode__gt=MAX_EPISODES)),
        "closed": Count("pk", filter=closed),
        "closed_by_evidence": Count("pk", filter=by_evidence),
        "withdrawn": Count("pk", filter=Q(state=AlertState.WITHDRAWN)),
        "acknowledge_time": Median(
            F("acknowledged_at") - F("opened_at"),
            filter=acknowledged,
            output_field=DurationField(),
        ),
        "close_time": Median(
            F("resolved_at") - F("opened_at"),
            filter=closed & Q(resolved_at__gte=F("opened_at")),
            output_field=DurationField(),
        ),
    }
