"""Test client of the live socket."""

import json
from typing import Any

from asgiref.testing import ApplicationCommunicator
from django.test import Client

from visibility.web.live.routing import websocket_application

ORIGIN = (b"origin", b"http://testserver")
HOST = (b"host", b"testserver")


class LiveTestClient:
    """Connects through the routing, origin check and session of the product."""

    def __init__(
        self, client: Client | None, *headers: tuple[bytes, bytes], path: str = "/ws/live"
    ) -> None:
        cookies = "; ".join(f"{c.key}={c.value}" for c in client.cookies.values()) if client else ""
        given = [*(headers or (ORIGIN, HOST)), (b"cookie", cookies.encode())]
        scope = {"type": "websocket", "path": path, "headers": given, "query_string": b""}
        self.wire: Any = ApplicationCommunicator(websocket_application, scope)  # type: ignore[no-untyped-call]  # asgiref

    async def connect(self) -> bool:
        await self.wire.send_input({"type": "websocket.connect"})
        return bool((await self.wire.receive_output(timeout=3))["type"] == "websocket.accept")

    async def send(self, **frame: str | bytes) -> None:
        await self.wire.send_input({"type": "websocket.receive", **frame})

    async def receive(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads((await self.wire.receive_output(timeout=3))["text"])
        return message

    async def receive_change(self) -> dict[str, Any]:
        while (message := await self.receive())["type"] != "change":
            pass
        return message

    async def close_code(self) -> int:
        while (message := await self.wire.receive_output(timeout=3))["type"] == "websocket.send":
            pass
        return int(message["code"])

    async def disconnect(self) -> None:
        await self.wire.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.wire.wait(timeout=3)
