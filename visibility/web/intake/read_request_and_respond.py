"""Read requests and send responses in raw ASGI, with limits on headers, body and time."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.webhook_and_poll_types import WebhookRequest
from visibility.ingest.decompress_gzip import GZIP_CODINGS, decompressed_blocks
from visibility.web.intake.problem_body import NO_STORE, PROBLEM_TYPE, problem_body

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MAX_HEADERS = 100
MAX_HEADER_BYTES = 32_768
MAX_RATIO = 100
# Small bodies may inflate to this size, whatever the ratio.
MIN_INFLATED = 65_536
# Headers that decide who sent a request, which message it is, and how its body is read. If one is
# given twice, a proxy and the product may read different ones.
GIVEN_ONLY_ONCE = re.compile(
    r"content-(length|type|encoding)|host|ce-.*|.*(message|delivery|event)-id"
    r"|.*(auth|signature|sign|hmac|digest|token|secret|password|key|timestamp|webhook|svix).*"
)


class HttpError(Exception):
    """Reject the request with this status; nothing is stored.

    `reason` is for the people who see the source, and is not sent; without it, `detail` is. Without
    `has_body` the response is empty, as some vendors require.
    """

    def __init__(
        self,
        status: int,
        title: str,
        *,
        detail: str = "",
        reason: str = "",
        headers: Mapping[str, str] | None = None,
        has_body: bool = True,
    ) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.detail = detail
        self.reason = reason or detail or title
        self.headers = dict(headers or {})
        self.has_body = has_body


class ClientDisconnected(Exception):
    """The client disconnected before the request was complete."""


def parse_headers_within_limits(scope: Scope) -> dict[str, str]:
    """Headers by lower-case name; the last duplicate wins. Raises HttpError (431 or 400).

    A header of `GIVEN_ONLY_ONCE` must not be repeated.
    """
    raw: list[tuple[bytes, bytes]] = scope["headers"]
    if len(raw) > MAX_HEADERS or sum(len(k) + len(v) for k, v in raw) > MAX_HEADER_BYTES:
        raise HttpError(431, "Request Header Fields Too Large")
    headers: dict[str, str] = {}
    for name, value in raw:
        text = value.decode("latin-1")
        if any(c in text for c in "\r\n\0"):
            raise HttpError(400, "Bad Request", detail="a header contains control characters")
        lower = name.decode("latin-1").lower()
        if lower in headers and GIVEN_ONLY_ONCE.fullmatch(lower):
            raise HttpError(400, "Bad Request", detail=f"the header {lower} is given twice")
        headers[lower] = text
    return headers


def build_webhook_request(scope: Scope, headers: Mapping[str, str], body: bytes) -> WebhookRequest:
    """The request in the form that connectors take."""
    query = dict(
        parse_qsl(
            scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=50
        )
    )
    return WebhookRequest(scope["method"], scope["path"], query, headers, body)


def is_gzip_encoding_or_raise(headers: Mapping[str, str]) -> bool:
    """Whether the body is gzip. Raises HttpError (415) for other content encodings."""
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding in {"", "identity"}:
        return False
    if coding in GZIP_CODINGS:
        return True
    raise HttpError(
        415,
        "Unsupported Media Type",
        detail="the content encoding must be gzip or identity",
        headers={"accept-encoding": "gzip, identity"},
    )


async def read_body(
    receive: Receive, headers: Mapping[str, str], *, limit: int, seconds: int
) -> bytes:
    """The raw body, with any framing. Raises HttpError (413 or 408) and ClientDisconnected."""
    length = headers.get("content-length", "")
    if length.isascii() and length.isdecimal() and int(length[:19]) > limit:
        raise HttpError(413, "Content Too Large", detail=f"the limit is {limit} bytes")
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnected
                body += message.get("body", b"")
                if len(body) > limit:
                    raise HttpError(413, "Content Too Large", detail=f"the limit is {limit} bytes")
                if not message.get("more_body"):
                    return bytes(body)
    except TimeoutError:
        raise HttpError(408, "Request Timeout", headers={"connection": "close"}) from None


def check_inflated_size(body: bytes, *, limit: int) -> None:
    """Raise HttpError (413) if the body inflates beyond the limit or 100 times its size.

    A body that is not valid gzip, or has too many gzip members, is stored: the worker parks it with
    the reason, like any other body that cannot be parsed.
    """
    ceiling = min(limit, max(len(body) * MAX_RATIO, MIN_INFLATED))
    try:
        for _ in decompressed_blocks(body, max_bytes=ceiling):
            pass
    except PayloadError as error:
        if error.reason is ParkReason.SIZE:
            detail = f"the body inflates beyond {limit} bytes"
            raise HttpError(413, "Content Too Large", detail=detail) from None


async def send_response(
    send: Send,
    status: int,
    body: bytes,
    *,
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> None:
    """Send a complete response."""
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


async def send_problem(send: Send, error: HttpError) -> None:
    """Send an error response as problem details, or without a body."""
    body = problem_body(error.status, error.title, detail=error.detail) if error.has_body else b""
    await send_response(
        send,
        error.status,
        body,
        content_type=PROBLEM_TYPE if body else "text/plain; charset=utf-8",
        headers=error.headers,
    )
