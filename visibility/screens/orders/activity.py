"""The activity list: events with their echoes, actions of people, overdue steps, silent sources."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from connectors.sdk.events import SHARED_KINDS, EventType, IdentifierScheme, ObjectKind
from visibility.formatting import format_duration
from visibility.screens.orders.activity_filter import (
    PROBLEM_TONES,
    ActivityFilter,
    EntryPage,
    load_entry_page,
)
from visibility.screens.orders.event_labels import (
    EventTitleAndDetail,
    event_title_and_detail,
    event_tone,
    inferred_time_note,
)
from visibility.screens.orders.expected_steps import ExpectedStep
from visibility.screens.orders.people_on_order import TeamEntry
from visibility.screens.orders.source_reports import SourceReport
from visibility.timeline import RecordedEvent, Timeline, TimelineEntry

# Delays between an event and its receipt are shown from this length on.
LATE_AFTER = timedelta(hours=1)
# Systems that report the same within this time report one fact.
ECHO_WINDOW = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class ActivityItem:
    """One event."""

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
class ActivityRow:
    """One row of the list.

    `item`: its event, with the `echoes` of other systems. `updates`: reports that changed no
    status. Otherwise the row is about an action of a person, an overdue step or a silent source.
    """

    at: datetime
    title: str
    detail: str
    systems: str
    tone: str
    item: ActivityItem | None = None
    echoes: tuple[ActivityItem, ...] = ()
    updates: tuple[ActivityItem, ...] = ()
    url: str = ""
    person: str = ""


@dataclass(frozen=True, slots=True)
class ActivityDay:
    """The rows of one day in the organization's time zone."""

    day: date
    rows: tuple[ActivityRow, ...]


@dataclass(frozen=True, slots=True)
class ActivityPage:
    """The rows of a page of events by day, and the overdue steps beside them."""

    days: tuple[ActivityDay, ...]
    overdue: tuple[ActivityRow, ...]
    events: EntryPage


@dataclass(frozen=True, slots=True)
class ActivityContents:
    """What the list is made of."""

    timeline: Timeline
    reports: Mapping[str, SourceReport]
    steps: Sequence[ExpectedStep]
    team: Sequence[TeamEntry]
    zone: str
    contacts: bool


def activity_page(contents: ActivityContents, wanted: ActivityFilter) -> ActivityPage:
    """The rows of a page in the wanted order; overdue steps are beside the latest events."""
    info = ZoneInfo(contents.zone)
    events = load_entry_page(contents.timeline, wanted)
    rows = _event_rows([e for e in events.entries if not e.is_update], contents)
    has_others = not wanted.is_about_events_only
    others: list[ActivityRow] = []
    if has_others and wanted.only in {"", "exceptions"}:
        others += _silence_rows(contents)
    if has_others and wanted.only != "status":
        others += [_team_row(entry) for entry in contents.team]
    if wanted.only == "exceptions":
        others = [row for row in others if row.tone in PROBLEM_TONES]
    rows += [row for row in others if events.contains(row.at)]
    updates: dict[date, list[ActivityItem]] = {}
    for entry in events.entries:
        if entry.is_update:
            item = activity_item(entry, contents.reports, contacts=contents.contacts)
            updates.setdefault(item.at.astimezone(info).date(), []).append(item)
    rows += [_update_row(items) for items in updates.values()]
    by_day: dict[date, list[ActivityRow]] = {}
    for row in sorted(rows, key=lambda row: row.at, reverse=not wanted.oldest_first):
        by_day.setdefault(row.at.astimezone(info).date(), []).append(row)
    has_overdue = events.is_latest and has_others and wanted.only in {"", "exceptions"}
    return ActivityPage(
        days=tuple(ActivityDay(day, tuple(of_day)) for day, of_day in by_day.items()),
        overdue=tuple(_overdue_rows(contents)) if has_overdue else (),
        events=events,
    )


def activity_item(
    entry: TimelineEntry, reports: Mapping[str, SourceReport], *, contacts: bool
) -> ActivityItem:
    """One event. Events from before the source was connected are never late."""
    recorded = entry.recorded
    report = reports.get(recorded.source)
    since = report.connected_at if report else recorded.occurred_at
    delay = recorded.received_at - recorded.occurred_at
    return ActivityItem(
        event_id=recorded.event_id,
        message_id=recorded.message_id,
        at=recorded.occurred_at,
        source=report.title if report else recorded.source,
        role=recorded.role.value,
        label=event_title_and_detail(recorded, is_update=entry.is_update, contacts=contacts),
        tone=event_tone(recorded.event.type),
        delay=format_duration(delay) if delay > LATE_AFTER and recorded.occurred_at > since else "",
        superseded=entry.superseded,
        repeats=entry.repeats,
        inferred=inferred_time_note(recorded),
    )


def fold_echoes(entries: Iterable[TimelineEntry]) -> list[list[TimelineEntry]]:
    """Group the events by which several systems report the same fact at about the same time.

    They have the same type and name the same shipment, invoice or other object, or none.
    """
    groups: list[list[TimelineEntry]] = []
    open_groups: dict[EventType, list[list[TimelineEntry]]] = {}
    for entry in entries:
        kind = entry.recorded.event.type
        group = next(
            (each for each in reversed(open_groups.get(kind, [])) if _is_echo(entry, each)), None
        )
        if group is None:
            group = []
            groups.append(group)
            open_groups.setdefault(kind, []).append(group)
        group.append(entry)
    return groups


def _is_echo(entry: TimelineEntry, group: Sequence[TimelineEntry]) -> bool:
    first = group[0]
    if entry.superseded or first.superseded or entry.recorded.event.type is EventType.UNMAPPED:
        return False
    if abs(entry.recorded.occurred_at - first.recorded.occurred_at) > ECHO_WINDOW:
        return False
    if entry.recorded.source in {each.recorded.source for each in group}:
        return False
    own, others = _numbers(entry.recorded), _numbers(first.recorded)
    return bool(own & others) or not (own or others)


def _numbers(recorded: RecordedEvent) -> frozenset[str]:
    """The keys and numbers of the objects that an event is about, besides the order."""
    numbers = set(recorded.owned_object_keys())
    for reference in recorded.event.objects:
        if reference.kind is ObjectKind.ORDER or reference.kind in SHARED_KINDS:
            continue
        numbers |= {
            identifier.value
            for identifier in reference.identifiers
            if identifier.scheme is not IdentifierScheme.SOURCE_ID
        }
    return frozenset(numbers)


def _event_rows(entries: Sequence[TimelineEntry], contents: ActivityContents) -> list[ActivityRow]:
    rows = []
    for group in fold_echoes(entries):
        items = [activity_item(e, contents.reports, contacts=contents.contacts) for e in group]
        systems = ", ".join(dict.fromkeys(item.source for item in items))
        detail = max((item.label.detail for item in items), key=len)
        first = items[0]
        rows.append(
            ActivityRow(
                at=first.at,
                title=first.label.title,
                detail=detail,
                systems=systems,
                tone=first.tone,
                item=first,
                echoes=tuple(items) if len(items) > 1 else (),
            )
        )
    return rows


def _update_row(items: Sequence[ActivityItem]) -> ActivityRow:
    count = len(items)
    return ActivityRow(
        at=max(item.at for item in items),
        title=f"{count} technical update{'' if count == 1 else 's'}, status unchanged",
        detail="",
        systems=", ".join(dict.fromkeys(item.source for item in items)),
        tone="unknown",
        updates=tuple(items),
    )


def _overdue_rows(contents: ActivityContents) -> list[ActivityRow]:
    rows = []
    for step in contents.steps:
        if step.is_overdue:
            names = [contents.reports[s].title for s in step.sources if s in contents.reports]
            source = f" from {' or '.join(names)}" if names else ""
            title = f"Not received: {step.title}{source}"
            due = f"Due {step.due_text}."
            detail = f"{due} {step.silence}".strip()
            rows.append(ActivityRow(step.due_at, title, detail, "Throughline", "late"))
    return rows


def _silence_rows(contents: ActivityContents) -> list[ActivityRow]:
    """The sources of an open order that report nothing at present."""
    timeline = contents.timeline
    if not timeline.is_open:
        return []
    slugs = dict.fromkeys(claim.source for claim in timeline.claims)
    reports = [contents.reports[slug] for slug in slugs if slug in contents.reports]
    return [
        ActivityRow(
            report.silent_since,
            f"{report.title} is in planned maintenance"
            if report.maintenance_until
            else f"{report.title} stopped reporting",
            "What happened there since then is not known here.",
            "Throughline",
            "unknown",
        )
        for report in reports
        if report.silent_since
    ]


def _team_row(entry: TeamEntry) -> ActivityRow:
    return ActivityRow(
        at=entry.at,
        title=entry.title,
        detail=entry.text,
        systems="Your team" if entry.person else "Throughline",
        tone=entry.tone,
        url=entry.url,
        person=entry.person,
    )
