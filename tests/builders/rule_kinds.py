"""Kinds of rules that are registered by tests only."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from visibility.sla.calendar import Calendar
from visibility.sla.parameter_type import Money
from visibility.sla.parameters import parameter
from visibility.sla.registry import require_complete_rule_kind, rule_kinds
from visibility.sla.rule import (
    Clock,
    Consequence,
    OrderRule,
    Rule,
    RuleSubject,
    SourceCondition,
    SourceRule,
)
from visibility.sla.source_snapshot import SourceSnapshot
from visibility.timeline.model import MilestoneCode, Timeline


def register(monkeypatch: pytest.MonkeyPatch, kind: Rule) -> None:
    """Put a kind of rule on the shelf for the duration of a test."""
    require_complete_rule_kind(kind)
    monkeypatch.setitem(rule_kinds(), kind.code, kind)


@dataclass(frozen=True)
class ParkedParams:
    """How many messages may be parked."""

    limit: int = parameter(
        1, label="Parked messages", help="How many may be parked.", unit="messages", minimum=0
    )


class TooManyParked(SourceRule):
    """A source with parked messages; `is_broken` makes it raise."""

    code: ClassVar[str] = "too_many_parked"
    title: ClassVar[str] = "Too many parked messages"
    subject: ClassVar[RuleSubject] = RuleSubject.SOURCE
    params_type: ClassVar[type[Any]] = ParkedParams
    sentence_template: ClassVar[str] = "Alert when more than {limit} are parked."
    meaning: ClassVar[str] = "Messages wait for a correction."
    response: ClassVar[str] = "Correct and replay them."
    team: ClassVar[str] = "Integration"
    consequences: ClassVar[tuple[Consequence, ...]] = (Consequence.MANUAL_WORK,)

    def __init__(self) -> None:
        self.is_broken = False

    def conditions(self, source: SourceSnapshot, params: ParkedParams) -> Iterable[SourceCondition]:
        if self.is_broken:
            raise ZeroDivisionError
        if source.parked_count > params.limit:
            yield SourceCondition(source.as_of, source.as_of, subject=source.title)

    def alert_title(self, params: ParkedParams, subject: str) -> str:
        return f"Too many parked messages from {subject}"


@dataclass(frozen=True)
class ReleasedParams:
    """A time limit."""

    within: timedelta = parameter(timedelta(hours=1), label="Time limit", help="A time limit.")


class ReleasedAndWorthHalf(OrderRule):
    """A released order, half of whose total is at risk; `is_broken` makes it raise."""

    code: ClassVar[str] = "released_and_worth_half"
    title: ClassVar[str] = "Released"
    subject: ClassVar[RuleSubject] = RuleSubject.DOCUMENT
    params_type: ClassVar[type[Any]] = ReleasedParams
    sentence_template: ClassVar[str] = "Alert {within} after the release."
    meaning: ClassVar[str] = "It was released."
    response: ClassVar[str] = "Ship it."
    team: ClassVar[str] = "Warehouse"
    consequences: ClassVar[tuple[Consequence, ...]] = (Consequence.REVENUE_LEAKAGE,)

    def __init__(self) -> None:
        self.is_broken = False

    def clocks(
        self, timeline: Timeline, params: ReleasedParams, calendar: Calendar
    ) -> Iterable[Clock]:
        if self.is_broken:
            raise ZeroDivisionError
        released = timeline.milestone_reached_at(MilestoneCode.RELEASED)
        if released:
            yield Clock(released, released + params.within)

    def money_at_risk(self, timeline: Timeline, subject_key: str) -> Money | None:
        total = super().money_at_risk(timeline, subject_key)
        return Money(total.amount / Decimal(2), total.currency) if total else None

    def alert_title(self, params: ReleasedParams, subject: str) -> str:
        return "Released"
