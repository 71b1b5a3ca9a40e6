"""One hub a process: it learns once of a change and tells every open socket."""

import asyncio
import json
import logging
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import redis.asyncio
from channels.db import database_sync_to_async  # type: ignore[import-untyped]  # no stubs
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import Error as DatabaseTrouble
from django.db.models import Q
from django.db.models.functions import Now
from redis.exceptions import RedisError

from visibility.db.change_feed import head
from visibility.models import Change
from visibility.notify.broadcast import channel
from visibility.web.permissions import MATRIX, Right

log = logging.getLogger(__name__)

# Between two tellings, at least and at most: twice as long as telling all took, so that it costs a
# third of the process however many listen and however much changes.
PAUSE_SECONDS, MOST_PAUSE_SECONDS = 0.05, 0.25
POLL_SECONDS = 1.0  # the hub looks by itself: the doorbell may be broken
BEAT_SECONDS = 10.0
CHECK_SECONDS = 5.0
MAX_CHANGES = 500
MAX_IDS = 50  # of a kind in one message; more: the page takes it as "any"
MAX_WAITING = 8  # messages of one slow socket
MAX_SOCKETS = 50  # of one session
KINDS = ("alert", "order", "source")
WITH_IDS = ("alert", "order")


@dataclass(eq=False, slots=True)
class Ear:
    """One listening socket: who it is, and the messages it has not taken yet."""

    user: int
    session: str
    auth_hash: str
    # None: close, signed out.
    queue: asyncio.Queue[str | None] = field(
        default_factory=lambda: asyncio.Queue(maxsize=MAX_WAITING)
    )

    def tell(self, text: str | None, head: int) -> None:
        """Hand over a message; a full queue becomes one message: everything may have changed."""
        if self.queue.full() or text is None:
            while not self.queue.empty():
                self.queue.get_nowait()
            text = text and message("change", head, kinds=KINDS)
        self.queue.put_nowait(text)


def message(
    what: str, head: int, *, kinds: Sequence[str] = (), ids: dict[str, list[int]] | None = None
) -> str:
    """What a page reads."""
    said: dict[str, Any] = {"type": what, "head": head}
    if what == "change":
        said |= {"kinds": list(kinds), "ids": ids or {}}
    return json.dumps(said, separators=(",", ":"))


def news(last: int) -> tuple[int, set[str], dict[str, list[int]]]:
    """The head, and what changed since `last`: kinds, and the ids of those that are few.

    A head below `last` means that the database was restored: then everything may have changed.
    """
    newest = head()
    if newest == last:
        return newest, set(), {}
    if newest < last or newest - last > MAX_CHANGES:
        return newest, set(KINDS), {}
    ids: dict[str, set[int]] = {}
    rows = Change.objects.filter(number__gt=last, number__lte=newest).values_list("kind", "ids")
    for kind, some in rows:
        ids.setdefault(kind, set()).update(some)
    few = {k: sorted(v) for k, v in ids.items() if k in WITH_IDS and len(v) <= MAX_IDS}
    return newest, set(ids) or set(KINDS), few


def still_welcome(ears: Sequence[Ear]) -> set[tuple[int, str, str]]:
    """Of the listeners, those whose session lives and whose account is active and has a role."""
    sessions = set(
        Session.objects.filter(
            session_key__in={ear.session for ear in ears}, expire_date__gt=Now()
        ).values_list("session_key", flat=True)
    )
    people = User.objects.filter(
        Q(is_superuser=True) | Q(groups__name__in=MATRIX[Right.BOARDS]),
        pk__in={ear.user for ear in ears},
        is_active=True,
    ).distinct()
    hashes = {user.pk: user.get_session_auth_hash() for user in people}
    return {
        (ear.user, ear.session, ear.auth_hash)
        for ear in ears
        if ear.session in sessions and hashes.get(ear.user) == ear.auth_hash
    }


def pause(took: float) -> float:
    """How long to rest after a telling."""
    return min(max(2 * took, PAUSE_SECONDS), MOST_PAUSE_SECONDS)


class Hub:
    """Runs while somebody listens: a doorbell, a look at the change number, a telling."""

    def __init__(self) -> None:
        self.ears: set[Ear] = set()
        self.head = 0
        self.bell = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []

    def has_room(self, ear: Ear) -> bool:
        """Whether this session may open one more socket."""
        return sum(other.session == ear.session for other in self.ears) < MAX_SOCKETS

    async def join(self, ear: Ear) -> None:
        """Add a listener and greet it with the head as it is now."""
        self.ears.add(ear)
        with suppress(DatabaseTrouble):
            newest = await database_sync_to_async(head)()
            ear.tell(message("hello", newest), newest)
            if not self.tasks:
                self.head = newest
        if not self.tasks and self.ears:
            self.bell = asyncio.Event()
            self.tasks = [
                asyncio.create_task(work)
                for work in (self.watch(), self.wait_for_bell(), self.check())
            ]

    def leave(self, ear: Ear) -> None:
        """Remove a listener; the last one puts the hub to rest."""
        self.ears.discard(ear)
        if not self.ears:
            for task in self.tasks:
                task.cancel()
            self.tasks = []

    async def watch(self) -> None:
        """Look when the bell rings or a second has passed; tell; rest a little."""
        told_at = time.monotonic()
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.bell.wait(), POLL_SECONDS)
            self.bell.clear()
            began = time.monotonic()
            try:
                told_at = await self.look(told_at)
            except DatabaseTrouble as error:
                # No heartbeat without a head: after 30 s the pages say that they are not live.
                log.warning("event=live_look_failed error=%s", type(error).__name__)
            # The messages lie in their queues: two turns of the loop, and they are on their way.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            await asyncio.sleep(pause(time.monotonic() - began))

    async def look(self, told_at: float) -> float:
        """One look: tell what changed, or the heartbeat if it is time; answers the last telling."""
        last = self.head
        self.head, kinds, ids = await database_sync_to_async(news)(last)
        if self.head != last:
            self.tell(message("change", self.head, kinds=sorted(kinds), ids=ids))
        elif time.monotonic() - told_at >= BEAT_SECONDS:
            self.tell(message("beat", self.head))
        else:
            return told_at
        return time.monotonic()

    def tell(self, text: str) -> None:
        """One text for all."""
        for ear in self.ears:
            ear.tell(text, self.head)

    async def wait_for_bell(self) -> None:
        """Follow the doorbell; while Redis is away, try again, ever more rarely, up to 5 s."""
        pause = 0.2
        while True:
            client = redis.asyncio.Redis.from_url(settings.REDIS_URL, socket_timeout=None)
            try:
                async with client, client.pubsub(ignore_subscribe_messages=True) as bell:
                    await bell.subscribe(channel())
                    while True:
                        if await bell.get_message(timeout=POLL_SECONDS):
                            self.bell.set()
                        pause = 0.2
            except (RedisError, OSError) as error:
                log.warning("event=doorbell_lost error=%s", type(error).__name__)
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311  # jitter
            pause = min(pause * 2, 5.0)

    async def check(self) -> None:
        """Every five seconds: close the sockets of people who may no longer listen."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            ears = list(self.ears)
            try:
                welcome = await database_sync_to_async(still_welcome)(ears)
            except DatabaseTrouble as error:
                log.warning("event=live_check_failed error=%s", type(error).__name__)
                continue
            for ear in ears:
                if (ear.user, ear.session, ear.auth_hash) not in welcome:
                    ear.tell(None, 0)


@lru_cache(maxsize=1)
def hub() -> Hub:
    """This process's hub."""
    return Hub()
