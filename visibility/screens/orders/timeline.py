"""An order's page, put together from its timeline: the rail and the list of what happened."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from visibility.formatting import local, span
from visibility.models import Alert, FailedClock, Identifier, Source
from visibility.models.alerts import STANDING
from visibility.screens.orders.event_labels import Words, tone, words
from visibility.storage.timelines import folded
from visibility.timeline import Entry, MilestoneCode, Timeline

RAIL = (
    MilestoneCode.RECEIVED,
    MilestoneCode.RELEASED,
    MilestoneCode.ALLOCATED,
    MilestoneCode.PICKED,
    MilestoneCode.PACKED,
    MilestoneCode.SHIPPED,
    MilestoneCode.DELIVERED,
    MilestoneCode.INVOICED,
)
WHEN_THERE = (MilestoneCode.RETURNED, MilestoneCode.CREDITED, MilestoneCode.CANCELLED)
Names = Mapping[str, tuple[str, datetime]]
# Heard this much after it happened is worth saying.
LATE_WORD = timedelta(hours=1)
ENTRIES = 400


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the rail. `state`: done, part, planned, passed (nobody said), none."""

    title: str
    state: str
    at: datetime | None
    share: int
    words: str
    tone: str


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of the list."""

    event_id: int
    message_id: int
    at: datetime
    source: str
    role: str
    words: Words
    tone: str
    late: str
    superseded: bool
    repeats: int


@dataclass(frozen=True, slots=True)
class Day:
    """The entries of one day of the organisation's zone."""

    day: date
    items: tuple[Item, ...]


def timeline_of(order_id: int, *, as_of: datetime, known_at: datetime | None = None) -> Timeline:
    """The order folded afresh."""
    return folded([order_id], as_of=as_of, known_at=known_at)[order_id]


def sources() -> Names:
    """What the sources are called, and since when we listen to them."""
    rows = Source.objects.values_list("slug", "title", "created_at")
    return {slug: (title, since) for slug, title, since in rows}


def rail(timeline: Timeline) -> tuple[Step, ...]:
    """The steps, those of returns and credits only where they exist."""
    codes = [*RAIL, *(c for c in WHEN_THERE if c in timeline.milestones)]
    reached = [place for place, code in enumerate(RAIL) if timeline.when(code)]
    furthest = max(reached, default=-1)
    steps = [_step(timeline, code) for code in codes]
    return tuple(
        replace(step, state="passed", words="not reported")
        if step.state == "none" and place < furthest
        else step
        for place, step in enumerate(steps)
    )


def _step(timeline: Timeline, code: MilestoneCode) -> Step:
    title = code.value.capitalize()
    milestone = timeline.milestones.get(code)
    if milestone is None or milestone.reached_at is None:
        planned = milestone.planned_at if milestone else None
        late = bool(planned and planned < timeline.as_of and timeline.is_open)
        said = f"due {_day(planned)}" if planned else ""
        return Step(
            title, "planned" if planned else "none", planned, 0, said, "late" if late else ""
        )
    if milestone.share is None and milestone.completed_at is None:
        return Step(title, "part", milestone.reached_at, 50, "nobody knows how much", "risk")
    share = round((milestone.share if milestone.share is not None else Decimal(1)) * 100)
    at = milestone.completed_at or milestone.reached_at
    said = f"{share} % so far" if share < 100 else ""
    tone_word = "ok" if share >= 100 else "risk"
    if milestone.planned_at and milestone.completed_at:
        gap = milestone.completed_at - milestone.planned_at
        if gap > timedelta(days=1):
            said, tone_word = f"{span(gap)} late", "late"
    return Step(title, "done" if share >= 100 else "part", at, int(share), said, tone_word)


def _day(moment: datetime) -> str:
    """`1 Dec`, in the organisation's zone, as every date of the page."""
    at = local(moment)
    return f"{at.day} {at:%b}"


def days(timeline: Timeline, names: Names, *, zone: str, contacts: bool) -> tuple[Day, ...]:
    """The list, newest first, by day."""
    info = ZoneInfo(zone)
    found: dict[date, list[Item]] = {}
    for entry in reversed(timeline.entries[-ENTRIES:]):
        day = entry.spoken.occurred_at.astimezone(info).date()
        found.setdefault(day, []).append(item(entry, names, contacts=contacts))
    return tuple(Day(day, tuple(items)) for day, items in found.items())


def item(entry: Entry, names: Names, *, contacts: bool) -> Item:
    """One entry as the list shows it; what was before we listened to a source is not late."""
    spoken = entry.spoken
    title, since = names.get(spoken.source, (spoken.source, spoken.occurred_at))
    heard = spoken.received_at - spoken.occurred_at
    return Item(
        event_id=spoken.event_id,
        message_id=spoken.message_id,
        at=spoken.occurred_at,
        source=title,
        role=spoken.role.value,
        words=words(spoken, again=entry.again, contacts=contacts),
        tone=tone(spoken.event.type),
        late=span(heard) if heard > LATE_WORD and spoken.occurred_at > since else "",
        superseded=entry.superseded,
        repeats=entry.repeats,
    )


def entry_of(timeline: Timeline, event_id: int) -> Entry | None:
    """The entry of an event."""
    return next((e for e in timeline.entries if e.spoken.event_id == event_id), None)


def alerts_of(order_id: int) -> Sequence[Alert]:
    """The order's standing alerts."""
    rows = Alert.objects.filter(order_id=order_id, state__in=STANDING)
    return list(rows.select_related("owner").order_by("due_at")[:20])


def unwatched_of(order_id: int) -> Sequence[FailedClock]:
    """The promises to this order whose rules fail."""
    rows = FailedClock.objects.filter(order_id=order_id).select_related("rule")
    return list(rows.order_by("rule__title", "obligation")[:20])


def identifiers_of(order_id: int) -> Sequence[Identifier]:
    """The order's own numbers."""
    rows = Identifier.objects.filter(object_id=order_id).exclude(scheme="source_id")
    return list(rows.order_by("scheme", "issuer", "value")[:40])
