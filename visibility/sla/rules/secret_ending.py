"""Alert on secrets of sources that end soon."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
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

# The subject key of the secret of the source itself.
OF_SOURCE = "of the source"


@dataclass(frozen=True)
class SecretEndingParams:
    """`warn_before`: how long before its end the alert opens."""

    warn_before: timedelta = parameter(
        timedelta(days=7),
        label="Warning before the end",
        help="How long before a secret ends the alert opens.",
        minimum=timedelta(days=1),
        maximum=timedelta(days=90),
    )


class SecretEnding(SourceRule):
    """A secret of a source must be replaced before it ends.

    The end is a date that a person entered, or the lifetime that a system reported with a token. A
    token that each poll renews has a new end each time, so it alerts only if the polls fail.
    """

    code: ClassVar[str] = "secret_ending"
    title: ClassVar[str] = "Secret ends soon"
    subject: ClassVar[RuleSubject] = RuleSubject.SOURCE
    params_type: ClassVar[type[Any]] = SecretEndingParams
    sentence_template: ClassVar[str] = "Alert {warn_before} before a secret of a source ends."
    severity: ClassVar[str] = "high"
    meaning: ClassVar[str] = (
        "Once the secret has ended, the system refuses the polls of this source, or sends nothing."
    )
    response: ClassVar[str] = (
        "Create a new secret at the system, enter it at the source, and enter its new end."
    )
    team: ClassVar[str] = "Integration"
    consequences: ClassVar[tuple[Consequence, ...]] = (
        Consequence.SERVICE_DELAY,
        Consequence.MANUAL_WORK,
    )
    reopening_reason: ClassVar[str] = "The secret ends soon."

    def conditions(
        self, source: SourceSnapshot, params: SecretEndingParams
    ) -> Iterable[SourceCondition]:
        """Return one condition per secret that ends soon or has ended."""
        for end in source.secret_ends:
            warned_at = end.ends_at - params.warn_before
            if source.as_of >= warned_at:
                yield SourceCondition(
                    started_at=warned_at,
                    due_at=warned_at,
                    subject_key=end.setting or OF_SOURCE,
                    subject=source.title,
                    title=f"The {end.label} of {source.title} ends on {end.ends_at:%Y-%m-%d}",
                )

    def condition_end(
        self, source: SourceSnapshot, params: SecretEndingParams, subject_key: str
    ) -> SourceConditionEnd | None:
        """Return that the secret ends later now, or that its end is not known any more."""
        keys = {condition.subject_key for condition in self.conditions(source, params)}
        if subject_key in keys:
            return None
        return SourceConditionEnd(source.as_of, "The secret ends later now.")

    def alert_title(self, params: SecretEndingParams, subject: str) -> str:
        """Return the title of an alert whose secret is not named."""
        return f"A secret of {subject} ends soon"
