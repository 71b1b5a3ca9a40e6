"""Senders that try again until they hear 202, and remember every word they heard."""

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

from tests.faults.story import Message

# A line for each request would bury what matters.
logging.getLogger("httpx2").setLevel(logging.WARNING)
SENDERS = 12
REPEATED = 0.05
WINDOW = 300


@dataclass
class Heard:
    """What the senders heard, by message and in sum."""

    accepted: dict[int, str] = field(default_factory=dict)
    # Answers 202 by what they said.
    answers: Counter[str] = field(default_factory=Counter)
    # Tries without an answer: their message may have been kept or not.
    unanswered: int = 0
    refused: Counter[int] = field(default_factory=Counter)
    slowest: float = 0.0
    slowest_refusal: float = 0.0
    took: list[float] = field(default_factory=list)
    # Said of one message under two numbers: it was doubled.
    doubled: list[str] = field(default_factory=list)


class Sending:
    """A thread that sends messages, some twice and all of them shuffled within a window."""

    def __init__(
        self,
        url: str,
        messages: Sequence[Message],
        *,
        rate: float = 50,
        seed: int = 0,
        patience: float = 3,
        window: int = WINDOW,
    ) -> None:
        self.url, self.messages, self.rate, self.patience = url, messages, rate, patience
        self.heard = Heard()
        chance = random.Random(seed)
        places = [(n + chance.random() * window, n) for n in range(len(messages))]
        twice = chance.sample(range(len(messages)), int(len(messages) * REPEATED))
        places += [(n + chance.random() * 2 * window, n) for n in twice]
        self._numbers = [n for _, n in sorted(places)]
        self._sent = 0
        self._hurry = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> "Sending":
        """Begin."""
        self._thread.start()
        return self

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def share(self) -> float:
        """How much of it was taken up by a sender."""
        return self._sent / len(self._numbers)

    @property
    def done(self) -> bool:
        """Whether all have been accepted."""
        return not self._thread.is_alive()

    def reach(self, share: float, *, seconds: float = 120) -> None:
        """Wait until this share of the messages was taken up by a sender."""
        until = time.monotonic() + seconds
        while self.share < share and not self.done:
            assert time.monotonic() < until, f"only {self._sent} of {len(self._numbers)} are sent"
            time.sleep(0.01)

    def finish(self, *, seconds: float = 180) -> Heard:
        """Wait for the last acceptance, without holding back any more."""
        self._hurry.set()
        self._thread.join(seconds)
        if self._failure is not None:
            raise self._failure
        missing = len(self.messages) - len(self.heard.accepted)
        assert self.done, f"{missing} messages are not accepted; refused: {self.heard.refused}"
        return self.heard

    def _run(self) -> None:
        try:
            asyncio.run(self._all())
        except BaseException as error:  # told to whoever waits
            self._failure = error

    async def _all(self) -> None:
        numbers = iter(self._numbers)
        began = time.monotonic()

        async def sender(client: httpx2.AsyncClient) -> None:
            for number in numbers:
                due = began + self._sent / self.rate
                self._sent += 1
                while not self._hurry.is_set() and (early := due - time.monotonic()) > 0:
                    await asyncio.sleep(min(early, 0.05))
                await self._one(client, number)

        limits = httpx2.Limits(max_connections=SENDERS)
        async with httpx2.AsyncClient(timeout=self.patience, limits=limits) as client:
            await asyncio.gather(*(sender(client) for _ in range(SENDERS)))

    async def _one(self, client: httpx2.AsyncClient, number: int) -> None:
        pause = 0.05
        while not await self._try(client, number):
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(pause * 2, 0.5)

    async def _try(self, client: httpx2.AsyncClient, number: int) -> bool:
        message, heard = self.messages[number], self.heard
        url = f"{self.url}/hooks/{message.slug}"
        began = time.monotonic()
        try:
            headers = dict(message.headers(datetime.now(UTC)))  # noqa: TID251  # a sender's clock
            answer = await client.post(url, content=message.body, headers=headers)
        except httpx2.ConnectError:
            return False
        except httpx2.HTTPError:
            heard.unanswered += 1
            return False
        took = time.monotonic() - began
        heard.slowest = max(heard.slowest, took)
        if answer.status_code != 202:
            heard.refused[answer.status_code] += 1
            heard.slowest_refusal = max(heard.slowest_refusal, took)
            return False
        heard.took.append(took)
        self._note(number, answer.json())
        return True

    def _note(self, number: int, said: dict[str, Any]) -> None:
        self.heard.answers[said["status"]] += 1
        before = self.heard.accepted.setdefault(number, said["message_id"])
        if before != said["message_id"]:
            self.heard.doubled.append(self.messages[number].identity)


def until(holds: Any, *, seconds: float, what: str, pause: float = 0.1) -> float:
    """Wait until it holds; how long that took."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        with suppress(AssertionError):
            if holds():
                return time.monotonic() - began
        time.sleep(pause)
    raise AssertionError(f"not within {seconds} s: {what}")
