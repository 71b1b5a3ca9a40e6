"""Signed posts over kept connections, a few at once; what is not taken is sent again."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from visibility.simulator.vendors import signed
from visibility.simulator.vendors.message import Message

CONNECTIONS = 16
FIRST_WAIT, LONGEST_WAIT = 0.2, 30.0
TIMEOUT = 30.0
# These mean that this one message will never be taken; others may.
HOPELESS = frozenset({400, 413, 415, 422, 431})
TRIES = 5


class Hook(NamedTuple):
    """Where a source is posted to, and its secret."""

    path: str
    secret: str


class Refused(Exception):
    """The message was not taken; `wait` is what the other side asked for."""

    def __init__(self, status: int, wait: float | None) -> None:
        super().__init__(f"answered {status}")
        self.status, self.wait = status, wait


class Connection:
    """One HTTP/1.1 connection that is kept."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or "127.0.0.1"
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._port = parts.port or (443 if self._tls else 80)
        self._name = parts.netloc.rpartition("@")[2]
        self._pair: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, headers: Mapping[str, str], body: bytes) -> None:
        """Raises Refused for anything but 2xx, OSError and EOFError where there is no answer."""
        kept = self._pair is not None
        try:
            await self._post(path, headers, body)
        except (OSError, EOFError):
            self.close()
            if not kept:
                raise
            # The other side closes connections that were idle: that is no failure yet.
            await self._post(path, headers, body)

    async def _post(self, path: str, headers: Mapping[str, str], body: bytes) -> None:
        if self._pair is None:
            self._pair = await asyncio.open_connection(self._host, self._port, ssl=self._tls)
        reader, writer = self._pair
        lines = [f"POST {path} HTTP/1.1", f"host: {self._name}", f"content-length: {len(body)}"]
        lines += [f"{name}: {text}" for name, text in headers.items()]
        writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
        status, answer = await _head(reader)
        while 100 <= status < 200:
            status, answer = await _head(reader)
        await _drain(reader, answer)
        if answer.get("connection", "").lower() == "close":
            self.close()
        if not 200 <= status < 300:
            raise Refused(status, _seconds(answer.get("retry-after", "")))

    def close(self) -> None:
        """Give it up; the next post opens another."""
        if self._pair is not None:
            self._pair[1].close()
            self._pair = None


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *rest = head.split("\r\n")
    headers: dict[str, str] = {}
    for line in rest:
        name, _, text = line.partition(":")
        headers[name.lower()] = text.strip()
    try:
        return int(first.split(" ", 2)[1]), headers
    except (IndexError, ValueError):
        raise ConnectionError(f"no HTTP: {first[:40]!r}") from None


async def _drain(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> None:
    """Read the body away."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        while size := int((await reader.readline()).split(b";")[0], 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    elif length := int(headers.get("content-length") or 0):
        await reader.readexactly(length)


def _seconds(text: str) -> float | None:
    try:
        return max(float(text), 0.0)
    except ValueError:
        return None


class Sender:
    """Workers that share a short queue; `put` waits while they are busy."""

    def __init__(
        self,
        url: str,
        hooks: Mapping[str, Hook],
        say: Callable[[str], None],
        connections: int = CONNECTIONS,
    ) -> None:
        self._url, self._hooks, self._say = url, hooks, say
        self._queue: asyncio.Queue[tuple[Message, Callable[[], None]]] = asyncio.Queue(
            connections * 2
        )
        self._count = connections
        self._workers: list[asyncio.Task[None]] = []
        self._complained = 0.0
        self.sent = 0
        self.given_up = 0

    def start(self) -> None:
        """Open for work."""
        self._workers = [asyncio.create_task(self._work()) for _ in range(self._count)]

    async def put(self, message: Message, done: Callable[[], None]) -> None:
        """Send it some time soon; `done` is called when it was taken."""
        await self._queue.put((message, done))

    async def flush(self) -> None:
        """Wait until everything was taken."""
        await self._queue.join()

    async def stop(self) -> None:
        """Drop what is under way."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    async def _work(self) -> None:
        connection = Connection(self._url)
        try:
            while True:
                message, done = await self._queue.get()
                await self._deliver(connection, message)
                done()
                self._queue.task_done()
        finally:
            connection.close()

    async def _deliver(self, connection: Connection, message: Message) -> None:
        """Until it is taken; a message that can never be is given up after a few tries."""
        hook, wait, tries = self._hooks[message.source], FIRST_WAIT, 0
        while True:
            try:
                headers = signed(message, hook.secret, time.time())
                async with asyncio.timeout(TIMEOUT):
                    await connection.post(hook.path, headers, message.body)
            except Refused as refused:
                pause, reason = refused.wait, str(refused)
                tries += refused.status in HOPELESS
            except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
                connection.close()
                pause, reason = None, f"no answer ({type(error).__name__})"
            else:
                self.sent += 1
                return
            if pause is None:  # with Retry-After it is only asked to be slower
                self._complain(f"{hook.path}: {reason}")
            if tries >= TRIES:
                self.given_up += 1
                return
            await asyncio.sleep(min(wait if pause is None else pause, 10 * LONGEST_WAIT))
            wait = min(wait * 2, LONGEST_WAIT)

    def _complain(self, reason: str) -> None:
        """Once in ten seconds, so that a stop of the other side does not fill the log."""
        now = time.monotonic()
        if now - self._complained > 10 or not self._complained:
            self._complained = now
            with contextlib.suppress(OSError):
                self._say(f"waiting: {reason}, trying again")
