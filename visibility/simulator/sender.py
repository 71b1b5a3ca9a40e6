"""Post signed messages over persistent connections; retry until each is accepted."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from visibility.simulator.vendors import signed_headers
from visibility.simulator.vendors.message import SimulatedMessage

CONNECTIONS = 16
MIN_RETRY_DELAY, MAX_RETRY_DELAY = 0.2, 30.0
TIMEOUT = 30.0
# With these statuses the message itself is invalid; retrying it does not help.
PERMANENT_STATUSES = frozenset({400, 413, 415, 422, 431})
MAX_ATTEMPTS = 5


class WebhookPathAndSecret(NamedTuple):
    """The webhook path of a source and its signing secret."""

    path: str
    secret: str


class MessageRejected(Exception):
    """The product did not accept the message; `wait` is its Retry-After in seconds."""

    def __init__(self, status: int, wait: float | None) -> None:
        super().__init__(f"HTTP status {status}")
        self.status, self.retry_after = status, wait


class PersistentHttpConnection:
    """One persistent HTTP/1.1 connection."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._host = address.hostname or "127.0.0.1"
        self._tls = ssl.create_default_context() if address.scheme == "https" else None
        self._port = address.port or (443 if self._tls else 80)
        self._name = address.netloc.rpartition("@")[2]
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post_with_single_reconnect(
        self, path: str, headers: Mapping[str, str], body: bytes
    ) -> None:
        """Post a message.

        Raises MessageRejected for any status but 2xx, OSError or EOFError without a response.
        """
        reused = self._streams is not None
        try:
            await self._post_and_raise_unless_2xx(path, headers, body)
        except (OSError, EOFError):
            self.close()
            if not reused:
                raise
            # The server closes idle connections; that alone is not a failure.
            await self._post_and_raise_unless_2xx(path, headers, body)

    async def _post_and_raise_unless_2xx(
        self, path: str, headers: Mapping[str, str], body: bytes
    ) -> None:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port, ssl=self._tls)
        reader, writer = self._streams
        lines = [f"POST {path} HTTP/1.1", f"host: {self._name}", f"content-length: {len(body)}"]
        lines += [f"{name}: {text}" for name, text in headers.items()]
        writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
        status, response_headers = await _read_response_head(reader)
        while 100 <= status < 200:
            status, response_headers = await _read_response_head(reader)
        await _discard_body(reader, response_headers)
        if response_headers.get("connection", "").lower() == "close":
            self.close()
        if not 200 <= status < 300:
            raise MessageRejected(
                status, _parse_retry_after(response_headers.get("retry-after", ""))
            )

    def close(self) -> None:
        """Close the connection; the next post opens a new one."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def _read_response_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status_line, *lines = head.split("\r\n")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, text = line.partition(":")
        headers[name.lower()] = text.strip()
    try:
        return int(status_line.split(" ", 2)[1]), headers
    except (IndexError, ValueError):
        raise ConnectionError(f"not an HTTP response: {status_line[:40]!r}") from None


async def _discard_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> None:
    """Read and discard the body."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        while size := int((await reader.readline()).split(b";")[0], 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    elif length := int(headers.get("content-length") or 0):
        await reader.readexactly(length)


def _parse_retry_after(text: str) -> float | None:
    try:
        return max(float(text), 0.0)
    except ValueError:
        return None


class MessageSender:
    """Workers that share a short queue; `put()` waits while it is full."""

    def __init__(
        self,
        url: str,
        hooks: Mapping[str, WebhookPathAndSecret],
        log: Callable[[str], None],
        connections: int = CONNECTIONS,
    ) -> None:
        self._url, self._hooks, self._log = url, hooks, log
        self._queue: asyncio.Queue[tuple[SimulatedMessage, Callable[[], None]]] = asyncio.Queue(
            connections * 2
        )
        self._count = connections
        self._workers: list[asyncio.Task[None]] = []
        self._logged_at = 0.0
        self.sent = 0
        self.given_up = 0

    def start(self) -> None:
        """Start the workers."""
        self._workers = [
            asyncio.create_task(self._deliver_queued_messages()) for _ in range(self._count)
        ]

    async def enqueue(self, message: SimulatedMessage, done: Callable[[], None]) -> None:
        """Queue a message; `done` is called once it was accepted or given up."""
        await self._queue.put((message, done))

    async def flush(self) -> None:
        """Wait until every queued message was accepted or given up."""
        await self._queue.join()

    async def stop_and_drop_unsent(self) -> None:
        """Cancel the workers and drop unsent messages."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    async def _deliver_queued_messages(self) -> None:
        connection = PersistentHttpConnection(self._url)
        try:
            while True:
                message, done = await self._queue.get()
                await self._deliver_with_retries(connection, message)
                done()
                self._queue.task_done()
        finally:
            connection.close()

    async def _deliver_with_retries(
        self, connection: PersistentHttpConnection, message: SimulatedMessage
    ) -> None:
        """Retry until the message is accepted; give up an invalid one after a few attempts."""
        hook, wait, tries = self._hooks[message.source], MIN_RETRY_DELAY, 0
        while True:
            try:
                headers = signed_headers(message, hook.secret, time.time())
                async with asyncio.timeout(TIMEOUT):
                    await connection.post_with_single_reconnect(hook.path, headers, message.body)
            except MessageRejected as refused:
                pause, reason = refused.retry_after, str(refused)
                tries += refused.status in PERMANENT_STATUSES
            except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
                connection.close()
                pause, reason = None, f"no response ({type(error).__name__})"
            else:
                self.sent += 1
                return
            if pause is None:  # Retry-After only asks for a lower rate
                self._log_retry_at_most_every_10_seconds(f"{hook.path}: {reason}")
            if tries >= MAX_ATTEMPTS:
                self.given_up += 1
                return
            await asyncio.sleep(min(wait if pause is None else pause, 10 * MAX_RETRY_DELAY))
            wait = min(wait * 2, MAX_RETRY_DELAY)

    def _log_retry_at_most_every_10_seconds(self, reason: str) -> None:
        """Log at most once in ten seconds, so that an outage does not fill the log."""
        now = time.monotonic()
        if now - self._logged_at > 10 or not self._logged_at:
            self._logged_at = now
            with contextlib.suppress(OSError):
                self._log(f"waiting: {reason}, retrying")
