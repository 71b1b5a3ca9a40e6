"""POST /api/v1/events: canonical CloudEvents, and the caller is told what is wrong with each."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.conf import settings

from connectors.sdk import trace_context
from connectors.sdk.auth import Malformed, Unauthentic
from connectors.sdk.connector import Message, Request
from connectors.sdk.events import iso
from connectors.sdk.payload import PayloadError
from visibility.ingest.inbox import Arrival, Kept, Unavailable
from visibility.ingest.source_secrets import current
from visibility.web.intake.http import (
    Gone,
    Receive,
    Refused,
    Scope,
    Send,
    answer,
    check_coding,
    header_map,
    read_body,
    refuse,
    request_of,
)
from visibility.web.intake.sources import Door, Gate
from visibility.web.intake.webhooks import arrival, busy

EVENTS_PATH = "/api/v1/events"
MOST = 1_000
# So many events of a batch are read before other requests get their turn.
PACE = 25
BATCHES = ("application/cloudevents-batch+json", "application/x-ndjson")
SINGLE = "application/cloudevents+json"
USED = """
SELECT t.message_id FROM unnest(%b::bigint[], %b::text[]) AS t (message_id, dedupe_key)
WHERE EXISTS (SELECT 1 FROM visibility_messagekey k WHERE k.source_id = %b
    AND k.dedupe_key = t.dedupe_key AND k.message_id <> t.message_id)
"""


@dataclass(frozen=True)
class Result:
    """What became of one event of the request."""

    status: int
    said: dict[str, Any]


@dataclass(frozen=True)
class Read:
    """An event that can be kept."""

    arrival: Arrival
    key: str
    late: datetime | None


@dataclass(frozen=True)
class Taken:
    """An event that is kept: under which key, and when it happened."""

    kept: Kept
    key: str
    late: datetime | None


class Events:
    """Authenticated by a source's bearer token; each event is kept as a message of its own."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        slug = ""
        try:
            headers = header_map(scope)
            if check_coding(headers):
                raise Refused(415, "Unsupported Media Type", detail="send events uncompressed")
            body = await read_body(
                receive, headers, limit=settings.MAX_FILE_BODY, seconds=settings.BODY_TIMEOUT
            )
            request = request_of(scope, headers, body)
            door = await self._authentic(request)
            slug = door.slug
            if not door.admit():
                raise busy(429, "Too Many Requests")
            await self._take(door, request, send)
        except Refused as error:
            self.gate.refused(slug, error.status)
            await refuse(send, error)
        except Unavailable:
            self.gate.refused(slug, 503)
            await refuse(send, busy(503, "Service Unavailable"))
        except Gone:
            self.gate.refused(slug, 499)

    async def _authentic(self, request: Request) -> Door:
        now = self.gate.now()
        for door in await self.gate.doors("cloudevents"):
            try:
                door.connector.verify(request, current(door.held, now), now)
            except (Unauthentic, Malformed):
                continue
            return door
        raise Refused(401, "Unauthorized", detail="no source has this token")

    async def _take(self, door: Door, request: Request, send: Send) -> None:
        media = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if media in BATCHES:
            pieces = _pieces(media, request.body)
            headers = {"content-type": SINGLE, **trace_context.valid(request.headers)}
            kept = await self._keep(door, [(piece, headers) for piece in pieces])
            results = await self._told(door, kept)
            status = 202 if all(r.status == 202 for r in results) else 207
            await answer(send, status, orjson.dumps({"results": [r.said for r in results]}))
            return
        binary = "ce-type" in request.headers
        if not binary and media not in {SINGLE, "application/json"}:
            raise Refused(415, "Unsupported Media Type", detail=f"send {SINGLE}")
        kept = await self._keep(door, [(request.body, dict(request.headers))])
        (result,) = await self._told(door, kept)
        if result.status != 202:
            raise Refused(result.status, result.said["title"], detail=result.said["detail"])
        await answer(send, 202, orjson.dumps(result.said))

    async def _keep(
        self, door: Door, told: Sequence[tuple[bytes, dict[str, str]]]
    ) -> list[Result | Taken]:
        """Keep these events; what can't be read is told and not kept."""
        read: list[Result | Read] = []
        for place, (body, headers) in enumerate(told):
            read.append(self._read(door, body, headers))
            if place % PACE == PACE - 1:
                await asyncio.sleep(0)  # others get their turn
        kept = iter(
            await self.gate.writer.keep_all([r.arrival for r in read if isinstance(r, Read)])
        )
        self.gate.ring()
        return [r if isinstance(r, Result) else Taken(next(kept), r.key, r.late) for r in read]

    def _read(self, door: Door, body: bytes, headers: dict[str, str]) -> Result | Read:
        request = Request("POST", EVENTS_PATH, {}, headers, body)
        try:
            parsed = door.connector.parse(Message(body, headers, self.gate.now()))
        except PayloadError as error:
            return _wrong(error)
        if parsed.problems:
            return _wrong(parsed.problems[0])
        late = max((e.occurred_at for e in parsed.events if e.occurred_at), default=None)
        key = door.connector.dedupe_key(request)
        return Read(arrival(door, key, request), key, late)

    async def _told(self, door: Door, kept: Sequence[Result | Taken]) -> list[Result]:
        """The answers, in order."""
        taken = [one for one in kept if isinstance(one, Taken)]
        used = await self._used(door, [one for one in taken if one.kept.new and one.key])
        return [
            one if isinstance(one, Result) else self._result(one, used=one.kept.message_id in used)
            for one in kept
        ]

    def _result(self, taken: Taken, *, used: bool) -> Result:
        if taken.kept.new and used:
            detail = "this source and id were used with another body; both are kept"
            return Result(409, {"status": 409, "title": "Conflict", "detail": detail})
        said: dict[str, Any] = {
            "message_id": str(taken.kept.message_id),
            "status": "accepted" if taken.kept.new else "duplicate",
        }
        if taken.late and taken.late > self.gate.now():
            said["effective_at"] = iso(taken.late)
        return Result(202, said)

    async def _used(self, door: Door, taken: Sequence[Taken]) -> set[int]:
        """Which of these messages have a key that another message has too: one query for all."""
        if not taken:
            return set()
        conn = await self.gate.writer.connected()
        keys = [one.key for one in taken]
        cursor = await conn.execute(
            USED, [[t.kept.message_id for t in taken], keys, door.source_id]
        )
        return {row[0] for row in await cursor.fetchall()}


def _wrong(error: PayloadError) -> Result:
    status = 400 if error.reason.value in {"empty", "encoding", "syntax", "depth"} else 422
    title = "Bad Request" if status == 400 else "Unprocessable Content"
    detail = f"{error.path}: {error.detail}" if error.path else error.detail
    return Result(status, {"status": status, "title": title, "detail": detail})


def _pieces(media: str, body: bytes) -> list[bytes]:
    """The events of a batch, each as the bytes of one document."""
    try:
        if media == BATCHES[0]:
            batch = orjson.loads(body)
            if not isinstance(batch, list):
                raise Refused(400, "Bad Request", detail="a batch is a JSON array")
            pieces = [orjson.dumps(item) for item in batch]
        else:
            pieces = [line for line in body.split(b"\n") if line.strip()]
    except orjson.JSONDecodeError as error:
        raise Refused(400, "Bad Request", detail=f"the batch is not JSON: {error}") from None
    if len(pieces) > MOST:
        raise Refused(413, "Content Too Large", detail=f"at most {MOST} events a batch")
    return pieces
