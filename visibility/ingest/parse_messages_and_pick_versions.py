"""Parse messages into canonical events, and choose between versions of one message."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson

from connectors.sdk.check_event_size_limits import validate_and_flag_event
from connectors.sdk.connector import Connector, ParseResult, RawMessage
from connectors.sdk.event_codec import sha256_hex, to_canonical_json
from connectors.sdk.events import CanonicalEvent
from connectors.sdk.number_issuers import with_issuers_of_setting
from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.sender_versions import (
    SenderVersion,
    VersionDeclaration,
    parked_version,
    read_sender_versions,
)
from connectors.sdk.telemetry import TelemetryRecord
from visibility import __version__
from visibility.db import bulk
from visibility.ingest.decompress_gzip import decompress_body_if_gzip
from visibility.models.events import EventToStore
from visibility.models.sources_and_messages import MessageState, Source, UnusableSource

SYNTAX_REASONS = frozenset({ParkReason.SYNTAX, ParkReason.EDI_ENVELOPE})
NOT_POLLED = "this source is not polled, so the change does not arrive: set up its polling"
FORM_DETAIL = "the request body is a form: send the document itself as the body"


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A stored message as the worker reads it.

    `body` is None if retention removed it; `stored_revision` is then that of its events.
    """

    id: int
    source_id: int
    received_at: datetime
    dedupe_key: str
    content_hash: str
    headers: dict[str, str]
    body: bytes | None
    stored_revision: str = ""

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> "StoredMessage":
        """Build it from a database row with the columns in the order of the fields."""
        headers = row[5] if isinstance(row[5], dict) else orjson.loads(row[5])
        body = None if row[6] is None else bytes(row[6])
        return cls(row[0], row[1], row[2], row[3], row[4], headers, body)


@dataclass(frozen=True, slots=True)
class ParseOutcome:
    """The events of one message, and the reason if it is parked or ignored.

    A message whose body retention removed has only `stored_revision`: the highest revision of the
    events that were created from it. `poll_due`: it is a notice without data, so the source is
    polled at once. `telemetry` is counted, also of a parked message. `versions`: those that the
    message names.
    """

    message_id: int
    new_events: tuple[EventToStore, ...] = ()
    reason: ParkReason | None = None
    detail: str = ""
    stored_revision: str | None = None
    poll_due: bool = False
    telemetry: tuple[TelemetryRecord, ...] = ()
    versions: tuple[SenderVersion, ...] = ()

    @property
    def is_only_telemetry(self) -> bool:
        """Whether nothing but telemetry was in the message: once counted, it is not needed."""
        return bool(self.telemetry) and not (self.new_events or self.reason or self.poll_due)


def parse_message(message: StoredMessage, source: Source) -> ParseOutcome:
    """Parse the message with its connector. A failure is returned as a reason, never raised."""
    outcome = parse_message_with(message, source.build_connector)
    if outcome.poll_due and source.next_poll_at is None:
        return replace(outcome, detail=f"{outcome.detail}; {NOT_POLLED}")
    return outcome


def parse_message_with(
    message: StoredMessage, build_connector: Callable[[], Connector]
) -> ParseOutcome:
    """Parse the message with this connector. A failure is returned as a reason, never raised."""
    if message.body is None:
        return ParseOutcome(message.id, stored_revision=message.stored_revision)
    versions: tuple[SenderVersion, ...] = ()
    try:
        body = decompress_body_if_gzip(message.body, message.headers)
        connector = build_connector()
        versions = read_sender_versions(connector.versions, body, message.headers)
        _refuse_parked_version(connector.versions, versions)
        parsed = connector.parse(RawMessage(body, message.headers, message.received_at))
        events = tuple(with_issuers_of_setting(parsed.events, connector))
        telemetry = tuple(with_issuers_of_setting(parsed.telemetry, connector))
    except PayloadError as error:
        reason, detail = error.reason, _format_error_path_and_detail(error)
        if reason in SYNTAX_REASONS and _has_form_content_type(message.headers):
            reason, detail = ParkReason.MEDIA, FORM_DETAIL
        return ParseOutcome(message.id, reason=reason, detail=detail, versions=versions)
    except UnusableSource as error:
        return ParseOutcome(message.id, reason=ParkReason.SOURCE, detail=str(error)[:500])
    except RecursionError:
        return ParseOutcome(
            message.id, reason=ParkReason.DEPTH, detail="the document is nested too deeply"
        )
    reader = f"{connector.slug} {connector.release or __version__}"[:80]
    outcome = _validate_events_and_build_outcome(
        message, replace(parsed, events=events, telemetry=telemetry), reader
    )
    return replace(outcome, versions=versions)


def _refuse_parked_version(
    declarations: Sequence[VersionDeclaration], versions: Sequence[SenderVersion]
) -> None:
    """Raise PayloadError for a version whose messages the connector would misread."""
    if refused := parked_version(declarations, versions):
        detail = f"version {refused.version} is not supported"
        raise PayloadError(ParkReason.VERSION, refused.name, detail)


def _validate_events_and_build_outcome(
    message: StoredMessage, parsed: ParseResult, reader: str
) -> ParseOutcome:
    """Validate the events. Valid events are applied even if others of the same message are not."""
    valid, errors = [], list(parsed.errors)
    for event in parsed.events:
        try:
            valid.append(_build_event_to_store(message, event, reader))
        except PayloadError as error:
            errors.append(error)
    new_events = tuple(valid)
    if errors:
        first, more = errors[0], len(errors) - 1
        detail = _format_error_path_and_detail(first) + (f" (and {more} more)" if more else "")
        return ParseOutcome(
            message.id, new_events, first.reason, detail, telemetry=parsed.telemetry
        )
    return ParseOutcome(
        message.id,
        new_events,
        detail=f"ignored: {parsed.ignored}"[:500] * bool(parsed.ignored),
        poll_due=parsed.poll_due,
        telemetry=parsed.telemetry,
    )


def _build_event_to_store(
    message: StoredMessage, reported: CanonicalEvent, reader: str
) -> EventToStore:
    event = validate_and_flag_event(reported, message.received_at)
    occurred = event.occurred_at or message.received_at
    text = to_canonical_json(event)
    return EventToStore(
        message.id,
        message.source_id,
        event,
        occurred,
        message.received_at,
        sha256_hex(text),
        text.decode(),
        reader,
    )


def _format_error_path_and_detail(error: PayloadError) -> str:
    text = f"{error.path}: {error.detail}" if error.path else error.detail
    return text[:500]


def _has_form_content_type(headers: dict[str, str]) -> bool:
    """Whether the content type is a form. Only a hint: some senders label documents so."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind in {"application/x-www-form-urlencoded", "multipart/form-data"}


LOCK_OTHER_VERSIONS = """
SELECT m.id, m.source_id, m.received_at, m.dedupe_key, m.content_hash, m.headers,
    coalesce(m.body, b.body), m.state,
    coalesce((SELECT max((e.data ->> 'revision') COLLATE "C") FROM visibility_event e
        WHERE b.body IS NULL AND m.body IS NULL AND e.message_id = m.id), '')
FROM visibility_messagekey k
JOIN visibility_inbound_message m ON m.id = k.message_id AND m.received_at = k.received_at
LEFT JOIN visibility_message_body b ON b.message_id = m.id AND b.received_at = m.received_at
WHERE (k.source_id, k.dedupe_key) IN (SELECT * FROM unnest(%s::bigint[], %b::text[]))
    AND NOT m.id = ANY(%s) AND m.state <> 'discarded'
ORDER BY m.id FOR UPDATE OF m
"""
KEYS_WITH_VERSIONS = """
SELECT k.source_id, k.dedupe_key FROM visibility_messagekey k
JOIN unnest(%s::bigint[], %b::text[]) AS t (source_id, dedupe_key)
    ON k.source_id = t.source_id AND k.dedupe_key = t.dedupe_key
GROUP BY 1, 2 HAVING count(*) > 1 ORDER BY 1, 2
"""


def lock_other_message_versions(messages: Sequence[StoredMessage]) -> list[StoredMessage]:
    """Lock and return the processed versions of these messages: same key, other content.

    An advisory lock serializes workers that process versions of one message until the commit. A
    worker that started before the second version arrived has no such lock: waiting for its row, and
    checking the state afterwards, covers that case.
    """
    if not messages:
        return []
    keys = sorted({(r.source_id, r.dedupe_key) for r in messages})
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(KEYS_WITH_VERSIONS, [[k[0] for k in keys], [k[1] for k in keys]])
        versioned_keys = cursor.fetchall()
        if not versioned_keys:
            return []
        for source_id, key in versioned_keys:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended(%s, %s))", [key, source_id]
            )
        cursor.execute(
            LOCK_OTHER_VERSIONS,
            [
                [k[0] for k in versioned_keys],
                [k[1] for k in versioned_keys],
                [r.id for r in messages],
            ],
        )
        return [
            replace(StoredMessage.from_row(row), stored_revision=row[8])
            for row in cursor.fetchall()
            if row[7] != MessageState.WAITING
        ]


def pick_effective_message_versions(
    messages: Sequence[StoredMessage], outcomes: Sequence[ParseOutcome]
) -> tuple[list[ParseOutcome], list[int]]:
    """Choose one version of each message. Return its outcome, and the ids of the other versions.

    The highest event revision wins, then the greatest content hash. The order of arrival has no
    influence. A version without a body competes with the events that it created; if it wins, it
    stays as it is and has no outcome.
    """
    versions: dict[tuple[int, str], list[tuple[str, str, int]]] = {}
    for message, outcome in zip(messages, outcomes, strict=True):
        revision = outcome.stored_revision
        if revision is None:
            revision = max((d.event.revision for d in outcome.new_events), default="")
        versions.setdefault((message.source_id, message.dedupe_key), []).append(
            (revision, message.content_hash, message.id)
        )
    winners = {key: max(candidates)[2] for key, candidates in versions.items()}
    result, superseded_ids = [], []
    for message, outcome in zip(messages, outcomes, strict=True):
        winner = winners[(message.source_id, message.dedupe_key)]
        if winner == message.id:
            if outcome.stored_revision is None:
                result.append(outcome)
            continue
        superseded_ids.append(message.id)
        detail = f"message {winner} has the same key and different content, and is used instead"
        result.append(ParseOutcome(message.id, reason=ParkReason.CONFLICT, detail=detail))
    return result, superseded_ids
