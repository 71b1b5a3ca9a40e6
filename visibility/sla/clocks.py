"""The enabled rules, and the clocks they set on a folded order."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from connectors.sdk.events import Attribute
from visibility.models.sla import ClockState, SlaRule
from visibility.sla.calendar import Calendar
from visibility.sla.registry import kinds
from visibility.sla.rule import Clock, Rule
from visibility.sla.rule_failures import BadScope, Failure, UnknownKind
from visibility.timeline.model import Timeline

SCOPES = {
    "channel": Attribute.CHANNEL,
    "warehouse": Attribute.WAREHOUSE,
    "customer_no": Attribute.CUSTOMER_NO,
    "carrier": Attribute.CARRIER,
}


@dataclass(frozen=True)
class Promise:
    """A rule as it stands, ready to run, or with the reason why it cannot."""

    rule: SlaRule
    kind: Rule | Failure
    params: object = None
    calendar: Calendar = field(default_factory=Calendar)
    scope: Mapping[str, object] | None = None

    def covers(self, timeline: Timeline) -> bool:
        """Whether the order is in the rule's scope; one that cannot be read may mean any."""
        return all(
            timeline.attributes.get(SCOPES[name], "").upper() == str(wanted).upper()
            for name, wanted in (self.scope or {}).items()
        )

    def clocks(self, timeline: Timeline) -> list[Clock] | Failure:
        """Its clocks on one order."""
        if isinstance(self.kind, Failure):
            return self.kind
        try:
            return list(self.kind.clocks(timeline, self.params, self.calendar))
        except Exception as error:  # the edge of a clock: written down, and the others go on
            return Failure(error)


def promises() -> list[Promise]:
    """The enabled rules, the most specific scope first."""
    rules = SlaRule.objects.filter(enabled=True).select_related("calendar")
    return sorted(map(_promise, rules), key=lambda p: (-len(p.scope or ()), p.rule.code))


def _promise(rule: SlaRule) -> Promise:
    scope = None
    try:
        scope = _scope(rule.scope)
        kind = kinds().get(rule.kind)
        if kind is None:
            raise UnknownKind(f"{rule.kind!r}")
        c = rule.calendar
        calendar = Calendar(c.zone, c.hours, c.holidays)
        calendar.check()
        return Promise(rule, kind, kind.read(rule.params), calendar, scope)
    except Exception as error:  # the edge of a rule: its clocks say so, and the others go on
        return Promise(rule, Failure(error), scope=scope)


def _scope(raw: object) -> Mapping[str, object]:
    if not isinstance(raw, Mapping):
        raise BadScope("it is no list of names and values")
    unknown = sorted(set(raw) - set(SCOPES))
    if unknown:
        raise BadScope(f"orders have no {unknown[0]!r}")
    return raw


def running(
    timeline: Timeline, held: Iterable[Promise]
) -> Iterable[tuple[Promise, Clock | Failure]]:
    """The clocks of one order: of each kind the most specific rule that covers it."""
    done: set[str] = set()
    for promise in held:
        kind = promise.rule.kind
        if (kind in done and promise.scope is not None) or not promise.covers(timeline):
            continue
        if promise.scope is not None:
            done.add(kind)
        clocks = promise.clocks(timeline)
        if isinstance(clocks, Failure):
            yield promise, clocks
        else:
            yield from ((promise, clock) for clock in clocks)


def verdict(clock: Clock, at: datetime) -> ClockState:
    """Met in time (equality is in time), breached, or still running at that moment."""
    if clock.stopped_at and clock.stopped_at <= clock.due_at:
        return ClockState.MET
    return ClockState.BREACHED if clock.due_at < at or clock.stopped_at else ClockState.RUNNING
