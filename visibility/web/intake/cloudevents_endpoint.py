"""POST /api/v1/events: store canonical CloudEvents and report the result of each."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.conf import settings

from connectors.sdk import trace_context
from connectors.sdk.auth import InvalidSignature, MalformedSignatureHeader
from connectors.sdk.connector import RawMessage
from connectors.sdk.event_codec import format_rfc3339
from connectors.sdk.payload import PayloadError
from connectors.sdk.webhook_and_poll_types import WebhookRequest
from visibility.ingest.insert_messages import IncomingMessage, StoreResult
from visibility.ingest.message_of_request import build_message_to_store
from visibility.ingest.source_secrets import unexpired_signing_secrets
from visibility.web.intake.answer_and_count_rejections import (
    SourceSlugOfRequest,
    answer_rejections,
    http_error_with_random_retry_after,
)
from visibility.web.intake.read_request_and_respond import (
    HttpError,
    Receive,
    Scope,
    Send,
    build_webhook_request,
    is_gzip_encoding_or_raise,
    parse_headers_within_limits,
    read_body,
    send_response,
)
from visibility.web.intake.source_cache import IntakeSource, SourceCache

EVENTS_PATH = "/api/v1/events"
MAX_BATCH = 1_000
# Events of a batch to parse before yielding to other requests.
EVENTS_PER_SLICE = 25
BATCH_TYPES = ("application/cloudevents-batch+json", "application/x-ndjson")
EVENT_TYPE = "application/cloudevents+json"
SELECT_REUSED_KEYS = """
SELECT t.message_id FROM unnest(%b::bigint[], %b::text[]) AS t (message_id, dedupe_key)
WHERE EXISTS (SELECT 1 FROM visibility_messagekey k WHERE k.source_id = %b
    AND k.dedupe_key = t.dedupe_key AND k.message_id <> t.message_id)
"""


@dataclass(frozen=True)
class EventResult:
    """The response for one event: HTTP status and JSON content."""

    status: int
    content: dict[str, Any]


@dataclass(frozen=True)
class EventReadyToStore:
    """A valid event to be stored."""

    message: IncomingMessage
    key: str
    latest_at: datetime | None


@dataclass(frozen=True)
class StoredEvent:
    """A stored event with its dedupe key and occurrence time."""

    stored: StoreResult
    key: str
    latest_at: datetime | None


class CloudEventsEndpoint:
    """ASGI app. Authenticates by bearer token and stores each event as its own message."""

    def __init__(self, sources: SourceCache) -> None:
        self.sources = sources

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sender = SourceSlugOfRequest()
        async with answer_rejections(self.sources, sender, send):
            headers = parse_headers_within_limits(scope)
            if is_gzip_encoding_or_raise(headers):
                raise HttpError(
                    415, "Unsupported Media Type", detail="events must be sent uncompressed"
                )
            body = await read_body(
                receive, headers, limit=settings.MAX_FILE_BODY, seconds=settings.BODY_TIMEOUT
            )
            request = build_webhook_request(scope, headers, body)
            source = await self._authenticate(request)
            sender.slug = source.slug
            if not source.take_rate_limit_token():
                raise http_error_with_random_retry_after(429, "Too Many Requests")
            await self._store_and_respond(source, request, send)

    async def _authenticate(self, request: WebhookRequest) -> IntakeSource:
        now = self.sources.estimated_database_time()
        for source in await self.sources.sources_of_connector("cloudevents"):
            try:
                source.connector.verify(
                    request, unexpired_signing_secrets(source.secrets, now), now
                )
            except (InvalidSignature, MalformedSignatureHeader):
                continue
            return source
        raise HttpError(401, "Unauthorized", detail="unknown bearer token")

    async def _store_and_respond(
        self, source: IntakeSource, request: WebhookRequest, send: Send
    ) -> None:
        media = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if media in BATCH_TYPES:
            documents = _split_batch(media, request.body)
            headers = {
                "content-type": EVENT_TYPE,
                **trace_context.valid_trace_headers(request.headers),
            }
            stored = await self._store_valid_events(
                source, [(piece, headers) for piece in documents]
            )
            results = await self._build_event_results(source, stored)
            status = 202 if all(r.status == 202 for r in results) else 207
            await send_response(
                send, status, orjson.dumps({"results": [r.content for r in results]})
            )
            return
        is_binary = "ce-type" in request.headers
        if not is_binary and media not in {EVENT_TYPE, "application/json"}:
            raise HttpError(
                415, "Unsupported Media Type", detail=f"the content type must be {EVENT_TYPE}"
            )
        stored = await self._store_valid_events(source, [(request.body, dict(request.headers))])
        (result,) = await self._build_event_results(source, stored)
        if result.status != 202:
            raise HttpError(result.status, result.content["title"], detail=result.content["detail"])
        await send_response(send, 202, orjson.dumps(result.content))

    async def _store_valid_events(
        self, source: IntakeSource, documents: Sequence[tuple[bytes, dict[str, str]]]
    ) -> list[EventResult | StoredEvent]:
        """Store the valid events in order; invalid ones get an error result instead."""
        parsed: list[EventResult | EventReadyToStore] = []
        for index, (body, headers) in enumerate(documents):
            parsed.append(self._parse_event(source, body, headers))
            if index % EVENTS_PER_SLICE == EVENTS_PER_SLICE - 1:
                await asyncio.sleep(0)  # let other requests run
        stored = iter(
            await self.sources.writer.store_all(
                [r.message for r in parsed if isinstance(r, EventReadyToStore)]
            )
        )
        self.sources.nudge_workers()
        return [
            r if isinstance(r, EventResult) else StoredEvent(next(stored), r.key, r.latest_at)
            for r in parsed
        ]

    def _parse_event(
        self, source: IntakeSource, body: bytes, headers: dict[str, str]
    ) -> EventResult | EventReadyToStore:
        request = WebhookRequest("POST", EVENTS_PATH, {}, headers, body)
        try:
            parsed = source.connector.parse(
                RawMessage(body, headers, self.sources.estimated_database_time())
            )
        except PayloadError as error:
            return _error_result(error)
        if parsed.errors:
            return _error_result(parsed.errors[0])
        latest_at = max((e.occurred_at for e in parsed.events if e.occurred_at), default=None)
        key = source.connector.dedupe_key(request)
        built = build_message_to_store(source.source_id, source.connector, key, request)
        return EventReadyToStore(built, key, latest_at)

    async def _build_event_results(
        self, source: IntakeSource, stored: Sequence[EventResult | StoredEvent]
    ) -> list[EventResult]:
        """The results, in the order of the request."""
        new_events = [event for event in stored if isinstance(event, StoredEvent)]
        reused = await self._message_ids_with_reused_key(
            source, [event for event in new_events if event.stored.is_new and event.key]
        )
        return [
            event
            if isinstance(event, EventResult)
            else self._build_event_result(event, is_reused=event.stored.message_id in reused)
            for event in stored
        ]

    def _build_event_result(self, event: StoredEvent, *, is_reused: bool) -> EventResult:
        if event.stored.is_new and is_reused:
            detail = "this source and id were already used with a different body; both are stored"
            return EventResult(409, {"status": 409, "title": "Conflict", "detail": detail})
        content: dict[str, Any] = {
            "message_id": str(event.stored.message_id),
            "status": "accepted" if event.stored.is_new else "duplicate",
        }
        if event.latest_at and event.latest_at > self.sources.estimated_database_time():
            content["effective_at"] = format_rfc3339(event.latest_at)
        return EventResult(202, content)

    async def _message_ids_with_reused_key(
        self, source: IntakeSource, events: Sequence[StoredEvent]
    ) -> set[int]:
        """Ids of these messages whose dedupe key another message also has, in one query."""
        if not events:
            return set()
        conn = await self.sources.writer.reuse_or_open_connection()
        keys = [event.key for event in events]
        cursor = await conn.execute(
            SELECT_REUSED_KEYS, [[t.stored.message_id for t in events], keys, source.source_id]
        )
        return {row[0] for row in await cursor.fetchall()}


def _error_result(error: PayloadError) -> EventResult:
    status = 400 if error.reason.value in {"empty", "encoding", "syntax", "depth"} else 422
    title = "Bad Request" if status == 400 else "Unprocessable Content"
    detail = f"{error.path}: {error.detail}" if error.path else error.detail
    return EventResult(status, {"status": status, "title": title, "detail": detail})


def _split_batch(media: str, body: bytes) -> list[bytes]:
    """Split a batch into the bytes of one document per event. Raises HttpError."""
    try:
        if media == BATCH_TYPES[0]:
            batch = orjson.loads(body)
            if not isinstance(batch, list):
                raise HttpError(400, "Bad Request", detail="a batch must be a JSON array")
            documents = [orjson.dumps(item) for item in batch]  # TypeError: nested too deeply
        else:
            documents = [line for line in body.split(b"\n") if line.strip()]
    except (orjson.JSONDecodeError, TypeError) as error:
        raise HttpError(
            400, "Bad Request", detail=f"the batch is not valid JSON: {error}"
        ) from None
    if len(documents) > MAX_BATCH:
        raise HttpError(
            413, "Content Too Large", detail=f"a batch must have at most {MAX_BATCH:,} events"
        )
    return documents
