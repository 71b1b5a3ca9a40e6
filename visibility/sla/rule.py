"""The base class of rules: a rule sets clocks on an order (plain Python)."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, ClassVar

from connectors.sdk.connector import SourceRole
from visibility.sla.calendar import Calendar
from visibility.timeline.model import Timeline


@dataclass(frozen=True, slots=True)
class Clock:
    """One obligation: when it started, when it is due, and when it was met (None: not yet).

    `subject_key` distinguishes several clocks of one order (a shipment key); empty if there is one.
    `subject` names it for people. `expected_from`: the roles of the systems that can report the
    step. While all of them are silent, a missed deadline proves nothing.
    """

    started_at: datetime
    due_at: datetime
    stopped_at: datetime | None = None
    subject_key: str = ""
    subject: str = ""
    expected_from: tuple[SourceRole, ...] = ()


class InvalidParameter(ValueError):
    """The parameters of a rule are invalid for its kind."""


class Rule(ABC):
    """A kind of SLA rule. `params_type`: a frozen dataclass with the parameters."""

    code: ClassVar[str]
    title: ClassVar[str]
    params_type: ClassVar[type[Any]]

    @abstractmethod
    def clocks(self, timeline: Timeline, params: Any, calendar: Calendar) -> Iterable[Clock]:
        """Return the clocks of this rule on one order; none if the rule does not apply."""

    @abstractmethod
    def alert_title(self, params: Any, subject: str) -> str:
        """Return the title of the alert that opens when the clock is overdue."""

    def parse_params(self, raw: Mapping[str, Any]) -> Any:
        """Parse the parameters from JSON; hours become timedeltas. Raises InvalidParameter."""
        if not isinstance(raw, Mapping):
            raise InvalidParameter(f"{self.code} takes named parameters")
        known = {f.name: f for f in fields(self.params_type)}
        unknown = sorted(set(raw) - set(known))
        if unknown:
            raise InvalidParameter(f"{self.code} has no parameter {unknown[0]!r}")
        values = {}
        for name, value in raw.items():
            try:
                values[name] = timedelta(hours=float(value))
            except (TypeError, ValueError, OverflowError):
                raise InvalidParameter(f"{name} must be a number of hours") from None
        return self.params_type(**values)
