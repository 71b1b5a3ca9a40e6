"""What every kind of rule offers: the clocks it runs on an order (plain Python)."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, ClassVar

from connectors.sdk.connector import Role
from visibility.sla.calendar import Calendar
from visibility.timeline.model import Timeline


@dataclass(frozen=True, slots=True)
class Clock:
    """One obligation: since when, until when, and when it was met (None: not yet).

    `obligation` tells several of one order apart (a package's number); empty where there is one.
    `subject` is the sentence's object for people. `waits_for` is the role of the system whose word
    would stop it: while that system is silent, nothing is known.
    """

    started_at: datetime
    due_at: datetime
    stopped_at: datetime | None = None
    obligation: str = ""
    subject: str = ""
    waits_for: tuple[Role, ...] = ()


class BadParameter(ValueError):
    """A rule's parameters do not fit its kind."""


class Rule(ABC):
    """A kind of promise. `params_type` is a frozen dataclass: the form and the check follow it."""

    code: ClassVar[str]
    title: ClassVar[str]
    params_type: ClassVar[type[Any]]

    @abstractmethod
    def clocks(self, timeline: Timeline, params: Any, calendar: Calendar) -> Iterable[Clock]:
        """The clocks of this promise on one order; none where it makes no promise."""

    @abstractmethod
    def sentence(self, params: Any, subject: str) -> str:
        """What is wrong when the clock has run out, for the alert's title."""

    def read(self, raw: Mapping[str, Any]) -> Any:
        """Parameters out of a rule's JSON: hours become timedeltas. Raises BadParameter."""
        if not isinstance(raw, Mapping):
            raise BadParameter(f"{self.code} takes parameters by name")
        known = {f.name: f for f in fields(self.params_type)}
        unknown = sorted(set(raw) - set(known))
        if unknown:
            raise BadParameter(f"{self.code} has no parameter {unknown[0]!r}")
        values = {}
        for name, value in raw.items():
            try:
                values[name] = timedelta(hours=float(value))
            except (TypeError, ValueError, OverflowError):
                raise BadParameter(f"{name} must be a number of hours") from None
        return self.params_type(**values)


def in_words(duration: timedelta) -> str:
    """`4 h`, `1 d 2 h`, `30 min`."""
    minutes = round(duration.total_seconds() / 60)
    days, rest = divmod(minutes, 1440)
    hours, left = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (left, "min")]
    return " ".join(f"{n} {unit}" for n, unit in parts if n) or "0 min"
