"""Which events the activity list shows: its filters, what they offer, and its pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.sdk.event_term_descriptions import OBJECT_KINDS
from connectors.sdk.events import SHARED_KINDS, EventType, IdentifierScheme, ObjectKind
from visibility.screens.orders.event_labels import event_tone
from visibility.timeline import Timeline, TimelineEntry
from visibility.timeline.lines_of_events import line_keys_by_event

PAGE_SIZE = 400
# Events that change no status: they are not shown with the filter "changes of status".
NO_STATUS_CHANGE = frozenset(
    {
        EventType.ORDER_CHANGED,
        EventType.ETA_UPDATED,
        EventType.IN_TRANSIT,
        EventType.DOCUMENT_ACKNOWLEDGED,
        EventType.INVENTORY_SNAPSHOT,
        EventType.INVENTORY_ADJUSTED,
        EventType.GOODS_MOVEMENT_POSTED,
        EventType.LABEL_CREATED,
        EventType.UNMAPPED,
    }
)
PROBLEM_TONES = frozenset({"late", "waiting", "risk", "unknown"})
# Not among the objects to filter by: the order itself, what many orders share, and its lines.
HIDDEN_KINDS = SHARED_KINDS | {ObjectKind.ORDER, ObjectKind.ORDER_LINE}


@dataclass(frozen=True, slots=True)
class ActivityFilter:
    """`source`: a slug. `only`: status, exceptions or people. `replaced`: also replaced events.

    `line`: the key of a line. `about`: kind and number of a shipment, invoice or other object, as
    `invoice:INV-1`. `page` counts from 1, the page that is read first.
    """

    source: str = ""
    only: str = ""
    replaced: bool = False
    line: str = ""
    about: str = ""
    oldest_first: bool = False
    page: int = 1

    @property
    def is_about_events_only(self) -> bool:
        """Whether rows that are no events, such as notes, are hidden."""
        return bool(self.source or self.line or self.about)


@dataclass(frozen=True, slots=True)
class EntryPage:
    """The entries of a page, the earliest first, of the `total` that match.

    Rows that are no events belong to the page if they are not before `begins_at`, and before
    `ends_at`; None at the ends of the list.
    """

    entries: Sequence[TimelineEntry]
    total: int
    number: int
    page_count: int
    begins_at: datetime | None
    ends_at: datetime | None

    @property
    def is_latest(self) -> bool:
        """Whether it has the latest events."""
        return self.ends_at is None

    def contains(self, moment: datetime) -> bool:
        """Whether a row of this time belongs to the page."""
        is_early = self.begins_at is not None and moment < self.begins_at
        return not is_early and (self.ends_at is None or moment < self.ends_at)


def load_entry_page(timeline: Timeline, wanted: ActivityFilter) -> EntryPage:
    """The page; a number beyond the last one is the last page."""
    entries = _matching_entries(timeline, wanted)
    page_count = max(-(-len(entries) // PAGE_SIZE), 1)
    number = min(wanted.page, page_count)
    if wanted.oldest_first:
        start, end = (number - 1) * PAGE_SIZE, min(number * PAGE_SIZE, len(entries))
    else:
        end = len(entries) - (number - 1) * PAGE_SIZE
        start = max(end - PAGE_SIZE, 0)
    return EntryPage(
        entries=entries[start:end],
        total=len(entries),
        number=number,
        page_count=page_count,
        begins_at=entries[start].recorded.occurred_at if start else None,
        ends_at=entries[end].recorded.occurred_at if end < len(entries) else None,
    )


def _matching_entries(timeline: Timeline, wanted: ActivityFilter) -> list[TimelineEntry]:
    lines = line_keys_by_event(timeline) if wanted.line else {}
    objects = {each.value: each.keys for each in objects_to_filter_by(timeline)}
    keys = objects.get(wanted.about, set())
    return [
        entry
        for entry in timeline.entries
        if (wanted.replaced or not entry.superseded)
        and wanted.source in {"", entry.recorded.source}
        and (not wanted.line or wanted.line in lines.get(entry.recorded.event_id, ()))
        and (not wanted.about or keys.intersection(entry.recorded.object_keys))
        and _is_of_kind(entry, wanted.only)
    ]


def _is_of_kind(entry: TimelineEntry, only: str) -> bool:
    kind = entry.recorded.event.type
    if only == "status":
        return not entry.is_update and kind not in NO_STATUS_CHANGE
    if only == "exceptions":
        return not entry.is_update and event_tone(kind) in PROBLEM_TONES
    return only != "people"


def lines_to_filter_by(timeline: Timeline) -> Mapping[str, str]:
    """The lines of the order by key, as people know them."""
    return {
        line.key: " ".join(filter(None, (line.sku or line.key, line.description)))
        for line in timeline.lines
    }


@dataclass(frozen=True, slots=True)
class FilterObject:
    """A shipment, package, invoice or so, of which each system may have a record of its own.

    `value`: its kind and number. `keys`: those of the records.
    """

    value: str
    label: str
    keys: set[str]


def objects_to_filter_by(timeline: Timeline) -> Sequence[FilterObject]:
    """The shipments, packages, invoices and so on, as `Shipment 80012`, each once."""
    objects: dict[str, FilterObject] = {}
    seen: set[str] = set()
    for entry in timeline.entries:
        recorded = entry.recorded
        for reference, key in zip(recorded.event.objects, recorded.object_keys, strict=True):
            if not key or reference.kind in HIDDEN_KINDS or key in seen:
                continue
            seen.add(key)
            numbers = [
                identifier.value
                for identifier in reference.identifiers
                if identifier.scheme is not IdentifierScheme.SOURCE_ID
            ] or [identifier.value for identifier in reference.identifiers]
            number = next(iter(numbers), key)
            value = f"{reference.kind.value}:{number}"
            label = f"{OBJECT_KINDS[reference.kind].label.capitalize()} {number}"
            objects.setdefault(value, FilterObject(value, label, set())).keys.add(key)
    return sorted(objects.values(), key=lambda each: each.label)
