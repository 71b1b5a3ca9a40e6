"""The milestones of the order page, its alerts, and its SLA timers that cannot be computed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from visibility.formatting import format_date, local_or_bare_utc_date
from visibility.models import Alert, FailedClock
from visibility.models.alerts import ACTIVE_ALERT_STATES
from visibility.screens.orders.event_labels import inferred_time_notes_by_time
from visibility.screens.orders.expected_steps import slack_text
from visibility.screens.orders.progress_steps import STEPS
from visibility.screens.orders.swimlane_bars import deviation_text
from visibility.storage.order_folding import load_and_fold_orders
from visibility.storage.organization import organization_time_zone
from visibility.timeline import MilestoneCode, Timeline, TimelineEntry
from visibility.timeline.milestones import MEASURED
from visibility.timeline.shipping_progress import progress_text

# So many alerts and failed timers are shown; the page says when there are more.
MAX_SHOWN = 20
OPTIONAL_MILESTONES = (
    MilestoneCode.PAYMENT_APPROVED,
    MilestoneCode.PAID,
    MilestoneCode.RETURNED,
    MilestoneCode.CREDITED,
    MilestoneCode.CANCELLED,
)


@dataclass(frozen=True, slots=True)
class MilestoneStep:
    """One milestone. `state`: done, part, planned, passed (not reported), none.

    `percent` is what is completed. `note`: the deviation from the plan in words. `progress`: the
    quantity, or when it is due. `inferred`: why `at` is no reported time, or "".
    """

    title: str
    state: str
    at: datetime | None
    percent: int
    note: str
    tone: str
    progress: str = ""
    inferred: str = ""


def load_timeline(order_id: int, *, as_of: datetime, known_at: datetime | None = None) -> Timeline:
    """Fold the order from its events, as of a time and optionally as known at a time."""
    return load_and_fold_orders([order_id], as_of=as_of, known_at=known_at)[order_id]


@dataclass(frozen=True, slots=True)
class KnownSteps:
    """Which of the messages of an order a page shows, and the times of the page before and after.

    `number` of `total` receipts; a time is None at an end.
    """

    number: int
    total: int
    before: datetime | None
    after: datetime | None


def load_known_steps(order_id: int, *, now: datetime, known_at: datetime) -> KnownSteps:
    """The receipts of the order's events around a point in time."""
    entries = load_timeline(order_id, as_of=now).entries
    moments = sorted({entry.recorded.received_at for entry in entries})
    number = sum(moment <= known_at for moment in moments)
    return KnownSteps(
        number,
        len(moments),
        moments[number - 2] if number > 1 else None,
        moments[number] if number < len(moments) else None,
    )


def milestone_steps(timeline: Timeline) -> tuple[MilestoneStep, ...]:
    """The milestones; payments, returns, credits and cancellations only if there are any."""
    codes = [*STEPS, *(c for c in OPTIONAL_MILESTONES if c in timeline.milestones)]
    reached = [index for index, code in enumerate(STEPS) if timeline.milestone_reached_at(code)]
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
        if not planned:
            return MilestoneStep(title, "none", None, 0, "", "")
        slack, is_overdue = slack_text(planned, now=timeline.as_of, zone=organization_time_zone())
        is_late = is_overdue and timeline.is_open
        note = slack if timeline.is_open else ""
        due_day = local_or_bare_utc_date(planned, organization_time_zone())
        due = f"due {format_date(due_day, weekday=False)}"
        return MilestoneStep(title, "planned", planned, 0, note, "late" if is_late else "", due)
    if milestone.share is None and milestone.completed_at is None:
        return MilestoneStep(title, "part", milestone.reached_at, 50, "quantity unknown", "risk")
    percent = round((milestone.share if milestone.share is not None else Decimal(1)) * 100)
    at = milestone.completed_at or milestone.reached_at
    if percent < 100:
        progress = progress_text(timeline, MEASURED[code]) if code in MEASURED else ""
        note = "" if progress else f"{percent}% so far"
        return MilestoneStep(title, "part", at, percent, note, "risk", progress)
    note, tone = "", "ok"
    if milestone.planned_at and milestone.completed_at:
        note, tone = deviation_text(
            milestone.planned_at, milestone.completed_at, organization_time_zone()
        )
    return MilestoneStep(title, "done", at, 100, note, tone)


def find_timeline_entry_by_event_id(timeline: Timeline, event_id: int) -> TimelineEntry | None:
    return next((e for e in timeline.entries if e.recorded.event_id == event_id), None)


def active_alerts(order_id: int) -> Sequence[Alert]:
    """The active alerts of the order, at most one more than `MAX_SHOWN`."""
    rows = Alert.objects.filter(order_id=order_id, state__in=ACTIVE_ALERT_STATES)
    return list(rows.select_related("owner").order_by("due_at")[: MAX_SHOWN + 1])


def uncomputable_clocks_of_order(order_id: int) -> Sequence[FailedClock]:
    """The SLA timers of the order that cannot be computed because their rule fails.

    At most one more than `MAX_SHOWN`.
    """
    rows = FailedClock.objects.filter(order_id=order_id).select_related("rule")
    return list(rows.order_by("rule__title", "subject_key")[: MAX_SHOWN + 1])
