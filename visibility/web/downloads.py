"""An export as an answer: made whole in a file, sent from there, gone when it is sent."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from django.contrib.auth.models import User
from django.http import StreamingHttpResponse

from visibility.export.formats import KINDS, Format, export
from visibility.export.redaction import Sight
from visibility.export.snapshot import Selection
from visibility.models.audit import record
from visibility.web.permissions import Right, may

BLOCK = 262_144


def download(
    selection: Selection, *, format: Format, by: User, asked: dict[str, Any], now: datetime
) -> StreamingHttpResponse:
    """The file, for the eyes of this person; the audit has who took what. Raises TooMany, Busy."""
    sight = Sight(prices=may(by, Right.PRICES), contacts=may(by, Right.CONTACTS))
    handle, name = tempfile.mkstemp(suffix=f".{KINDS[format].suffix}")
    os.close(handle)
    path = Path(name)
    try:
        count = export(selection, format=format, path=path, sight=sight, now=now)
        out = path.open("rb")
    finally:
        # What is open can still be read, and nothing is left behind.
        path.unlink()
    detail = {"format": format.value, "orders": count, "asked": asked}
    record("export", who=by, object=f"{count} orders", detail=detail, now=now)
    filename = f"throughline-{now:%Y%m%d-%H%M%S}.{KINDS[format].suffix}"
    return StreamingHttpResponse(
        _blocks(out),
        content_type=KINDS[format].media,
        headers={
            "Content-Disposition": f'attachment; filename="{filename}"',
            "Content-Length": str(os.fstat(out.fileno()).st_size),
            "Cache-Control": "no-store",
        },
    )


async def _blocks(out: BinaryIO) -> AsyncIterator[bytes]:
    """The file block by block: ASGI would read a plain file into memory as a whole."""
    with out:
        while block := await asyncio.to_thread(out.read, BLOCK):
            yield block
