"""Alert when too many calls of a service fail."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

from visibility.sla.parameter_type import Percent
from visibility.sla.parameters import parameter
from visibility.sla.rule import (
    Consequence,
    RuleSubject,
    SourceCondition,
    SourceConditionEnd,
    SourceRule,
)
from visibility.sla.source_snapshot import SourceSnapshot

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class CallErrorsParams:
    """`window`: whole hours, of which the current one counts as it is."""

    percent: Percent = parameter(
        Percent(Decimal(5)),
        label="Limit of the error share",
        help="The share of the calls that fail or time out.",
        minimum=Percent(Decimal(0)),
        maximum=Percent(Decimal(100)),
    )
    window: timedelta = parameter(
        timedelta(hours=1),
        label="Period",
        help="Over which the share is computed. Calls are counted by the hour.",
        minimum=HOUR,
        maximum=24 * HOUR,
    )
    least: int = parameter(
        50,
        label="Smallest number",
        help="How many calls must count. A share of fewer says little.",
        minimum=1,
    )


class CallErrors(SourceRule):
    """The calls of a service, or the runs of a flow, must not fail more often than a limit.

    Calls are weighted by their sample rate. They count by the hour, so the period contains the
    current hour and those before that reach into it.
    """

    code: ClassVar[str] = "call_errors"
    title: ClassVar[str] = "Calls fail"
    subject: ClassVar[RuleSubject] = RuleSubject.SOURCE
    params_type: ClassVar[type[Any]] = CallErrorsParams
    sentence_template: ClassVar[str] = (
        "Alert when more than {percent} of the calls of a service or the runs of a flow fail over "
        "{window}, and at least {least} count."
    )
    severity: ClassVar[str] = "high"
    meaning: ClassVar[str] = (
        "A service that orders need, such as the check of availability or prices, often gives no "
        "answer."
    )
    response: ClassVar[str] = (
        "Open the failed calls on the tab Calls and queues of the source, and inform those who "
        "run the service."
    )
    team: ClassVar[str] = "Integration"
    consequences: ClassVar[tuple[Consequence, ...]] = (
        Consequence.SERVICE_DELAY,
        Consequence.REVENUE_LEAKAGE,
    )
    reopening_reason: ClassVar[str] = "Too many calls fail."

    def conditions(
        self, source: SourceSnapshot, params: CallErrorsParams
    ) -> Iterable[SourceCondition]:
        """Return one condition per service or flow whose share is above the limit."""
        for observed in source.calls:
            hours = [
                hour for hour in observed.hours if hour.hour + HOUR > source.as_of - params.window
            ]
            calls = sum(hour.calls for hour in hours)
            failed = sum(hour.failed for hour in hours)
            if calls < params.least or Decimal(failed * 100) <= params.percent.value * calls:
                continue
            since = min(hour.hour for hour in hours if hour.failed)
            yield SourceCondition(
                started_at=since,
                due_at=since,
                subject_key=observed.name,
                subject=source.title,
                title=f"{_percent(failed, calls)} of the calls of {observed.name} fail",
            )

    def condition_end(
        self, source: SourceSnapshot, params: CallErrorsParams, subject_key: str
    ) -> SourceConditionEnd | None:
        """Return that the share is not above the limit any more."""
        keys = {condition.subject_key for condition in self.conditions(source, params)}
        if subject_key in keys:
            return None
        return SourceConditionEnd(source.as_of, "Fewer calls fail.")

    def alert_title(self, params: CallErrorsParams, subject: str) -> str:
        """Return the title of an alert whose service is not named."""
        return f"Calls observed by {subject} fail"


def _percent(failed: int, calls: int) -> str:
    return f"{round(Decimal(failed * 100) / calls, 1)}%"
