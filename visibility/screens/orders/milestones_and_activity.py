"""The milestones, the activity list, alerts and identifiers of the order page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.conf import settings

from visibility.formatting import format_date, format_duration, in_zone
from visibility.models import Alert, FailedClock, Identifier, Source
from visibility.models.alerts import ACTIVE_ALERT_STATES
from visibility.screens.orders.event_labels import (
    EventTitleAndDetail,
    event_title_and_detail,
    event_tone,
    inferred_time_note,
    inferred_time_notes_by_time,
)
from visibility.storage.order_folding import load_and_fold_orders
from visibility.timeline import MilestoneCode, Timeline, TimelineEntry

MILESTONES = (
    MilestoneCode.RECEIVED,
    MilestoneCode.RELEASED,
    MilestoneCode.ALLOCATED,
    MilestoneCode.PICKED,
    MilestoneCode.PACKED,
    MilestoneCode.SHIPPED,
    MilestoneCode.DELIVERED,
    MilestoneCode.INVOICED,
)
OPTIONAL_MILESTONES = (
    MilestoneCode.PAYMENT_APPROVED,
    MilestoneCode.PAID,
    MilestoneCode.RETURNED,
    MilestoneCode.CREDITED,
    MilestoneCode.CANCELLED,
)
SourceTitles = Mapping[str, tuple[str, datetime]]
# Delays between an event and its receipt are shown from this length on.
LATE_AFTER = timedelta(hours=1)
MAX_ENTRIES = 400


@dataclass(frozen=True, slots=True)
class MilestoneStep:
    """One milestone. `state`: done, part, planned, passed (not reported), none.

    `share` is the percentage completed. `inferred`: why `at` is no reported time, or "".
    """

    title: str
    state: str
    at: datetime | None
    percent: int
    note: str
    tone: str
    inferred: str = ""


@dataclass(frozen=True, slots=True)
class ActivityItem:
    """One entry of the activity list."""

    event_id: int
    message_id: int
    at: datetime
    source: str
    role: str
    label: EventTitleAndDetail
    tone: str
    delay: str
    superseded: bool
    repeats: int
    # Why `at` is no reported time, or "".
    inferred: str


@dataclass(frozen=True, slots=True)
class ActivityDay:
    """The entries of one day in the organization's time zone."""

    day: date
    items: tuple[ActivityItem, ...]


def load_timeline(order_id: int, *, as_of: datetime, known_at: datetime | None = None) -> Timeline:
    """Fold the order from its events, as of a time and optionally as known at a time."""
    return load_and_fold_orders([order_id], as_of=as_of, known_at=known_at)[order_id]


def source_titles_and_connect_times() -> SourceTitles:
    """{slug: (title, time of connection)} of all sources."""
    rows = Source.objects.values_list("slug", "title", "created_at")
    return {slug: (title, since) for slug, title, since in rows}


def milestone_steps(timeline: Timeline) -> tuple[MilestoneStep, ...]:
    """The milestones; payments, returns, credits and cancellations only if there are any."""
    codes = [*MILESTONES, *(c for c in OPTIONAL_MILESTONES if c in timeline.milestones)]
    reached = [
        index for index, code in enumerate(MILESTONES) if timeline.milestone_reached_at(code)
    ]
    furthest = max(reached, default=-1)
    inferred = inferred_time_notes_by_time(timeline)
    steps = [_milestone_step(timeline, code) for code in codes]
    steps = [
        replace(step, inferred=inferred.get(step.at, ""))
        if step.at and step.state in {"done", "part"}
        else step
        for step in steps
    ]
    return tuple(
        replace(step, state="passed", note="not reported")
        if step.state == "none" and index < furthest
        else step
        for index, step in enumerate(steps)
    )


def _milestone_step(timeline: Timeline, code: MilestoneCode) -> MilestoneStep:
    title = code.value.replace("_", " ").capitalize()
    milestone = timeline.milestones.get(code)
    if milestone is None or milestone.reached_at is None:
        planned = milestone.planned_at if milestone else None
        late = bool(planned and planned < timeline.as_of and timeline.is_open)
        note = f"due {_format_month_and_day(planned)}" if planned else ""
        return MilestoneStep(
            title, "planned" if planned else "none", planned, 0, note, "late" if late else ""
        )
    if milestone.share is None and milestone.completed_at is None:
        return MilestoneStep(title, "part", milestone.reached_at, 50, "quantity unknown", "risk")
    percent = round((milestone.share if milestone.share is not None else Decimal(1)) * 100)
    at = milestone.completed_at or milestone.reached_at
    note = f"{percent}% so far" if percent < 100 else ""
    step_tone = "ok" if percent >= 100 else "risk"
    if milestone.planned_at and milestone.completed_at:
        gap = milestone.completed_at - milestone.planned_at
        if gap > timedelta(days=1):
            note, step_tone = f"{format_duration(gap)} late", "late"
    return MilestoneStep(
        title, "done" if percent >= 100 else "part", at, int(percent), note, step_tone
    )


def _format_month_and_day(moment: datetime) -> str:
    """`Dec 1` in the organization's time zone."""
    return format_date(in_zone(moment, settings.TIME_ZONE).date(), weekday=False)


def activity_days(
    timeline: Timeline, names: SourceTitles, *, zone: str, contacts: bool
) -> tuple[ActivityDay, ...]:
    """The activity list by day, newest first."""
    info = ZoneInfo(zone)
    items_by_day: dict[date, list[ActivityItem]] = {}
    for entry in reversed(timeline.entries[-MAX_ENTRIES:]):
        day = entry.recorded.occurred_at.astimezone(info).date()
        items_by_day.setdefault(day, []).append(activity_item(entry, names, contacts=contacts))
    return tuple(ActivityDay(day, tuple(items)) for day, items in items_by_day.items())


def activity_item(entry: TimelineEntry, names: SourceTitles, *, contacts: bool) -> ActivityItem:
    """One entry of the list. Events from before the source was connected are never late."""
    recorded = entry.recorded
    title, since = names.get(recorded.source, (recorded.source, recorded.occurred_at))
    delay = recorded.received_at - recorded.occurred_at
    return ActivityItem(
        event_id=recorded.event_id,
        message_id=recorded.message_id,
        at=recorded.occurred_at,
        source=title,
        role=recorded.role.value,
        label=event_title_and_detail(recorded, is_update=entry.is_update, contacts=contacts),
        tone=event_tone(recorded.event.type),
        delay=format_duration(delay) if delay > LATE_AFTER and recorded.occurred_at > since else "",
        superseded=entry.superseded,
        repeats=entry.repeats,
        inferred=inferred_time_note(recorded),
    )


def find_timeline_entry_by_event_id(timeline: Timeline, event_id: int) -> TimelineEntry | None:
    return next((e for e in timeline.entries if e.recorded.event_id == event_id), None)


def active_alerts(order_id: int) -> Sequence[Alert]:
    """The active alerts of the order, at most 20."""
    rows = Alert.objects.filter(order_id=order_id, state__in=ACTIVE_ALERT_STATES)
    return list(rows.select_related("owner").order_by("due_at")[:20])


def uncomputable_clocks_of_order(order_id: int) -> Sequence[FailedClock]:
    """The SLA timers of the order that cannot be computed because their rule fails."""
    rows = FailedClock.objects.filter(order_id=order_id).select_related("rule")
    return list(rows.order_by("rule__title", "subject_key")[:20])


def identifiers_except_source_ids(order_id: int) -> Sequence[Identifier]:
    """The identifiers of the order without the internal IDs of systems, at most 40."""
    rows = Identifier.objects.filter(object_id=order_id).exclude(scheme="source_id")
    return list(rows.order_by("scheme", "issuer", "value")[:40])
