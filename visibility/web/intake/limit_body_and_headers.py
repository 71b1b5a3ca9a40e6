"""Limit headers, body size and time of the requests that Django answers, like those of webhooks."""

import asyncio
import re
from collections.abc import MutableMapping
from typing import Any

from django.conf import settings

from visibility.master_data.file_reader import MAX_FILE_SIZES
from visibility.web.intake.read_request_and_respond import (
    HttpError,
    Receive,
    Scope,
    Send,
    parse_headers_within_limits,
    send_problem,
)

# Administrators upload files of master data here.
UPLOAD_PATH = re.compile(r"/mappings/[^/]+/file|/api/v1/master/[^/]+/import")
MAX_UPLOAD = max(MAX_FILE_SIZES.values()) + 65_536  # the parts of a form around the file
# A large file takes longer; each piece of it must still arrive within `BODY_TIMEOUT`.
MAX_UPLOAD_SECONDS = 900


class LimitedBody:
    """The `receive` of a request. Raises HttpError (413 or 408) while the body is read."""

    def __init__(self, receive: Receive, *, limit: int, seconds: float) -> None:
        self._receive = receive
        self._limit = limit
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._size = 0
        self._is_complete = False

    async def __call__(self) -> MutableMapping[str, Any]:
        if self._is_complete:  # the wait for the disconnect has no limit
            return await self._receive()
        left = self._deadline - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(min(left, settings.BODY_TIMEOUT)):
                message = await self._receive()
        except TimeoutError:
            raise HttpError(408, "Request Timeout", headers={"connection": "close"}) from None
        self._size += len(message.get("body", b""))
        if self._size > self._limit:
            raise too_large_error(self._limit)
        self._is_complete = not message.get("more_body")
        return message


async def call_with_limited_body(
    application: Any, scope: Scope, receive: Receive, send: Send
) -> None:
    """Call an ASGI application, or answer 400, 408, 413 or 431 in its place."""
    is_upload = bool(UPLOAD_PATH.fullmatch(scope["path"]))
    limit = MAX_UPLOAD if is_upload else settings.MAX_BODY
    try:
        length = parse_headers_within_limits(scope).get("content-length", "")
        if length.isascii() and length.isdecimal() and int(length[:19]) > limit:
            raise too_large_error(limit)
        seconds = MAX_UPLOAD_SECONDS if is_upload else settings.BODY_TIMEOUT
        await application(scope, LimitedBody(receive, limit=limit, seconds=seconds), send)
    except HttpError as error:
        await send_problem(send, error)


def too_large_error(limit: int) -> HttpError:
    """The answer to a body over the limit."""
    return HttpError(413, "Content Too Large", detail=f"the limit is {limit} bytes")
