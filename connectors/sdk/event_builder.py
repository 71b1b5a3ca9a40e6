"""Builds canonical events: the time with its flags, attributes without blanks."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

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


def flag_if_sanitized(
    events: Iterable[CanonicalEvent], *, sanitized: bool
) -> tuple[CanonicalEvent, ...]:
    """Return the events; if characters of their document were replaced, with a flag."""
    if not sanitized:
        return tuple(events)
    return tuple(replace(event, flags=(*event.flags, Flag.SANITIZED)) for event in events)
