"""Builds canonical events: the time with its flags, attributes without blanks."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventLine,
    EventType,
    Flag,
    Measure,
    ObjectReference,
)
from connectors.sdk.timestamps import ParsedTime

LAST_SECOND = datetime(9000, 12, 31, tzinfo=UTC)


def build_event(
    event_type: EventType,
    key: str,
    time: ParsedTime | None,
    *objects: ObjectReference,
    lines: Iterable[EventLine] = (),
    scope: str = "",
    attributes: Mapping[Attribute, str] | None = None,
    revision: str = "",
    raw_type: str = "",
    flags: Iterable[Flag] = (),
    corrects: Iterable[str] = (),
    complete_measures: Iterable[Measure] = (),
    takes_back: Iterable[EventType] = (),
    other_attributes: Mapping[str, str] | None = None,
) -> CanonicalEvent:
    """Create an event. Blank attributes are omitted; `flags` are added to those of the time."""
    return CanonicalEvent(
        type=event_type,
        key=key,
        occurred_at=time.time if time else None,
        objects=objects,
        lines=tuple(lines),
        scope=scope,
        attributes={name: text for name, text in (attributes or {}).items() if text},
        revision=revision,
        raw_type=raw_type,
        flags=(*(time.flags if time else ()), *flags),
        corrects=tuple(corrects),
        complete_measures=tuple(complete_measures),
        takes_back=tuple(takes_back),
        other_attributes={name: text for name, text in (other_attributes or {}).items() if text},
    )


def revision_of_earliest_report(time: ParsedTime | None) -> str:
    """Return a revision with which the earliest of several reports of one fact counts.

    The highest revision counts, so it is the time left until the year 9000, as sortable text.
    """
    seconds = (LAST_SECOND - time.time).total_seconds() if time else 0
    return f"{seconds:021.6f}"


def flag_if_sanitized(
    events: Iterable[CanonicalEvent], *, sanitized: bool
) -> tuple[CanonicalEvent, ...]:
    """Return the events; if characters of their document were replaced, with a flag."""
    if not sanitized:
        return tuple(events)
    return tuple(replace(event, flags=(*event.flags, Flag.SANITIZED)) for event in events)
