"""Fan-out of changes to the live sockets: one hub per process reads each change once."""

import asyncio
import json
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import redis.asyncio
from channels.db import database_sync_to_async
from django.conf import settings
from django.db import Error as DatabaseError
from redis.exceptions import RedisError
from structlog.stdlib import get_logger

from visibility.db.change_feed import latest_change_number
from visibility.models import Change
from visibility.notify.publish_change_number import redis_channel_name
from visibility.web.live.ready_frames import ReadyFrameWriter, encode_text_frame
from visibility.web.people.session_access import SessionAccess, still_granted

log = get_logger(__name__)

# Pause after a broadcast: twice its duration, clamped to these bounds, so that broadcasting uses at
# most a third of the process.
MIN_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.05, 0.25
POLL_SECONDS = 1.0  # without Redis, changes are found by polling
HEARTBEAT_SECONDS = 10.0
AUTHORIZATION_SECONDS = 3.0
MAX_CHANGES = 500
MAX_IDS = 50  # per kind and message; beyond that the page reloads everything of the kind
MAX_QUEUED = 8  # messages per socket
MAX_SOCKETS = 50  # per session
KINDS = ("alert", "export", "order", "source")
KINDS_WITH_IDS = ("alert", "order")


@dataclass(eq=False, slots=True)
class Subscriber:
    """One open socket: its user and session, and the messages it has not sent yet."""

    # That of the handshake. With another one, the page has to load again.
    access: SessionAccess
    # None means: close, the user is no longer authorized.
    queue: asyncio.Queue[str | None] = field(
        default_factory=lambda: asyncio.Queue(maxsize=MAX_QUEUED)
    )
    writer: ReadyFrameWriter | None = None
    # A message was taken from the queue, and the server has not accepted it yet.
    is_sending: bool = False

    def send_frame_or_enqueue(self, frame: bytes, text: str, head: int) -> None:
        """Write a message at once if no other one waits before it, or else queue it."""
        is_next = self.queue.empty() and not self.is_sending
        if not (self.writer and is_next and self.writer.write(frame)):
            self.enqueue_message_or_replace_full_queue(text, head)

    def enqueue_message_or_replace_full_queue(self, text: str | None, head: int) -> None:
        """Queue a message. A full queue is replaced by one message: everything may have changed."""
        if self.queue.full() or text is None:
            while not self.queue.empty():
                self.queue.get_nowait()
            text = text and encode_message("change", head, kinds=KINDS)
        self.queue.put_nowait(text)


def encode_message(
    message_type: str,
    head: int,
    *,
    kinds: Sequence[str] = (),
    ids: dict[str, list[int]] | None = None,
) -> str:
    """A message as JSON; `head` is the latest change number."""
    message: dict[str, Any] = {"type": message_type, "head": head}
    if message_type == "change":
        message |= {"kinds": list(kinds), "ids": ids or {}}
    return json.dumps(message, separators=(",", ":"))


def changes_since(last: int) -> tuple[int, set[str], dict[str, list[int]]]:
    """Return the latest change number, the kinds changed since `last`, and their ids if few.

    A number below `last` means that the database was restored: everything may have changed.
    """
    newest = latest_change_number()
    if newest == last:
        return newest, set(), {}
    if newest < last or newest - last > MAX_CHANGES:
        return newest, set(KINDS), {}
    ids: dict[str, set[int]] = {}
    rows = Change.objects.filter(number__gt=last, number__lte=newest).values_list("kind", "ids")
    for kind, changed in rows:
        ids.setdefault(kind, set()).update(changed)
    listed = {k: sorted(v) for k, v in ids.items() if k in KINDS_WITH_IDS and len(v) <= MAX_IDS}
    return newest, set(ids) or set(KINDS), listed


def pause_seconds_after_broadcast(duration: float) -> float:
    """Seconds to pause after a broadcast that took `duration` seconds."""
    return min(max(2 * duration, MIN_PAUSE_SECONDS), MAX_PAUSE_SECONDS)


class Hub:
    """Polls the change number and broadcasts to all sockets of this process.

    It runs while there are subscribers. Redis only makes it poll sooner.
    """

    def __init__(self) -> None:
        self.subscribers: set[Subscriber] = set()
        self.head = 0
        self.wake_up = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []

    def session_has_capacity(self, subscriber: Subscriber) -> bool:
        """Whether this session may open one more socket."""
        key = subscriber.access.session_key
        return sum(s.access.session_key == key for s in self.subscribers) < MAX_SOCKETS

    async def subscribe(self, subscriber: Subscriber) -> None:
        """Add a socket and send it the latest change number; the first one starts the hub."""
        self.subscribers.add(subscriber)
        with suppress(DatabaseError):
            newest = await database_sync_to_async(latest_change_number)()
            subscriber.enqueue_message_or_replace_full_queue(
                encode_message("hello", newest), newest
            )
            if not self.tasks:
                self.head = newest
        if not self.tasks and self.subscribers:
            self.wake_up = asyncio.Event()
            self.tasks = [
                asyncio.create_task(loop)
                for loop in (
                    self.run_poll_loop(),
                    self.wake_on_redis_broadcast(),
                    self.close_unauthorized_sockets(),
                )
            ]

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Remove a socket; the last one stops the hub."""
        self.subscribers.discard(subscriber)
        if not self.subscribers:
            for task in self.tasks:
                task.cancel()
            self.tasks = []

    async def run_poll_loop(self) -> None:
        """Poll when Redis announces a change or `POLL_SECONDS` have passed; broadcast; pause."""
        sent_at = time.monotonic()
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.wake_up.wait(), POLL_SECONDS)
            self.wake_up.clear()
            began = time.monotonic()
            try:
                sent_at = await self.broadcast_changes_or_heartbeat(sent_at)
            except DatabaseError as error:
                # No heartbeat without a change number: after 30 s the pages show that they are
                # not live.
                log.warning("live_poll_failed", error=type(error).__name__)
            # Messages of slow sockets are queued. After two turns of the event loop they have been
            # sent.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            await asyncio.sleep(pause_seconds_after_broadcast(time.monotonic() - began))

    async def broadcast_changes_or_heartbeat(self, sent_at: float) -> float:
        """Broadcast what changed, or a heartbeat if it is due; return the last broadcast's time."""
        last = self.head
        self.head, kinds, ids = await database_sync_to_async(changes_since)(last)
        if self.head != last:
            self.broadcast(
                encode_message("change", self.head, kinds=sorted(kinds), ids=ids),
                encode_message("change", self.head, kinds=sorted(kinds)),
            )
        elif time.monotonic() - sent_at >= HEARTBEAT_SECONDS:
            heartbeat = encode_message("heartbeat", self.head)
            self.broadcast(heartbeat, heartbeat)
        else:
            return sent_at
        return time.monotonic()

    def broadcast(self, text: str, text_for_scopes: str) -> None:
        """Send one message to every socket, or queue it where the socket is not ready.

        `text_for_scopes` is for people with a scope: without the IDs of orders of others.
        """
        frames: dict[str, bytes] = {}
        for subscriber in self.subscribers:
            message = text if subscriber.access.data_scope is None else text_for_scopes
            if message not in frames:
                frames[message] = encode_text_frame(message)
            subscriber.send_frame_or_enqueue(frames[message], message, self.head)

    async def wake_on_redis_broadcast(self) -> None:
        """Wake the poll loop for each published change; reconnect with a back-off of up to 5 s."""
        delay = 0.2
        while True:
            client = redis.asyncio.Redis.from_url(settings.REDIS_URL, socket_timeout=None)
            try:
                async with client, client.pubsub(ignore_subscribe_messages=True) as subscription:
                    await subscription.subscribe(redis_channel_name())
                    while True:
                        if await subscription.get_message(timeout=POLL_SECONDS):
                            self.wake_up.set()
                        delay = 0.2
            except (RedisError, OSError) as error:
                log.warning("live_redis_lost", error=type(error).__name__)
            await asyncio.sleep(delay * random.uniform(0.5, 1.5))  # noqa: S311  # jitter
            delay = min(delay * 2, 5.0)

    async def close_unauthorized_sockets(self) -> None:
        """Close the sockets of users who signed out, or whose role changed."""
        while True:
            await asyncio.sleep(AUTHORIZATION_SECONDS)
            subscribers = list(self.subscribers)
            try:
                accesses = [subscriber.access for subscriber in subscribers]
                granted = await database_sync_to_async(still_granted)(accesses)
            except DatabaseError as error:
                log.warning("live_authorization_failed", error=type(error).__name__)
                continue
            for subscriber in subscribers:
                if subscriber.access not in granted:
                    subscriber.enqueue_message_or_replace_full_queue(None, 0)


@lru_cache(maxsize=1)
def hub_of_this_process() -> Hub:
    """This process's hub."""
    return Hub()
