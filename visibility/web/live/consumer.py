"""The live socket: who may listen, what a page hears, what a page may say (nothing)."""

import asyncio
import time
from collections import deque
from typing import Any
from urllib.parse import urlsplit

from channels.auth import AuthMiddlewareStack  # type: ignore[import-untyped]  # no stubs
from channels.db import database_sync_to_async  # type: ignore[import-untyped]  # no stubs
from django.conf import settings
from django.http.request import validate_host

from visibility.web.live.hub import Ear, hub
from visibility.web.permissions import Right, may

MAX_FRAME = 65_536
MAX_FRAMES_A_SECOND = 20
SIGNED_OUT, TOO_MANY, TOO_BIG = 4401, 1008, 1009
PORTS = {"http": 80, "https": 443}


async def socket(scope: Any, receive: Any, send: Any) -> None:
    """The ASGI application of `/ws/live`: our own pages only, then signed-in people only."""
    if scope["type"] != "websocket":
        raise ValueError("the live socket speaks WebSocket only")
    if not own_page(dict(scope["headers"])):
        await _refuse(receive, send)
        return
    await signed_in(scope, receive, send)


def own_page(headers: dict[bytes, bytes]) -> bool:
    """Whether the browser says that a page of this very host asks; absent and `null` do not."""
    try:
        origin = urlsplit(headers.get(b"origin", b"").decode("latin-1").lower())
        host = urlsplit("//" + headers.get(b"host", b"").decode("latin-1").lower())
        port = PORTS.get(origin.scheme)
        if port is None or not origin.hostname:
            return False
        if (origin.hostname, origin.port or port) != (host.hostname, host.port or port):
            return False
    except ValueError:
        return False
    name = f"[{origin.hostname}]" if ":" in origin.hostname else origin.hostname
    return validate_host(name, settings.ALLOWED_HOSTS)


async def _refuse(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.close", "code": 1008})


async def _listen(scope: Any, receive: Any, send: Any) -> None:
    """One page's socket, from its hello to its close."""
    await receive()
    ear = await database_sync_to_async(_ear)(scope)
    if ear is None or not hub().has_room(ear):
        await send({"type": "websocket.close", "code": SIGNED_OUT})
        return
    await send({"type": "websocket.accept"})
    tasks = [asyncio.create_task(_tell(ear, send)), asyncio.create_task(_hear(receive))]
    try:
        await hub().join(ear)
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        code = next((task.result() for task in done if not task.exception()), None)
        if code:
            await send({"type": "websocket.close", "code": code})
    finally:
        hub().leave(ear)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


signed_in = AuthMiddlewareStack(_listen)


def _ear(scope: Any) -> Ear | None:
    """Who listens, with what is needed to ask later whether they still may."""
    user = scope["user"]
    if not may(user, Right.BOARDS):
        return None
    return Ear(user.pk, scope["session"].session_key, user.get_session_auth_hash())


async def _tell(ear: Ear, send: Any) -> int:
    """Pass on what the hub says; answers the code to close with."""
    while True:
        text = await ear.queue.get()
        if text is None:
            return SIGNED_OUT
        await send({"type": "websocket.send", "text": text})


async def _hear(receive: Any) -> int | None:
    """Pages have nothing to say: what they send is counted and dropped."""
    times: deque[float] = deque(maxlen=MAX_FRAMES_A_SECOND)
    while True:
        frame = await receive()
        if frame["type"] == "websocket.disconnect":
            return None
        body = frame.get("bytes") or (frame.get("text") or "").encode("utf-8", "surrogatepass")
        if len(body) > MAX_FRAME:
            return TOO_BIG
        now = time.monotonic()
        if len(times) == MAX_FRAMES_A_SECOND and now - times[0] < 1:
            return TOO_MANY
        times.append(now)
