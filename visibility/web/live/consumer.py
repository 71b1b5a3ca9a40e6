"""The consumer of `/ws/live`: connect, authentication, rate limit and close of one socket."""

import asyncio
import time
from collections import deque
from contextlib import suppress
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from visibility.web.live.hub import Subscriber, hub_of_this_process
from visibility.web.live.ready_frames import SCOPE_KEY
from visibility.web.people.second_factor import lacks_second_factor
from visibility.web.people.session_access import current_access
from visibility.web.permissions import Permission, has_permission

MAX_FRAME_BYTES = 65_536
MAX_FRAMES_PER_SECOND = 20
# Close codes. 4401 is ours: the session or its rights ended. The others are from RFC 6455.
UNAUTHORIZED, POLICY_VIOLATION, MESSAGE_TOO_BIG = 4401, 1008, 1009


class LiveConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # channels has no stubs
    """One page's socket. It forwards the hub's messages; it ignores what the page sends."""

    def __init__(self) -> None:
        super().__init__()
        self.subscriber: Subscriber | None = None
        self.sender: asyncio.Task[None] | None = None
        self.received_at: deque[float] = deque(maxlen=MAX_FRAMES_PER_SECOND)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Run until the socket closes; unsubscribe however that happens.

        Channels calls `disconnect()` a thread switch after the disconnect message, and not at all
        if the task is canceled. uvicorn raises on each send in between.
        """

        async def receive_until_disconnect() -> Any:
            frame = await receive()
            if frame["type"] == "websocket.disconnect":
                self._unsubscribe_and_stop_sending()
            return frame

        try:
            await super().__call__(scope, receive_until_disconnect, send)
        finally:
            self._unsubscribe_and_stop_sending()
            if self.sender is not None:
                await asyncio.wait([self.sender])
                if not self.sender.cancelled():
                    self.sender.result()  # raises what ended it

    async def connect(self) -> None:
        """Accept a user who may see boards; refuse others with HTTP 403."""
        subscriber = await database_sync_to_async(authenticated_subscriber)(self.scope)
        if subscriber is None or not hub_of_this_process().session_has_capacity(subscriber):
            await self.close(UNAUTHORIZED)
            return
        await self.accept()
        self.subscriber = subscriber
        self.sender = asyncio.create_task(self._forward_hub_messages(subscriber))
        await hub_of_this_process().subscribe(subscriber)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Close the socket of a page that sends too much; drop the frame otherwise."""
        if self.subscriber is None:
            return
        # A lone surrogate is valid in a Python string but not in UTF-8.
        frame = bytes_data or (text_data or "").encode("utf-8", "surrogatepass")
        if len(frame) > MAX_FRAME_BYTES:
            await self._unsubscribe_and_close(MESSAGE_TOO_BIG)
            return
        now = time.monotonic()
        received_at = self.received_at
        if len(received_at) == MAX_FRAMES_PER_SECOND and now - received_at[0] < 1:
            await self._unsubscribe_and_close(POLICY_VIOLATION)
            return
        received_at.append(now)

    async def _forward_hub_messages(self, subscriber: Subscriber) -> None:
        """Send the hub's messages until it says that the user is no longer authorized.

        This is a task of its own because Channels' `dispatch()` switches threads for each message.
        """
        # uvicorn raises an OSError if the client is gone. The disconnect message follows.
        with suppress(OSError):
            while (text := await subscriber.queue.get()) is not None:
                subscriber.is_sending = True
                await self.send(text_data=text)
                subscriber.is_sending = False
            hub_of_this_process().unsubscribe(subscriber)
            self.subscriber = None
            await self.close(UNAUTHORIZED)

    async def _unsubscribe_and_close(self, code: int) -> None:
        self._unsubscribe_and_stop_sending()
        await self.close(code)

    def _unsubscribe_and_stop_sending(self) -> None:
        """Stop sending. Safe to call twice."""
        if self.subscriber is not None:
            hub_of_this_process().unsubscribe(self.subscriber)
            self.subscriber = None
        if self.sender is not None:
            self.sender.cancel()


def authenticated_subscriber(scope: Any) -> Subscriber | None:
    """The subscriber of this handshake; None if its user is not signed in or has no role."""
    user, session = scope["user"], scope["session"]
    if not has_permission(user, Permission.BOARDS) or lacks_second_factor(user, session):
        return None
    return Subscriber(current_access(user, session), writer=scope.get(SCOPE_KEY))
