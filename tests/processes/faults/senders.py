"""Senders that retry until they get 202, and record every response."""

import asyncio
import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx2

from tests.processes.faults.order_messages import FaultMessage

# httpx2 logs every request at INFO.
logging.getLogger("httpx2").setLevel(logging.WARNING)
SENDERS = 12
DUPLICATE_RATE = 0.05
WINDOW = 300


@dataclass
class SenderLog:
    """The responses that the senders got, by message and in total."""

    accepted: dict[int, str] = field(default_factory=dict)
    # 202 responses by `status`.
    accepted_statuses: Counter[str] = field(default_factory=Counter)
    # Attempts without a response: the message may or may not have been stored.
    unanswered: int = 0
    rejected: Counter[int] = field(default_factory=Counter)
    slowest: float = 0.0
    slowest_rejection: float = 0.0
    response_times: list[float] = field(default_factory=list)
    # Messages that were accepted under two message IDs: they were stored twice.
    stored_twice: list[str] = field(default_factory=list)


class SenderThread:
    """A thread that sends messages, shuffled within a window and some of them twice."""

    def __init__(
        self,
        url: str,
        messages: Sequence[FaultMessage],
        *,
        rate: float = 50,
        seed: int = 0,
        timeout: float = 3,
        window: int = WINDOW,
    ) -> None:
        self.url, self.messages, self.rate, self.timeout = url, messages, rate, timeout
        self.log = SenderLog()
        rng = random.Random(seed)
        order = [(n + rng.random() * window, n) for n in range(len(messages))]
        twice = rng.sample(range(len(messages)), int(len(messages) * DUPLICATE_RATE))
        order += [(n + rng.random() * 2 * window, n) for n in twice]
        self._numbers = [n for _, n in sorted(order)]
        self._sent = 0
        self._no_rate_limit = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> "SenderThread":
        """Start the thread."""
        self._thread.start()
        return self

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def fraction(self) -> float:
        """The fraction of the messages that the senders have started to send."""
        return self._sent / len(self._numbers)

    @property
    def done(self) -> bool:
        """Whether all messages have been accepted."""
        return not self._thread.is_alive()

    def wait_for_fraction(self, share: float, *, seconds: float = 120) -> None:
        """Wait until the senders have started to send this fraction of the messages."""
        deadline = time.monotonic() + seconds
        while self.fraction < share and not self.done:
            assert time.monotonic() < deadline, f"only {self._sent} of {len(self._numbers)} sent"
            time.sleep(0.01)

    def finish(self, *, seconds: float = 180) -> SenderLog:
        """Send the remaining messages without a rate limit and wait until all are accepted."""
        self._no_rate_limit.set()
        self._thread.join(seconds)
        if self._failure is not None:
            raise self._failure
        missing = len(self.messages) - len(self.log.accepted)
        assert self.done, f"{missing} messages not accepted; rejected: {self.log.rejected}"
        return self.log

    def _run(self) -> None:
        try:
            asyncio.run(self._send_all())
        except BaseException as error:  # raised again in finish()
            self._failure = error

    async def _send_all(self) -> None:
        numbers = iter(self._numbers)
        started = time.monotonic()

        async def sender(client: httpx2.AsyncClient) -> None:
            for number in numbers:
                due = started + self._sent / self.rate
                self._sent += 1
                while not self._no_rate_limit.is_set() and (early := due - time.monotonic()) > 0:
                    await asyncio.sleep(min(early, 0.05))
                await self._send_until_accepted(client, number)

        limits = httpx2.Limits(max_connections=SENDERS)
        async with httpx2.AsyncClient(timeout=self.timeout, limits=limits) as client:
            await asyncio.gather(*(sender(client) for _ in range(SENDERS)))

    async def _send_until_accepted(self, client: httpx2.AsyncClient, number: int) -> None:
        pause = 0.05
        while not await self._attempt(client, number):
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(pause * 2, 0.5)

    async def _attempt(self, client: httpx2.AsyncClient, number: int) -> bool:
        message, log = self.messages[number], self.log
        url = f"{self.url}/hooks/{message.slug}"
        started = time.monotonic()
        try:
            headers = dict(message.headers(datetime.now(UTC)))  # noqa: TID251  # a sender's clock
            response = await client.post(url, content=message.body, headers=headers)
        except httpx2.ConnectError:
            return False
        except httpx2.HTTPError:
            log.unanswered += 1
            return False
        seconds = time.monotonic() - started
        log.slowest = max(log.slowest, seconds)
        if response.status_code != 202:
            log.rejected[response.status_code] += 1
            log.slowest_rejection = max(log.slowest_rejection, seconds)
            return False
        log.response_times.append(seconds)
        self._record(number, response.json())
        return True

    def _record(self, number: int, result: dict[str, Any]) -> None:
        self.log.accepted_statuses[result["status"]] += 1
        before = self.log.accepted.setdefault(number, result["message_id"])
        if before != result["message_id"]:
            self.log.stored_twice.append(self.messages[number].identity)


def wait_until(condition: Any, *, seconds: float, what: str, pause: float = 0.1) -> float:
    """Wait until `holds()` is true and return the seconds this took."""
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        with suppress(AssertionError):
            if condition():
                return time.monotonic() - started
        time.sleep(pause)
    raise AssertionError(f"timeout after {seconds} s: {what}")
