"""The webhook intake: raw ASGI beside Django. A 202 means committed in PostgreSQL."""

import random

import orjson
from django.conf import settings

from connectors.sdk import trace_context
from connectors.sdk.auth import Malformed, Unauthentic
from connectors.sdk.connector import Request
from visibility.ingest.inbox import Arrival, Unavailable
from visibility.ingest.source_secrets import current
from visibility.web.intake.http import (
    Gone,
    Receive,
    Refused,
    Scope,
    Send,
    answer,
    check_coding,
    check_inflated,
    header_map,
    read_body,
    refuse,
    request_of,
)
from visibility.web.intake.sources import Door, Gate

PREFIX = "/hooks/"
# Kept with every message, whatever the connector keeps besides.
ALWAYS_KEPT = frozenset({"content-type", "content-encoding"})
AGAIN = 5


class Hooks:
    """POST /hooks/<source>."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        slug = scope["path"].removeprefix(PREFIX).rstrip("/")
        try:
            await self._take(slug, scope, receive, send)
        except Refused as error:
            self.gate.refused(slug, error.status)
            await refuse(send, error)
        except Unavailable:
            self.gate.refused(slug, 503)
            await refuse(send, busy(503, "Service Unavailable"))
        except Gone:
            self.gate.refused(slug, 499)

    async def _take(self, slug: str, scope: Scope, receive: Receive, send: Send) -> None:
        headers = header_map(scope)
        door = await self.gate.door(slug)
        if door is None:
            raise Refused(404, "Not Found")
        gzipped = check_coding(headers)
        limit = settings.MAX_FILE_BODY if door.connector.files else settings.MAX_BODY
        body = await read_body(receive, headers, limit=limit, seconds=settings.BODY_TIMEOUT)
        request = request_of(scope, headers, body)
        secrets = current(door.held, self.gate.now())
        reply = door.connector.handshake(request, secrets)
        if reply is not None:
            await answer(
                send,
                reply.status,
                reply.body,
                content_type=reply.content_type,
                headers=reply.headers,
            )
            return
        if request.method != "POST":
            raise Refused(405, "Method Not Allowed", headers={"allow": "POST"})
        if gzipped:
            check_inflated(body, limit=settings.MAX_INFLATED)
        try:
            door.connector.verify(request, secrets, self.gate.now())
        except Unauthentic:
            raise Refused(401, "Unauthorized", detail="the signature does not fit") from None
        except Malformed as error:
            raise Refused(400, "Bad Request", detail=str(error)) from None
        if not door.admit():
            raise busy(429, "Too Many Requests")
        kept = await self.gate.writer.keep(
            arrival(door, door.connector.dedupe_key(request), request)
        )
        self.gate.ring()
        own = door.connector.acknowledge()
        if own is not None:
            await answer(send, own.status, own.body, content_type=own.content_type)
            return
        status = "accepted" if kept.new else "duplicate"
        await answer(
            send, 202, orjson.dumps({"message_id": str(kept.message_id), "status": status})
        )


def arrival(door: Door, key: str, request: Request) -> Arrival:
    """The message to keep, with the headers its reading will need, its trace, and no others."""
    kept = {
        name: value
        for name, value in request.headers.items()
        if name in ALWAYS_KEPT or name in door.connector.kept_headers
    }
    kept |= trace_context.valid({**request.headers, **door.connector.trace(request)})
    made = Arrival(door.source_id, key, kept, request.body)
    if key:
        return made
    return Arrival(door.source_id, f"sha256 {made.content_hash}", kept, request.body)


def busy(status: int, title: str) -> Refused:
    """Come again, not all at once."""
    pause = AGAIN + random.randint(0, AGAIN)  # noqa: S311  # jitter, not a secret
    return Refused(status, title, headers={"retry-after": str(pause)})
