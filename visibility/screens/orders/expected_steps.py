"""The steps that an order still expects: from whom, by when, and whether the source is silent."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from connectors.sdk.connector import SourceRole
from visibility.formatting import (
    count_with_noun,
    format_date,
    format_duration,
    format_timestamp,
    in_zone,
    local_or_bare_utc_date,
)
from visibility.models import SlaClock
from visibility.screens.orders.source_reports import SourceReport, silent_sources
from visibility.sla.registry import rule_kinds
from visibility.sla.rule import OrderRule
from visibility.timeline import MilestoneCode, Timeline
from visibility.timeline.model import Status
from visibility.timeline.status_answer import StatusAnswer

WAREHOUSE_ROLES = (SourceRole.WMS, SourceRole.THIRD_PARTY_LOGISTICS)
CARRIER_ROLES = (SourceRole.CARRIER,)
# So many timers, the first due ones, are read; several may wait for one step.
MAX_TIMERS = 1_000
SHIP_CONFIRMATION, DELIVERY = "ship confirmation", "delivery"
# The roles of the systems that report the next step of an order with this status.
ROLES_BY_STATUS: Mapping[Status, tuple[SourceRole, ...]] = {
    Status.RECEIVED: (SourceRole.ERP,),
    Status.ACCEPTED: (SourceRole.ERP,),
    Status.RELEASED: WAREHOUSE_ROLES,
    Status.ALLOCATED: WAREHOUSE_ROLES,
    Status.PICKED: WAREHOUSE_ROLES,
    Status.PACKED: WAREHOUSE_ROLES,
    Status.BACKORDERED: WAREHOUSE_ROLES,
    Status.PARTIALLY_SHIPPED: WAREHOUSE_ROLES,
    Status.SHIPPED: CARRIER_ROLES,
    Status.DELIVERED: (SourceRole.FINANCE, SourceRole.ERP),
}


@dataclass(frozen=True, slots=True)
class ExpectedStep:
    """A step that nobody has reported yet. `sources`: the slugs of those that would report it.

    `due_at` is the end of the day if only a date is known; `due_text` then has no time.
    """

    title: str
    due_at: datetime
    due_text: str
    sources: tuple[str, ...]
    role: SourceRole
    is_overdue: bool
    silence: str = ""


@dataclass(frozen=True, slots=True)
class NextStep:
    """What is expected next. `slack`: the time left or overdue, in words; `tone`: of the slack."""

    text: str
    slack: str = ""
    tone: str = ""
    silence: str = ""


def next_step(
    answer: StatusAnswer,
    timeline: Timeline,
    reports: Mapping[str, SourceReport],
    *,
    now: datetime,
    zone: str,
) -> NextStep | None:
    """The next step with its slack, and which of its sources is silent. None: order complete."""
    if not answer.next_step:
        return None
    slugs = sources_with_role(timeline, reports, ROLES_BY_STATUS.get(timeline.status, ()))
    slack, is_overdue = slack_text(answer.due, now=now, zone=zone)
    text = answer.next_step[:1].upper() + answer.next_step[1:]
    tone = "late" if is_overdue else "running"
    return NextStep(text, slack, tone, silence_text(reports, slugs, zone=zone))


def is_date_only(moment: datetime) -> bool:
    """Whether a moment is a date without a time, which is stored as midnight UTC."""
    return (moment.hour, moment.minute, moment.second) == (0, 0, 0)


def slack_text(due: datetime | None, *, now: datetime, zone: str) -> tuple[str, bool]:
    """`in 2 h 10 min`, `due today`, `4 h 50 min overdue`, and whether it is overdue.

    A date without a time ends with its day.
    """
    if due is None:
        return "", False
    if not is_date_only(due):
        left = due - now
        text = format_duration(left)
        return (f"{text} overdue", True) if left < timedelta(0) else (f"in {text}", False)
    days = (local_or_bare_utc_date(due, zone) - in_zone(now, zone).date()).days
    if days == 0:
        return "due today", False
    text = count_with_noun(abs(days), "day")
    return (f"{text} overdue", True) if days < 0 else (f"in {text}", False)


def sources_with_role(
    timeline: Timeline, reports: Mapping[str, SourceReport], roles: Iterable[SourceRole]
) -> frozenset[str]:
    """The sources of these roles that reported on the order; if none did, all of these roles."""
    wanted = frozenset(roles)
    of_order = frozenset(claim.source for claim in timeline.claims if claim.role in wanted)
    return of_order or frozenset(slug for slug, r in reports.items() if r.role in wanted)


def silence_text(reports: Mapping[str, SourceReport], slugs: frozenset[str], *, zone: str) -> str:
    """`3PL North silent since Mon, Nov 3, 12:04`; empty if none of the sources is silent."""
    return "; ".join(
        f"{report.title} in maintenance until {format_timestamp(report.maintenance_until, zone)}"
        if report.maintenance_until
        else f"{report.title} silent since {format_timestamp(since, zone)}"
        for report, since in silent_sources(reports, slugs)
    )


def load_expected_steps(
    order_id: int,
    timeline: Timeline,
    reports: Mapping[str, SourceReport],
    *,
    now: datetime,
    zone: str,
) -> tuple[ExpectedStep, ...]:
    """The steps that SLA timers wait for, and the planned shipping and delivery. One statement."""
    steps = [*_awaited_steps(order_id, timeline, reports, now=now, zone=zone)]
    titles = {step.title for step in steps}
    for code, title, roles in (
        (MilestoneCode.SHIPPED, SHIP_CONFIRMATION, WAREHOUSE_ROLES),
        (MilestoneCode.DELIVERED, DELIVERY, CARRIER_ROLES),
    ):
        milestone = timeline.milestones.get(code)
        if milestone is None or milestone.completed_at or milestone.planned_at is None:
            continue
        if title in titles or not timeline.is_open:
            continue
        slugs = sources_with_role(timeline, reports, roles)
        is_overdue = slack_text(milestone.planned_at, now=now, zone=zone)[1]
        due_at, due_text = _deadline(milestone.planned_at, zone)
        steps.append(
            ExpectedStep(title, due_at, due_text, tuple(sorted(slugs)), roles[0], is_overdue)
        )
    return tuple(
        replace(step, silence=silence_text(reports, frozenset(step.sources), zone=zone))
        for step in sorted(steps, key=lambda step: step.due_at)
    )


def _deadline(planned: datetime, zone: str) -> tuple[datetime, str]:
    day = local_or_bare_utc_date(planned, zone)
    if not is_date_only(planned):
        return planned, f"{format_date(day, weekday=False)}, {in_zone(planned, zone):%H:%M}"
    end = datetime.combine(day, time(23, 59), tzinfo=ZoneInfo(zone))
    return end, format_date(day, weekday=False)


def _awaited_steps(
    order_id: int,
    timeline: Timeline,
    reports: Mapping[str, SourceReport],
    *,
    now: datetime,
    zone: str,
) -> Iterable[ExpectedStep]:
    """The steps of the running timers, each once: with its earliest deadline."""
    if not timeline.is_open:
        return
    rows = SlaClock.objects.filter(order_id=order_id, stopped_at__isnull=True)
    seen: set[str] = set()
    for clock in rows.select_related("rule").order_by("due_at", "pk")[:MAX_TIMERS]:
        kind = rule_kinds().get(clock.rule.kind)
        step = kind.awaited_step if isinstance(kind, OrderRule) else ""
        if not step or step in seen:
            continue
        seen.add(step)
        expected = tuple(clock.expected_sources)
        roles = [reports[slug].role for slug in expected if slug in reports]
        role = roles[0] if roles else SourceRole.OTHER
        local = in_zone(clock.due_at, zone)
        due_text = f"{format_date(local.date(), weekday=False)}, {local:%H:%M}"
        yield ExpectedStep(step, clock.due_at, due_text, expected, role, clock.due_at < now)
