"""Reading a request and writing an answer in plain ASGI, with every limit in place."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

from connectors.sdk.connector import Request
from visibility.web.intake.problems import MEDIA, NO_STORE, problem

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MAX_HEADERS = 100
MAX_HEADER_BYTES = 32_768
RATIO = 100
MAX_MEMBERS = 16


class Refused(Exception):
    """The request gets this answer and nothing is kept."""

    def __init__(
        self, status: int, title: str, *, detail: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.detail = detail
        self.headers = dict(headers or {})


class Gone(Exception):
    """The client went away before its request was whole."""


def header_map(scope: Scope) -> dict[str, str]:
    """Headers by lower-case name, the last one counts; Refused 431 or 400."""
    raw: list[tuple[bytes, bytes]] = scope["headers"]
    if len(raw) > MAX_HEADERS or sum(len(k) + len(v) for k, v in raw) > MAX_HEADER_BYTES:
        raise Refused(431, "Request Header Fields Too Large")
    found: dict[str, str] = {}
    for name, value in raw:
        text = value.decode("latin-1")
        if any(c in text for c in "\r\n\0"):
            raise Refused(400, "Bad Request", detail="a header has control characters")
        found[name.decode("latin-1").lower()] = text
    return found


def request_of(scope: Scope, headers: Mapping[str, str], body: bytes) -> Request:
    """The request as connectors see it."""
    query = dict(
        parse_qsl(
            scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=50
        )
    )
    return Request(scope["method"], scope["path"], query, headers, body)


def check_coding(headers: Mapping[str, str]) -> bool:
    """Whether the body is gzip; Refused 415 for a coding we do not inflate."""
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding in {"", "identity"}:
        return False
    if coding in {"gzip", "x-gzip"}:
        return True
    raise Refused(
        415,
        "Unsupported Media Type",
        detail="only gzip and identity codings are read",
        headers={"accept-encoding": "gzip, identity"},
    )


async def read_body(
    receive: Receive, headers: Mapping[str, str], *, limit: int, seconds: int
) -> bytes:
    """The raw body whatever its framing; Refused 413 or 408, Gone when the client left."""
    length = headers.get("content-length", "")
    if length.isdigit() and int(length) > limit:
        raise Refused(413, "Content Too Large", detail=f"the limit is {limit} bytes")
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Gone
                body += message.get("body", b"")
                if len(body) > limit:
                    raise Refused(413, "Content Too Large", detail=f"the limit is {limit} bytes")
                if not message.get("more_body"):
                    return bytes(body)
    except TimeoutError:
        raise Refused(408, "Request Timeout", headers={"connection": "close"}) from None


def check_inflated(body: bytes, *, limit: int) -> None:
    """Refuse 413 what would inflate beyond the limit or a ratio of 100; memory stays flat."""
    inflater = zlib.decompressobj(wbits=31)
    total, rest, members = 0, body, 1
    ceiling = min(limit, max(len(body) * RATIO, 65_536))
    try:
        while rest and members <= MAX_MEMBERS:
            total += len(inflater.decompress(rest, 65_536))
            rest = inflater.unconsumed_tail
            if inflater.eof:  # another member may follow
                rest, inflater = inflater.unused_data, zlib.decompressobj(wbits=31)
                members += 1
            if total > ceiling:
                raise Refused(413, "Content Too Large", detail=f"it inflates beyond {limit} bytes")
    except zlib.error:
        return  # unreadable is kept and parked like any other unreadable body


async def answer(
    send: Send,
    status: int,
    body: bytes,
    *,
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> None:
    """Send one answer."""
    fields = {
        "content-type": content_type,
        "content-length": str(len(body)),
        **NO_STORE,
        **(headers or {}),
    }
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(k.encode("latin-1"), v.encode("latin-1")) for k, v in fields.items()],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def refuse(send: Send, error: Refused) -> None:
    """Send a refusal as problem details."""
    await answer(
        send,
        error.status,
        problem(error.status, error.title, detail=error.detail),
        content_type=MEDIA,
        headers=error.headers,
    )
