"""Set the clocks of folded orders; what has run out or was met late becomes an alert at once."""

from collections.abc import Mapping
from datetime import datetime

from connectors.sdk.connector import Role
from connectors.sdk.events import Attribute
from visibility.alerts.reconcile import judge
from visibility.db import bulk
from visibility.models.intake import Source
from visibility.models.sla import ClockState, SlaClock, SlaRule
from visibility.sla import rule_failures
from visibility.sla.clocks import promises, running, verdict
from visibility.sla.rule import Clock
from visibility.sla.rule_failures import Failure
from visibility.timeline.model import Timeline


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
    rule_failures.write(failed, list(timelines))
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
