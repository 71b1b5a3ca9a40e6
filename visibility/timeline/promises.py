"""The promise date history: what was requested, first promised, and changed by whom."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from connectors.sdk.events import Attribute
from connectors.sdk.required_and_ignored_event_members import uses_line_seller_and_ship_by
from visibility.timeline.authority import CARRIERS
from visibility.timeline.claim_line_conflict_types import Promise
from visibility.timeline.interpret_event_lines import Interpretation
from visibility.timeline.model import RecordedEvent, parse_timestamp_or_none

REQUESTED, FIRST, CHANGED, SHIP_BY = "requested", "first", "moved", "ship_by"


def iterate_promise_changes(
    events: Iterable[RecordedEvent], reading: Interpretation
) -> Iterator[Promise]:
    """Every event that changed the requested or promised date, or a line's ship-by date, in order.

    A source that repeats its own date or reports the current one changes nothing.
    """
    requested_by: dict[str, str] = {}
    promised_by: dict[str, str] = {}
    ship_by_dates: dict[str, str] = {}
    promised = requested = ""
    for recorded in events:
        if recorded.role in CARRIERS:
            continue
        attributes = recorded.event.attributes
        text = attributes.get(Attribute.REQUESTED_AT, "")
        if text and requested_by.get(recorded.source) != text:
            requested_by[recorded.source] = text
            if text[:10] != requested[:10]:
                yield _build_promise(recorded, REQUESTED, text, requested)
                requested = text
        text = attributes.get(Attribute.PROMISED_AT, "")
        if text and promised_by.get(recorded.source) != text:
            promised_by[recorded.source] = text
            if text[:10] != promised[:10]:
                yield _build_promise(recorded, CHANGED if promised else FIRST, text, promised)
                promised = text
        yield from _ship_by_changes(recorded, reading, ship_by_dates)


def _ship_by_changes(
    recorded: RecordedEvent, reading: Interpretation, dates: dict[str, str]
) -> Iterator[Promise]:
    """The ship-by dates of lines that an event sets or changes; `dates` has the current ones."""
    if not uses_line_seller_and_ship_by(recorded.event.type):
        return
    for line in reading.lines_of_event(recorded):
        text, old = line.line.ship_by, dates.get(line.key, "")
        if text and text[:10] != old[:10]:
            dates[line.key] = text
            promise = _build_promise(recorded, SHIP_BY, text, old)
            yield replace(promise, line_key=line.key)


def _build_promise(recorded: RecordedEvent, kind: str, text: str, old: str) -> Promise:
    return Promise(
        kind=kind,
        source=recorded.source,
        role=recorded.role,
        reported_at=recorded.occurred_at,
        date=parse_timestamp_or_none(text) or recorded.occurred_at,
        old=parse_timestamp_or_none(old),
        reason=recorded.event.attributes.get(Attribute.REASON, ""),
    )
