"""One run: the past as fast as it is taken, then the world as it goes on."""

import asyncio
import math
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from visibility.simulator import answer_key as answers
from visibility.simulator.checkpoint import Mark, Watermark
from visibility.simulator.erp_feed import Feed
from visibility.simulator.erp_server import Server
from visibility.simulator.generator import World
from visibility.simulator.model import ERP
from visibility.simulator.sender import Sender
from visibility.simulator.setup import Setup
from visibility.simulator.stream import PULSES, Future, Past, orders_until, silent
from visibility.simulator.vendors import pulse, write

# Without --live: how long the ERP waits for a poller that reads it to the end.
POLLER_WAIT = 60.0


class Run:
    """Holds what the tasks of one run share."""

    def __init__(
        self, setup: Setup, mark: Mark, key_file: Path, say: Callable[[str], None]
    ) -> None:
        self._mark, self._say = mark, say
        self._world = World(mark.setting)
        self._past = Past(self._world)
        self._future = Future(self._world, self._past.pending)
        rows = [*self._past.rows, *self._future.skip(mark.live_until)]
        self._past.rows.clear()
        # The server draws its orders itself: its threads share nothing with the sending.
        self._feed = Feed(World(mark.setting))
        self._feed.fill(rows)
        self._server = Server(self._feed, setup.erp_port, setup.erp_token)
        self._sender = Sender(setup.url, setup.hooks, say)
        self._key = answers.Key(key_file)
        self._live_mark = Watermark(mark.live_until)
        self._past_mark = Watermark(mark.sent)
        self._arrived = mark.sent
        self._silences = 0
        self._stop = asyncio.Event()

    async def run(self, *, live: bool) -> None:
        """Until everything is told, or for ever; SIGTERM and SIGINT end it."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        self._server.start()
        self._sender.start()
        self._write_key()
        work = asyncio.create_task(self._work(live=live))
        stop = asyncio.create_task(self._stop.wait())
        watch = asyncio.create_task(self._watch())
        try:
            await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (work, stop, watch):
                task.cancel()
            results = await asyncio.gather(work, stop, watch, return_exceptions=True)
            await self._sender.stop()
            self._save()
            await asyncio.to_thread(self._server.stop)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _work(self, *, live: bool) -> None:
        async with asyncio.TaskGroup() as group:
            if live:
                group.create_task(self._live())
            group.create_task(self._tell_past())
        if not live:
            await self._read_out()

    async def _tell_past(self) -> None:
        begun, before = time.monotonic(), self._mark.sent
        for place, (n, step) in enumerate(self._past.messages()):
            if place < before:
                continue
            ticket = self._past_mark.begin(place)
            message = write(self._world.order(n), step)
            await self._sender.put(message, partial(self._taken, ticket))
        while self._arrived < self._past.total:
            await asyncio.sleep(0.02)
        self._past_mark.end(self._past_mark.begin(self._past.total))
        seconds = max(time.monotonic() - begun, 0.001)
        count = self._past.total - before
        self._say(f"back-fill done: {count} messages in {seconds:.0f} s, {count / seconds:.0f}/s")

    def _taken(self, ticket: int) -> None:
        self._past_mark.end(ticket)
        self._arrived += 1

    async def _live(self) -> None:
        while True:
            now = time.time()
            began: list[int] = []
            while entry := self._future.pop(now, began):
                step = self._future.step(entry)
                if step.kind in ERP:
                    self._feed.add(step, entry.n, entry.place)
                    continue
                if entry.n == PULSES:
                    if silent(self._world.silences, entry.at) or entry.at < now - 60:
                        continue
                    message = pulse(entry.place, entry.at)
                else:
                    message = write(self._world.order(entry.n), step)
                ticket = self._live_mark.begin(entry.at)
                await self._sender.put(message, partial(self._live_mark.end, ticket))
            self._note(began, now)
            wait = self._future.next_at() - time.time()
            await asyncio.sleep(min(max(wait, 0.01), 1.0))

    def _note(self, began: list[int], now: float) -> None:
        """Write into the answer key what has begun by now."""
        self._key.write(e for n in began for e in answers.entries(self._world.order(n)))
        silences = self._world.silences
        while silences and silences.live(self._silences)[0] <= now:
            self._key.write([answers.silence(silences.live(self._silences), live=True)])
            self._silences += 1

    def _write_key(self) -> None:
        """What was broken up to the first start, or up to where the last run came."""
        until = max(self._mark.setting.started, self._mark.live_until)
        if silences := self._world.silences:
            self._key.write(answers.silence(window, live=False) for window in silences.past)
        orders = orders_until(self._world, until)
        self._key.write(e for n in orders for e in answers.entries(self._world.order(n)))

    async def _watch(self) -> None:
        """Progress, and where we are, once a second."""
        told, before, total = "", self._arrived, self._past.total
        while True:
            await asyncio.sleep(1.0)
            self._save()
            percent = math.floor(100 * self._arrived / total) if total else 100
            line = f"progress back-fill {percent} % {self._arrived}/{total} messages"
            if line != told:
                self._say(f"{line} {self._arrived - before}/s")
            told, before = line, self._arrived

    def _save(self) -> None:
        self._mark.sent = int(self._past_mark.done)
        self._mark.live_until = max(self._mark.live_until, self._live_mark.done)
        self._mark.save()

    async def _read_out(self) -> None:
        """Let a poller read the ERP to its end."""
        asked, quiet = self._server.asked, time.monotonic()
        while self._feed.unread() and time.monotonic() - quiet < POLLER_WAIT:
            await asyncio.sleep(0.2)
            if self._server.asked != asked:
                asked, quiet = self._server.asked, time.monotonic()
        if left := self._feed.unread():
            self._say(f"{left} rows of the ERP were not read: no poller asked for them")
