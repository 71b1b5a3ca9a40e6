"""The live socket behind uvicorn, with a real WebSocket client."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from asgiref.sync import sync_to_async
from django.contrib.sessions.models import Session
from django.test import Client
from pytest_django import Settings
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.typing import Origin

from tests.builders import uvicorn_server
from tests.builders.users import signed_in
from visibility.db.change_feed import append_changes
from visibility.launcher.process_plan import web_command
from visibility.web.live import hub as hubs
from visibility.web.live.hub import hub_of_this_process
from visibility.web.live.ready_frames import encode_text_frame
from visibility.web.live.routing import websocket_application
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
WEB_COMMAND = web_command("127.0.0.1", 0)
WS_OPTION = WEB_COMMAND[WEB_COMMAND.index("--ws") + 1]


@pytest.fixture(autouse=True)
def _fast_hub(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["127.0.0.1"]
    # The test runs in one transaction, so its connection must stay open between two queries.
    monkeypatch.setattr("channels.db.close_old_connections", lambda: None)
    hub_of_this_process.cache_clear()
    monkeypatch.setattr(hubs, "AUTHORIZATION_SECONDS", 0.1)
    monkeypatch.setattr(hubs, "POLL_SECONDS", 0.1)


def serve(then: Callable[[int], Awaitable[None]]) -> None:
    """Run `then` with the port of a server of the sockets."""
    uvicorn_server.serve(websocket_application, then, ws=WS_OPTION, ws_per_message_deflate=False)


def opened(port: int, client: Client | None, *, path: str = "/ws/live", host: str = "") -> connect:
    cookie = f"sessionid={client.cookies['sessionid'].value}" if client else ""
    return connect(
        f"ws://127.0.0.1:{port}{path}",
        origin=Origin(host or f"http://127.0.0.1:{port}"),
        additional_headers={"Cookie": cookie},
    )


async def close_code(page: ClientConnection) -> int | None:
    """Receive until the server closes; return its close code."""
    async with asyncio.timeout(5):
        with suppress(ConnectionClosedError):
            async for _ in page:
                pass
    return page.close_code


def test_handshake_change_and_disconnect(caplog: pytest.LogCaptureFixture) -> None:
    client = signed_in(UserRole.OPERATIONS)

    async def then(port: int) -> None:
        async with opened(port, client) as page:
            assert json.loads(await page.recv())["type"] == "hello"
            head = await sync_to_async(append_changes)({"order": [7]})
            assert json.loads(await asyncio.wait_for(page.recv(), 5)) == {
                "type": "change",
                "head": head,
                "kinds": ["order"],
                "ids": {"order": [7]},
            }
        await asyncio.sleep(0.2)
        assert not hub_of_this_process().subscribers

    serve(then)
    assert "Exception" not in caplog.text


def refuse_to_queue(message: str | None) -> None:
    raise AssertionError(f"queued: {message}")


def test_change_is_encoded_once_and_written_to_each_open_socket(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Pins what `ReadyFrameWriter` uses of uvicorn: without it, messages go through the queue."""
    encoded: list[str] = []

    def encode(text: str) -> bytes:
        encoded.append(text)
        return encode_text_frame(text)

    monkeypatch.setattr(hubs, "encode_text_frame", encode)
    client = signed_in(UserRole.OPERATIONS)

    async def then(port: int) -> None:
        async with opened(port, client) as first, opened(port, client) as second:
            pages = (first, second)
            assert [json.loads(await page.recv())["type"] for page in pages] == ["hello", "hello"]
            for subscriber in hub_of_this_process().subscribers:
                monkeypatch.setattr(subscriber.queue, "put_nowait", refuse_to_queue)
            head = await sync_to_async(append_changes)({"order": [7]})
            for page in pages:
                assert json.loads(await asyncio.wait_for(page.recv(), 5))["head"] == head
        assert len([text for text in encoded if '"change"' in text]) == 1

    serve(then)


def test_handshakes_of_other_origins_paths_and_anonymous_users_get_403() -> None:
    client = signed_in(UserRole.OPERATIONS)

    async def then(port: int) -> None:
        for attempt in (
            opened(port, client, host="http://evil.example"),
            opened(port, client, host=f"http://127.0.0.1:{port + 1}"),
            opened(port, client, path="/ws/other"),
            opened(port, None),
        ):
            with pytest.raises(InvalidStatus) as refused:
                await attempt
            assert refused.value.response.status_code == 403

    serve(then)


def test_close_codes_reach_the_client(caplog: pytest.LogCaptureFixture) -> None:
    client = signed_in(UserRole.OPERATIONS)

    async def then(port: int) -> None:
        async with opened(port, client) as page:
            await page.send("x" * 70_000)
            assert await close_code(page) == 1009
        async with opened(port, client) as page:
            for _ in range(40):
                await page.send("x")
            assert await close_code(page) == 1008
        async with opened(port, client) as page:
            await page.recv()
            await sync_to_async(Session.objects.all().delete)()
            assert await close_code(page) == 4401

    serve(then)
    assert "Exception" not in caplog.text


def test_page_that_vanishes_without_a_close_frame_is_unsubscribed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = signed_in(UserRole.OPERATIONS)

    async def then(port: int) -> None:
        page = await opened(port, client)
        await page.recv()
        page.transport.abort()
        for _ in range(50):
            await sync_to_async(append_changes)({"order": [1]})
            await asyncio.sleep(0.02)
        assert not hub_of_this_process().subscribers

    serve(then)
    assert "Exception" not in caplog.text
