"""Which raw fields of a message became which fields of one of its events.

The message is read again, each time with one raw field changed. What changes in the event came from
that field: this holds for every connector, also where a code is translated or two fields are
combined. It runs in a process of its own, within a limit of time (decision 68).
"""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import orjson

from connectors.sdk.connector import Connector, RawMessage
from connectors.sdk.events import CanonicalEvent
from connectors.sdk.number_issuers import with_issuers_of_setting
from connectors.sdk.payload import UNSTORABLE_CHARACTERS
from connectors.sdk.raw_fields import RawField, other_contents, raw_fields
from visibility.ingest.decompress_gzip import decompress_body_if_gzip
from visibility.ingest.parse_messages_and_pick_versions import StoredMessage
from visibility.models.sources_and_messages import Source
from visibility.screens.messages.event_fields import EVENT_TYPE, event_fields
from visibility.screens.messages.message_queries import HIDDEN, redact_headers_or_settings
from visibility.screens.messages.own_process import (
    begin_in_own_process,
    end_own_process_after,
    run_in_own_process,
)

# A message with fewer bytes is read again often enough within the time.
MAX_BYTES, SECONDS = 262_144, 4.0
MAX_SHOWN = 200
COMMAND = (
    sys.executable,
    "-c",
    "import django; django.setup(); from visibility.screens.messages.field_map import main; main()",
)
TOO_LONG = "Reading the message took too long."
REMOVED = "The payload of the message was removed, so its raw fields are not known."
NOT_STARTED = "Other messages are being read. Try it in a minute."
TOO_LARGE = "The message is larger than 256 KB. Open it to see its fields."
NOT_READ = "The source cannot read the message with its present settings."
NOT_AMONG = "With its present settings, the source reads other events from this message."
NO_FIELDS = "The message is no JSON, X12 or table with a header, so its fields are not known."


@dataclass(frozen=True, slots=True)
class RawValue:
    """A raw field of the message: where it is, and what it says."""

    path: str
    value: str


@dataclass(frozen=True, slots=True)
class MappedField:
    """One field of the event. `raws`: the raw fields that change it.

    `current`: its value on the order, if that differs: *Mappings* translated it, or the settings
    of the source changed since. `same`: without `raws`, the raw fields that hold the value.
    """

    name: str
    value: str
    current: str = ""
    raws: tuple[RawValue, ...] = ()
    same: tuple[RawValue, ...] = ()


@dataclass(frozen=True, slots=True)
class FieldMap:
    """The fields of an event. `problem`: why there are none. `tried` of `total` raw fields."""

    fields: tuple[MappedField, ...] = ()
    problem: str = ""
    tried: int = 0
    total: int = 0


@dataclass(slots=True)
class _Trial:
    """A message that is read with changes. `event`: which of its events is compared."""

    connector: Connector
    message: RawMessage
    event: CanonicalEvent
    index: int = 0
    count: int = 0
    fields: Mapping[str, str] = field(default_factory=dict)

    def read(self, message: RawMessage) -> list[CanonicalEvent]:
        """The events of the message."""
        return list(with_issuers_of_setting(self.connector.parse(message).events, self.connector))

    def read_unchanged(self) -> bool:
        """Read the message as it is. False if the event is not among its events."""
        events = self.read(self.message)
        same_key = [n for n, each in enumerate(events) if each.key == self.event.key]
        if not same_key:
            return False
        by_type = (n for n in same_key if events[n].type is self.event.type)
        self.index, self.count = next(by_type, same_key[0]), len(events)
        self.fields = event_fields(events[self.index])
        return True

    def changed_fields(self, message: RawMessage, value: str) -> set[str]:
        """The fields of the event that the changed message changes; none if it cannot be read.

        If that makes another event of it, only the type counts, and fields with the raw `value`.
        """
        try:
            events = self.read(message)
        except Exception:  # the connector refuses the change, or fails on it
            return set()
        if len(events) == self.count:
            changed = event_fields(events[self.index])
        else:
            key = self.event.key
            event = next((each for each in events if each.key == key), None)
            changed = event_fields(event) if event else {}
        names = {name for name, text in self.fields.items() if changed.get(name) != text}
        if EVENT_TYPE in names:
            return {n for n in names if n == EVENT_TYPE or self.fields[n] == value}
        return names


def map_fields(message: StoredMessage, source: Source, event: CanonicalEvent) -> FieldMap:
    """The field map of an event, made in a process of its own."""
    lines, has_failed = run_in_own_process(COMMAND, (message, source, event, SECONDS))
    if not lines:
        return FieldMap(problem=NOT_STARTED)
    if has_failed or not lines[0]:
        return FieldMap(problem=TOO_LONG)
    return _field_map_from_json(lines[0])


def build_field_map(
    message: StoredMessage, source: Source, event: CanonicalEvent, seconds: float
) -> FieldMap:
    """The field map of an event. Any error of the connector counts as a message not read."""
    began = time.monotonic()
    try:
        body = decompress_body_if_gzip(message.body or b"", message.headers)
        if len(body) > MAX_BYTES:
            return FieldMap(problem=TOO_LARGE)
        raw = RawMessage(body, message.headers, message.received_at)
        trial = _Trial(source.build_connector(), raw, event)
        if not trial.read_unchanged():
            return FieldMap(problem=NOT_AMONG)
    except Exception:  # the connector cannot read it, or fails
        return FieldMap(problem=NOT_READ)
    text = body.decode("utf-8", "surrogateescape")
    fields = raw_fields(text)
    if not fields:
        return FieldMap(problem=NO_FIELDS)
    raws: dict[str, list[RawValue]] = {}
    same: dict[str, list[RawValue]] = {}
    tried = 0
    candidates = _likely_first(_candidates(trial, text, fields), trial.fields)
    for path, value, with_content in candidates:
        texts = (UNSTORABLE_CHARACTERS.sub("\ufffd", text) for text in (path, value[:MAX_SHOWN]))
        shown = RawValue(*texts)
        results: set[str] = set()
        if time.monotonic() - began < seconds:
            tried += 1
            results = _first_effect(trial, value, with_content)
        for name in results:
            raws.setdefault(name, []).append(shown)
        for name, text in trial.fields.items():
            if text == value:
                same.setdefault(name, []).append(shown)
    present = event_fields(event)
    mapped = (
        MappedField(
            name,
            value,
            present.get(name, "") if present.get(name, "") != value else "",
            tuple(raws.get(name, ())),
            tuple(same.get(name, ())) if name not in raws else (),
        )
        for name, value in trial.fields.items()
    )
    return FieldMap(tuple(mapped), "", tried, len(candidates))


# The path of a raw field, its value, and what makes the message with another content of it.
Candidate = tuple[str, str, Callable[[str], RawMessage]]


def _candidates(trial: _Trial, text: str, fields: Sequence[RawField]) -> Iterator[Candidate]:
    message = trial.message
    for name, value in redact_headers_or_settings(message.headers):
        if value and value != HIDDEN:
            yield f"header {name}", value, partial(_with_header, message, name)
    for each in fields:
        yield each.path, each.value, partial(_with_field, message, text, each)


def _with_header(message: RawMessage, name: str, content: str) -> RawMessage:
    return replace(message, headers={**message.headers, name: content})


def _with_field(message: RawMessage, text: str, changed: RawField, content: str) -> RawMessage:
    body = changed.replaced_in(text, content).encode("utf-8", "surrogateescape")
    return replace(message, body=body)


def _likely_first(candidates: Iterator[Candidate], fields: Mapping[str, str]) -> list[Candidate]:
    """Those that hold the value of a field first, in case the time is not enough for all."""
    values = set(fields.values())
    return sorted(candidates, key=lambda each: each[1] not in values)


def _first_effect(trial: _Trial, value: str, with_content: Callable[[str], RawMessage]) -> set[str]:
    """What the first change with an effect changes."""
    for content in other_contents(value):
        changed = trial.changed_fields(with_content(content), value)
        if changed:
            return changed
    return set()


def _field_map_from_json(line: bytes) -> FieldMap:
    values: dict[str, Any] = orjson.loads(line)
    fields = tuple(
        MappedField(
            each["name"],
            each["value"],
            each["current"],
            tuple(RawValue(**raw) for raw in each["raws"]),
            tuple(RawValue(**raw) for raw in each["same"]),
        )
        for each in values.pop("fields")
    )
    return FieldMap(fields, **values)


def main() -> None:
    """Make the field map of the event on the standard input, and write it as one line."""
    (message, source, event, seconds), out = begin_in_own_process()
    end_own_process_after(seconds + 2)
    out.write(orjson.dumps(build_field_map(message, source, event, seconds)) + b"\n")
    out.flush()
