"""The history of requested, promised and ship-by dates, and who changed them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from connectors.sdk.events import Attribute
from connectors.sdk.required_and_ignored_event_members import uses_line_seller_and_dates
from visibility.timeline.authority import CARRIERS
from visibility.timeline.claim_line_conflict_types import Promise
from visibility.timeline.interpret_event_lines import Interpretation
from visibility.timeline.model import RecordedEvent, parse_timestamp_or_none

REQUESTED, FIRST, CHANGED, SHIP_BY = "requested", "first", "moved", "ship_by"


def iterate_promise_changes(
    events: Iterable[RecordedEvent], reading: Interpretation
) -> Iterator[Promise]:
    """Every event that changed a requested, promised or ship-by date, in order.

    A source that repeats its own date or reports the current one changes nothing. A line's date is
    listed if it differs from the order's.
    """
    reported: dict[tuple[str, Attribute], str] = {}  # by source
    current: dict[Attribute, str] = {}
    dates_of_lines: dict[tuple[str, Attribute], str] = {}
    for recorded in events:
        if recorded.role in CARRIERS:
            continue
        attributes = recorded.event.attributes
        for name in (Attribute.REQUESTED_AT, Attribute.PROMISED_AT):
            text, old = attributes.get(name, ""), current.get(name, "")
            if text and reported.get((recorded.source, name)) != text:
                reported[(recorded.source, name)] = text
                if text[:10] != old[:10]:
                    yield _build_promise(recorded, _kind(name, old), text, old)
                    current[name] = text
        yield from _date_changes_of_lines(recorded, reading, current, dates_of_lines)


def _date_changes_of_lines(
    recorded: RecordedEvent,
    reading: Interpretation,
    current: Mapping[Attribute, str],
    dates_of_lines: dict[tuple[str, Attribute], str],
) -> Iterator[Promise]:
    """The dates of lines that an event sets or changes. `current`: the dates of the order."""
    if not uses_line_seller_and_dates(recorded.event.type):
        return
    for line in reading.lines_of_event(recorded):
        for name, text in line.line.dates.items():
            old = dates_of_lines.get((line.key, name), "")
            if text[:10] != (old or current.get(name, ""))[:10]:
                dates_of_lines[(line.key, name)] = text
                promise = _build_promise(recorded, _kind(name, old), text, old)
                yield replace(promise, line_key=line.key)


def _kind(name: Attribute, old: str) -> str:
    if name is Attribute.PROMISED_AT:
        return CHANGED if old else FIRST
    return REQUESTED if name is Attribute.REQUESTED_AT else SHIP_BY


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
