"""Alert when a KPI is worse than a limit."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

from visibility.sla.kpi_and_alert_snapshots import KpiSnapshot, KpiValueRequest
from visibility.sla.parameter_type import Percent
from visibility.sla.parameters import parameter
from visibility.sla.rule import Consequence, KpiRule, RuleSubject, SourceCondition


@dataclass(frozen=True)
class KpiLimitParams:
    """`percent` is the limit of a share, `duration` that of a median duration."""

    kpi: str = parameter("fill_rate", label="KPI", help="The code of the KPI, such as fill_rate.")
    days: int = parameter(
        7,
        label="Days",
        help="How many days count, including today.",
        unit="days",
        minimum=1,
        maximum=366,
    )
    percent: Percent = parameter(
        Percent(Decimal(95)),
        label="Limit of a percentage",
        help="For a KPI in percent.",
        minimum=Percent(Decimal(0)),
        maximum=Percent(Decimal(100)),
    )
    duration: timedelta = parameter(
        timedelta(hours=72),
        label="Limit of a duration",
        help="For a KPI that is a duration: the limit of its median.",
        minimum=timedelta(seconds=1),
    )
    least: int = parameter(
        30,
        label="Smallest number",
        help="How many orders, lines or records must count. A value of fewer says little.",
        minimum=1,
    )


class KpiOffLimit(KpiRule):
    """A KPI must not be worse than a limit over the last days."""

    code: ClassVar[str] = "kpi_off_limit"
    title: ClassVar[str] = "KPI off limit"
    subject: ClassVar[RuleSubject] = RuleSubject.KPI
    params_type: ClassVar[type[Any]] = KpiLimitParams
    sentence_template: ClassVar[str] = (
        "Alert when the KPI {kpi} of the last {days} is worse than {percent}, or than {duration} "
        "if it is a duration, and at least {least} orders, lines or records count."
    )
    severity: ClassVar[str] = "medium"
    meaning: ClassVar[str] = "The service or the process is worse than agreed for several days."
    response: ClassVar[str] = (
        "Open the KPI, find the breakdown with the worst value, and correct its cause."
    )
    team: ClassVar[str] = "Operations"
    consequences: ClassVar[tuple[Consequence, ...]] = (
        Consequence.SERVICE_DELAY,
        Consequence.REVENUE_LEAKAGE,
    )

    def kpi_request(self, params: KpiLimitParams) -> KpiValueRequest:
        """Return the KPI and its days."""
        return KpiValueRequest(params.kpi, params.days)

    def condition(self, kpi: KpiSnapshot, params: KpiLimitParams) -> SourceCondition | None:
        """Return a condition while the value is worse than the limit."""
        if kpi.value is None or kpi.counted < params.least:
            return None
        limit = (
            Decimal(params.duration / timedelta(seconds=1))
            if kpi.is_duration
            else params.percent.value / 100
        )
        is_worse = kpi.value < limit if kpi.higher_is_better else kpi.value > limit
        if not is_worse:
            return None
        subject = f"{kpi.title} is {kpi.value_text}"
        return SourceCondition(started_at=kpi.since, due_at=kpi.as_of, subject=subject)

    def alert_title(self, params: KpiLimitParams, subject: str) -> str:
        """Return the title of the alert."""
        return f"{subject} over {params.days} days"
