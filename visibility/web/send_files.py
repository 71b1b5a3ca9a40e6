"""Send a temporary file in blocks, without a database connection, and record exports."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from datetime import datetime
from typing import IO, Any

from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.core.handlers.asgi import ASGIRequest
from django.db import connection
from django.http import FileResponse, HttpRequest

from visibility.models.audit import append_audit_entry

BLOCK_SIZE = 262_144


def audited_file_response(
    request: HttpRequest,
    file: IO[bytes],
    name: str,
    media_type: str,
    *,
    object: str,
    detail: Mapping[str, Any],
    by: User,
    now: datetime,
) -> FileResponse:
    """Record an export in the audit log, and send its file; if that fails, the file is closed."""
    try:
        append_audit_entry("export", user=by, object=object, detail=detail, now=now)
    except BaseException:
        file.close()
        raise
    return temporary_file_response(request, file, name, media_type)


def temporary_file_response(
    request: HttpRequest, file: IO[bytes], name: str, media_type: str
) -> FileResponse:
    """The file as a download that is not cached; the response closes it."""
    response = FileResponse(file, as_attachment=True, filename=name, content_type=media_type)
    if isinstance(request, ASGIRequest):
        # Under ASGI, Django reads a synchronous file into memory at once.
        response.streaming_content = stream_file_blocks(file)
    response.headers["Cache-Control"] = "no-store"
    return response


async def stream_file_blocks(file: IO[bytes]) -> AsyncGenerator[bytes, None]:
    """The file in blocks.

    The thread of the request first returns its connection to the pool: Django does so only after
    the last byte, for which a slow client may take long.
    """
    with file:
        await sync_to_async(_release_connection)()
        while block := await asyncio.to_thread(file.read, BLOCK_SIZE):
            yield block


def _release_connection() -> None:
    if not connection.in_atomic_block:
        connection.close()
