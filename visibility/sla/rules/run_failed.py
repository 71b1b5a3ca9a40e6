"""Alert when the last run of an integration failed."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from visibility.sla.parameters import parameter
from visibility.sla.rule import (
    Consequence,
    RuleSubject,
    SourceCondition,
    SourceConditionEnd,
    SourceRule,
)
from visibility.sla.source_snapshot import SourceSnapshot


@dataclass(frozen=True)
class RunFailedParams:
    """`failed_records`: so many failed records of a run count as a failure."""

    failed_records: int = parameter(
        1,
        label="Failed records",
        help="So many failed records count as a failure, also of a run that ended well.",
        unit="records",
        minimum=1,
    )


class RunFailed(SourceRule):
    """The last run of a flow must end well, without failed records.

    The alert closes when a later run of the flow ends well.
    """

    code: ClassVar[str] = "run_failed"
    title: ClassVar[str] = "Integration run failed"
    subject: ClassVar[RuleSubject] = RuleSubject.SOURCE
    params_type: ClassVar[type[Any]] = RunFailedParams
    sentence_template: ClassVar[str] = (
        "Alert when the last run of a flow failed, or at least {failed_records} failed in it."
    )
    severity: ClassVar[str] = "medium"
    meaning: ClassVar[str] = "Documents did not get from one system to the other."
    response: ClassVar[str] = (
        "Open the run on the tab Calls and queues of the source, correct the cause, and run the "
        "flow again."
    )
    team: ClassVar[str] = "Integration"
    consequences: ClassVar[tuple[Consequence, ...]] = (
        Consequence.SERVICE_DELAY,
        Consequence.MANUAL_WORK,
    )
    reopening_reason: ClassVar[str] = "Another run failed."

    def conditions(
        self, source: SourceSnapshot, params: RunFailedParams
    ) -> Iterable[SourceCondition]:
        """Return one condition per flow whose last run failed."""
        for run in source.last_runs:
            if not run.has_failed and run.failed_records < params.failed_records:
                continue
            what = "failed" if run.has_failed else f"has {run.failed_records:,} failed records"
            error = f": {run.error}" if run.error else ""
            yield SourceCondition(
                started_at=run.at,
                due_at=run.at,
                subject_key=run.flow,
                subject=source.title,
                title=f"Run {run.run_id} of {run.flow} {what}{error}"[:200],
            )

    def condition_end(
        self, source: SourceSnapshot, params: RunFailedParams, subject_key: str
    ) -> SourceConditionEnd | None:
        """Return that a later run ended well."""
        keys = {condition.subject_key for condition in self.conditions(source, params)}
        if subject_key in keys:
            return None
        ended = [run.at for run in source.last_runs if run.flow == subject_key]
        return SourceConditionEnd(max(ended, default=source.as_of), "A later run ended well.")

    def alert_title(self, params: RunFailedParams, subject: str) -> str:
        """Return the title of an alert whose run is not named."""
        return f"A run of {subject} failed"
