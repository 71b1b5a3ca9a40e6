"""Find messages whose fields differ from all earlier ones, as soon as they are parsed.

Each process remembers the shapes that it has compared. So a message of a known shape costs its
second parsing and no statement; only an unknown shape is compared with the learned schema
(`record_field_changes.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson

from connectors.sdk.connector import RawMessage
from connectors.sdk.message_shape import MessageShape, shape_fingerprint, shape_of
from connectors.sdk.payload import PayloadError
from connectors.sdk.read_paths import record_reads
from visibility.ingest.decompress_gzip import decompress_body_if_gzip
from visibility.ingest.parse_messages_and_pick_versions import (
    ParseOutcome,
    StoredMessage,
    parse_message,
)
from visibility.models.sources_and_messages import Source, UnusableSource

MAX_BODY_BYTES = 262_144
# So many shapes are remembered for one kind of messages; after that they are compared again.
MAX_KNOWN_SHAPES = 2_000
Key = tuple[int, str | None]
# Hashes of the shapes that were compared, and fingerprints of documents that have one of these.
_compared: dict[Key, set[int]] = {}
_fingerprints: dict[Key, set[int]] = {}


@dataclass(frozen=True, slots=True)
class UnknownShape:
    """A message with a shape that this process has not compared yet.

    `event_type` is the first type of its events, and empty if it has none. It is None for a parked
    message: what kind of message it is can only be guessed from its fields. `read_paths`: what the
    connector reads of it, also what it lacks; empty if that is not known.
    """

    source_id: int
    event_type: str | None
    message_id: int
    received_at: datetime
    shape: MessageShape
    read_paths: frozenset[str] = frozenset()


def find_unknown_shapes(
    messages: Sequence[StoredMessage],
    outcomes: Sequence[ParseOutcome],
    sources: Mapping[int, Source],
) -> list[UnknownShape]:
    """Return the first message of each shape that was not compared yet. No statement."""
    by_id = {outcome.message_id: outcome for outcome in outcomes}
    unknown: dict[tuple[Key, MessageShape], UnknownShape] = {}
    for message in messages:
        outcome = by_id.get(message.id)
        if outcome is None or message.body is None or len(message.body) > MAX_BODY_BYTES:
            continue
        key = message.source_id, _kind_of_message(outcome)
        document = parse_json(message.body, message.headers)
        if document is None:
            raw = RawMessage(message.body, message.headers, message.received_at)
            shape, fingerprint = shape_of_other_format(raw, sources[message.source_id]), None
        else:
            fingerprint = shape_fingerprint(document)
            if fingerprint in _fingerprints.get(key, ()):
                continue
            shape = shape_of(document)
        if shape is None:
            continue
        each = UnknownShape(*key, message.id, message.received_at, shape)
        if not is_compared(each):
            if (key, shape) not in unknown:
                read = find_read_paths(message, sources[message.source_id])
                unknown[key, shape] = replace(each, read_paths=read)
        elif fingerprint is not None:
            _add(_fingerprints, key, fingerprint)
    return list(unknown.values())


def is_compared(unknown: UnknownShape) -> bool:
    """Whether this process has compared a message of this shape."""
    return hash(unknown.shape) in _compared.get((unknown.source_id, unknown.event_type), ())


def remember_shape(unknown: UnknownShape) -> None:
    """Do not compare messages of this shape again in this process."""
    _add(_compared, (unknown.source_id, unknown.event_type), hash(unknown.shape))


def forget_shapes() -> None:
    """Compare all shapes again. For tests."""
    _compared.clear()
    _fingerprints.clear()


def _add(known: dict[Key, set[int]], key: Key, value: int) -> None:
    values = known.setdefault(key, set())
    if len(values) >= MAX_KNOWN_SHAPES:
        values.clear()
    values.add(value)


def parse_json(body: bytes, headers: Mapping[str, str]) -> Any:
    """Return the document, or None for what is no JSON."""
    if body.lstrip()[:1] not in b"{[\x1f":
        return None
    try:
        return orjson.loads(decompress_body_if_gzip(body, headers))
    except (PayloadError, orjson.JSONDecodeError):
        return None


def find_read_paths(message: StoredMessage, source: Source) -> frozenset[str]:
    """What the connector reads of a message: the message is parsed once more, and not stored."""
    with record_reads() as paths:
        parse_message(message, source)
    return frozenset(paths)


def shape_of_other_format(message: RawMessage, source: Source) -> MessageShape | None:
    """The shape of a message that is no JSON, as its connector reads it; None if it has none."""
    try:
        body = decompress_body_if_gzip(message.body, message.headers)
        shape = source.build_connector().message_shape(replace(message, body=body))
    except (PayloadError, UnusableSource, RecursionError):
        return None
    return shape if shape and shape.fields else None


def _kind_of_message(outcome: ParseOutcome) -> str | None:
    types = [draft.event.type.value for draft in outcome.new_events]
    if types:
        return min(types)
    return None if outcome.reason else ""
