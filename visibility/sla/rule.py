"""The base classes of rules (plain Python).

An `OrderRule` sets clocks on an order; a `SourceRule`, a `KpiRule` and an `AlertRule` find
conditions of a source, a KPI or an alert.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, ClassVar

from connectors.sdk.connector import SourceRole
from connectors.sdk.events import Attribute, EventType
from visibility.sla.calendar import Calendar
from visibility.sla.kpi_and_alert_snapshots import AlertSnapshot, KpiSnapshot, KpiValueRequest
from visibility.sla.parameter_type import Money
from visibility.sla.parameters import parse_parameters, readable_parameters_by_name
from visibility.sla.source_snapshot import SourceSnapshot
from visibility.timeline.model import Timeline


class RuleSubject(StrEnum):
    """What a rule is about, and what its alerts name."""

    ORDER = "order"
    SHIPMENT = "shipment"
    DOCUMENT = "document"
    SOURCE = "source"
    STOCK_POSITION = "stock_position"
    ORDER_PAIR = "order_pair"
    KPI = "kpi"
    ALERT = "alert"
    RULE = "rule"  # only of the alerts about rules that fail
    SUBSCRIPTION = "subscription"  # only of the alerts about subscriptions that were disabled


class Consequence(StrEnum):
    """What an exception costs the company."""

    REVENUE_LEAKAGE = "revenue_leakage"
    SERVICE_DELAY = "customer_service_delay"
    MANUAL_WORK = "manual_work"
    INVENTORY_DISTORTION = "inventory_distortion"


@dataclass(frozen=True, slots=True)
class Clock:
    """One obligation: when it started, when it is due, and when it was met (None: not yet).

    `subject_key` distinguishes several clocks of one order (a shipment key); empty if there is one.
    `subject` names it for people. `expected_from`: the roles of the systems that can report the
    step. While all of them are silent, a missed deadline proves nothing. `money_at_risk` is filled
    in from `OrderRule.money_at_risk()`.
    """

    started_at: datetime
    due_at: datetime
    stopped_at: datetime | None = None
    subject_key: str = ""
    subject: str = ""
    expected_from: tuple[SourceRole, ...] = ()
    money_at_risk: Money | None = None


@dataclass(frozen=True, slots=True)
class SourceCondition:
    """A condition of a source, a KPI or an alert that calls for an alert as long as it holds.

    `subject_key` distinguishes several conditions of one subject; `subject` names it for people.
    `title`: of its alert, if that is not the one of `Rule.alert_title()`.
    """

    started_at: datetime
    due_at: datetime
    subject_key: str = ""
    subject: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class SourceConditionEnd:
    """When a condition ended, and the sentence that says why."""

    at: datetime
    reason: str


class Rule(ABC):
    """A kind of SLA rule.

    `params_type`: a frozen dataclass of `parameter()` fields. `sentence_template` names each of
    them in braces. `severity`: of a new rule of this kind. `meaning`: what a breach means.
    `response`: what its owner is expected to do. `team`: the team that owns it, unless a rule names
    another. `consequences`: what it costs.
    """

    code: ClassVar[str]
    title: ClassVar[str]
    subject: ClassVar[RuleSubject]
    # The subjects for which rules of this base class can be evaluated.
    supported_subjects: ClassVar[frozenset[RuleSubject]] = frozenset()
    params_type: ClassVar[type[Any]]
    sentence_template: ClassVar[str]
    severity: ClassVar[str] = "medium"
    meaning: ClassVar[str]
    response: ClassVar[str]
    team: ClassVar[str]
    consequences: ClassVar[tuple[Consequence, ...]]
    # What the scope of a rule may name.
    scope_fields: ClassVar[tuple[str, ...]] = ("channel", "warehouse", "customer_no", "carrier")

    @abstractmethod
    def alert_title(self, params: Any, subject: str) -> str:
        """Return the title of the alert that opens.

        `AGE_PLACEHOLDER` in it is the place of the time since the clock started, inserted when
        the title is shown. A time limit is no age: the case gets older.
        """

    def parse_params(self, raw: object) -> Any:
        """Parse stored parameters. Raises InvalidParameters."""
        return parse_parameters(self.params_type, raw, owner=self.code)

    def sentence(self, params: Any) -> str:
        """Return when the rule alerts, as a sentence."""
        return self.sentence_template.format_map(readable_parameters_by_name(params))


class OrderRule(Rule):
    """A rule about an order, or about its shipments or documents: a function of the timeline."""

    supported_subjects = frozenset({RuleSubject.ORDER, RuleSubject.SHIPMENT, RuleSubject.DOCUMENT})
    # The step that stops the clocks, such as `ship confirmation`; messages name it as missing.
    awaited_step: ClassVar[str] = ""
    # The events that start the clocks; a new installation is offered the rule once they arrive.
    starting_events: ClassVar[tuple[EventType, ...]] = ()

    @abstractmethod
    def clocks(self, timeline: Timeline, params: Any, calendar: Calendar) -> Iterable[Clock]:
        """Return the clocks of this rule on one order; none if the rule does not apply."""

    def money_at_risk(self, timeline: Timeline, subject_key: str) -> Money | None:
        """Return the money at risk while a clock is overdue: by default the order's total."""
        try:
            amount = Decimal(timeline.attributes[Attribute.TOTAL])
        except (KeyError, InvalidOperation):
            return None
        return Money(amount, timeline.attributes.get(Attribute.CURRENCY, ""))


class SourceRule(Rule):
    """A rule about a source: a function of its state, evaluated by the sweep."""

    supported_subjects = frozenset({RuleSubject.SOURCE})
    scope_fields = ("source", "role")
    # The history entry of an alert that opens again.
    reopening_reason: ClassVar[str] = "The condition holds again."

    @abstractmethod
    def conditions(self, source: SourceSnapshot, params: Any) -> Iterable[SourceCondition]:
        """Return the conditions that hold, the most important first."""

    def condition_end(
        self, source: SourceSnapshot, params: Any, subject_key: str
    ) -> SourceConditionEnd | None:
        """Return how a condition that is not returned any more ended; None if it is unknown."""
        return SourceConditionEnd(source.as_of, "The condition has ended.")

    def max_active(self, params: Any) -> int | None:
        """Return how many alerts of one source may be active at once; None: any number."""
        return None

    def may_reopen(self, resolution: str) -> bool:
        """Whether an alert that was closed with this text opens again with its condition."""
        return True


class KpiRule(Rule):
    """A rule about the value of a KPI, evaluated by the sweep."""

    supported_subjects = frozenset({RuleSubject.KPI})
    scope_fields = (
        "channel",
        "warehouse",
        "customer_group",
        "customer",
        "carrier",
        "item",
        "supplier",
        "source",
    )

    @abstractmethod
    def kpi_request(self, params: Any) -> KpiValueRequest:
        """Return which value to load. The scope of the rule is added as filters."""

    @abstractmethod
    def condition(self, kpi: KpiSnapshot, params: Any) -> SourceCondition | None:
        """Return the condition if it holds."""


class AlertRule(Rule):
    """A rule about active alerts, evaluated by the sweep. Its own alerts are no subject of it."""

    supported_subjects = frozenset({RuleSubject.ALERT})
    scope_fields = ("severity", "team", "rule")

    @abstractmethod
    def condition(self, alert: AlertSnapshot, params: Any) -> SourceCondition | None:
        """Return the condition if it holds for this alert."""
