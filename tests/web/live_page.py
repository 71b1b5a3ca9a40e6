"""A page's end of the live socket, for the tests."""

import json
from typing import Any

from asgiref.testing import ApplicationCommunicator
from django.test import Client

from visibility.web.live.consumer import socket

OWN = (b"origin", b"http://testserver")
HOST = (b"host", b"testserver")


class Page:
    """A page's end of the socket."""

    def __init__(self, client: Client | None, *headers: tuple[bytes, bytes]) -> None:
        cookies = "; ".join(f"{c.key}={c.value}" for c in client.cookies.values()) if client else ""
        given = [*(headers or (OWN, HOST)), (b"cookie", cookies.encode())]
        scope = {"type": "websocket", "path": "/ws/live", "headers": given, "query_string": b""}
        self.wire: Any = ApplicationCommunicator(socket, scope)  # type: ignore[no-untyped-call]

    async def connect(self) -> bool:
        await self.wire.send_input({"type": "websocket.connect"})
        return bool((await self.wire.receive_output(timeout=3))["type"] == "websocket.accept")

    async def send(self, **frame: str | bytes) -> None:
        await self.wire.send_input({"type": "websocket.receive", **frame})

    async def told(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((await self.wire.receive_output(timeout=3))["text"])
        return found

    async def told_of_change(self) -> dict[str, Any]:
        while (found := await self.told())["type"] != "change":
            pass
        return found

    async def closed(self) -> int:
        while (said := await self.wire.receive_output(timeout=3))["type"] == "websocket.send":
            pass
        return int(said["code"])

    async def hang_up(self) -> None:
        await self.wire.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.wire.wait(timeout=3)
