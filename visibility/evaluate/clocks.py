"""Set the clocks of folded orders; what has run out or was met late becomes an alert at once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from connectors.base import Role
from connectors.canonical import Attribute
from visibility.evaluate import failing
from visibility.evaluate.calendar import Calendar
from visibility.evaluate.failing import BadScope, Failure, UnknownKind
from visibility.evaluate.judge import judge
from visibility.evaluate.kinds import kinds
from visibility.evaluate.rule import Clock, Rule
from visibility.models import bulk
from visibility.models.intake import Source
from visibility.models.sla import ClockState, SlaClock, SlaRule
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


def set_clocks(timelines: Mapping[int, Timeline], *, now: datetime) -> list[int]:
    """Write the clocks of these orders and judge them; ids of the alerts that changed.

    Call it in the transaction that wrote the orders: a clock, its alert and its notifications are
    one fact.
    """
    held = promises()
    speakers = {s.slug: Role(s.role) for s in Source.objects.filter(enabled=True)}
    wanted: dict[tuple[int, int, str], SlaClock] = {}
    failed: dict[tuple[SlaRule, int], Failure] = {}
    for order_id, timeline in timelines.items():
        for promise, clock in running(timeline, held):
            if isinstance(clock, Failure):
                failed[(promise.rule, order_id)] = clock
                continue
            row = SlaClock(
                rule=promise.rule,
                order_id=order_id,
                obligation=clock.obligation,
                started_at=clock.started_at,
                due_at=clock.due_at,
                stopped_at=clock.stopped_at,
                state=ClockState.RUNNING,
                subject=clock.subject,
                waits_for=" ".join(_waits_for(clock, timeline, speakers)),
                rule_version=promise.rule.version,
            )
            wanted[(order_id, promise.rule.pk, clock.obligation)] = row
    _write(wanted, list(timelines), now=now)
    failing.write(failed, list(timelines))
    totals = {
        o: (t.attributes.get(Attribute.TOTAL), t.attributes.get(Attribute.CURRENCY, ""))
        for o, t in timelines.items()
    }
    return judge(list(wanted.values()), order_ids=list(timelines), totals=totals, now=now)


def _waits_for(clock: Clock, timeline: Timeline, speakers: Mapping[str, Role]) -> list[str]:
    """The sources of those roles that know this order; if none does yet, all of them."""
    able = sorted(slug for slug, role in speakers.items() if role in clock.waits_for)
    spoke = {claim.source for claim in timeline.claims}
    return [slug for slug in able if slug in spoke] or able


def _write(
    wanted: Mapping[tuple[int, int, str], SlaClock], order_ids: list[int], *, now: datetime
) -> None:
    """Only clocks that moved are written: a thousand updates that move none cost nothing.

    A stopped clock has its verdict. One that has run out is breached by the sweep alone, which
    waits for a backlog that may hold the evidence; once breached it stays so.
    """
    old = {
        (c.order_id, c.rule_id, c.obligation): c
        for c in SlaClock.objects.filter(order_id__in=order_ids)
    }
    for key, clock in wanted.items():
        before = old.get(key)
        breached = before is not None and before.state == ClockState.BREACHED
        if clock.stopped_at or (breached and clock.due_at < now):
            clock.state = verdict(Clock(clock.started_at, clock.due_at, clock.stopped_at), now)
    gone = [c.pk for key, c in old.items() if key not in wanted]
    if gone:
        SlaClock.objects.filter(pk__in=gone).delete()
    moved = [c for key, c in wanted.items() if key not in old or _said(old[key]) != _said(c)]
    bulk.insert(SlaClock, [_row(c) for c in moved], once=["order_id", "rule_id", "obligation"])


def _row(clock: SlaClock) -> bulk.Row:
    return {
        "order_id": clock.order_id,
        "rule_id": clock.rule_id,
        "obligation": clock.obligation,
        "started_at": clock.started_at,
        "due_at": clock.due_at,
        "stopped_at": clock.stopped_at,
        "state": str(clock.state),
        "subject": clock.subject,
        "waits_for": clock.waits_for,
        "rule_version": clock.rule_version,
    }


def _said(clock: SlaClock) -> tuple[object, ...]:
    return (
        clock.started_at,
        clock.due_at,
        clock.stopped_at,
        str(clock.state),
        clock.subject,
        clock.waits_for,
        clock.rule_version,
    )
