"""The load generator. It is a separate process, so that its CPU is measured separately.

It builds all requests before the measurement starts. Then it only writes bytes to sockets and
looks for the end of each response (asyncio protocols on uvloop): about 20 us of CPU per request.
"""

import argparse
import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast

import uvloop

from tests.bench import workload

CRLF = "\r\n"


def build_request(path: str, headers: dict[str, str], body: bytes) -> bytes:
    """An HTTP request as bytes."""
    lines = [f"POST {path} HTTP/1.1", "host: 127.0.0.1", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return (CRLF.join(lines) + CRLF * 2).encode() + body


def webhook_requests(prefix: str, first: int, orders: int) -> Iterator[bytes]:
    """One signed request per message."""
    now = datetime.fromtimestamp(time.time(), UTC)
    start = workload.truncate_to_second(now) - timedelta(days=4)
    for message in workload.messages(prefix, first, orders, start):
        headers = {**workload.signed_headers(message, now), "content-type": "application/json"}
        yield build_request(f"/hooks/{message.source}", headers, message.body)


def batch_requests(prefix: str, first: int, orders: int, size: int) -> Iterator[bytes]:
    """Requests with `size` CloudEvents each, one per line."""
    now = datetime.fromtimestamp(time.time(), UTC)
    start = workload.truncate_to_second(now) - timedelta(days=4)
    lines = [message.cloud_event() for message in workload.messages(prefix, first, orders, start)]
    headers = {
        "authorization": f"Bearer {workload.SECRET}",
        "content-type": "application/x-ndjson",
    }
    for index in range(0, len(lines), size):
        yield build_request("/api/v1/events", headers, b"\n".join(lines[index : index + size]))


@dataclass
class LoadRun:
    """The requests to send, and the responses."""

    requests: Sequence[bytes]
    rate: float
    sent: int = 0
    started: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)
    done: asyncio.Event = field(default_factory=asyncio.Event)
    connection_lost: bool = False

    def next_request(self) -> tuple[bytes, float] | None:
        """The next request and the time when it is due, or None if all were sent."""
        if self.sent == len(self.requests):
            return None
        at = self.started + self.sent / self.rate if self.rate else time.perf_counter()
        self.sent += 1
        return self.requests[self.sent - 1], at

    def record_response(self, status: int, waited: float) -> None:
        """Record one response."""
        self.statuses[status] += 1
        self.waits.append(waited)
        if len(self.waits) == len(self.requests):
            self.done.set()


class LoadConnection(asyncio.Protocol):
    """One connection: sends a request, waits for its response, sends the next."""

    def __init__(self, run: LoadRun) -> None:
        self.run = run
        self.buffer = b""
        self.at = 0.0
        self.awaiting_response = False
        self.transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.WriteTransport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        # A server may close an idle connection, but not one with a pending request.
        if self.awaiting_response:
            self.run.connection_lost = True
            self.run.done.set()

    def send_next(self) -> None:
        """Send the next request when it is due."""
        due = self.run.next_request()
        if due is None:
            return
        self.awaiting_response = True
        request, self.at = due
        early = self.at - time.perf_counter()
        if early > 0:
            asyncio.get_running_loop().call_later(early, self._write, request)
        else:
            self._write(request)

    def _write(self, request: bytes) -> None:
        assert self.transport is not None
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, separator, body = self.buffer.partition(b"\r\n\r\n")
        if not separator or len(body) < _content_length(head):
            return
        self.buffer, self.awaiting_response = b"", False
        self.run.record_response(int(head[9:12]), time.perf_counter() - self.at)
        self.send_next()


def _content_length(head: bytes) -> int:
    """The Content-Length of a response."""
    lower = head.lower()
    start = lower.index(b"content-length:")
    return int(lower[start + 15 :].split(b"\r\n", 1)[0])


async def send(port: int, run: LoadRun, connections: int) -> float:
    """Send all requests; return the seconds this took."""
    loop = asyncio.get_running_loop()
    senders = [
        (await loop.create_connection(lambda: LoadConnection(run), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    run.started = time.perf_counter()
    for sender in senders:
        sender.send_next()
    await run.done.wait()
    if run.connection_lost:
        raise SystemExit("the server closed a connection")
    return time.perf_counter() - run.started


def main() -> None:
    """Send as the command line says, and print the result as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--orders", type=int, required=True)
    parser.add_argument("--batch", type=int, default=0)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--connections", type=int, default=32)
    options = parser.parse_args()
    scope = (options.prefix, options.first, options.orders)
    requests = list(
        batch_requests(*scope, options.batch) if options.batch else webhook_requests(*scope)
    )
    run = LoadRun(requests, options.rate)
    before = time.process_time()
    seconds = uvloop.run(send(options.port, run, min(options.connections, len(requests))))
    print(
        json.dumps(
            {
                "requests": len(requests),
                "bytes": sum(map(len, requests)) / len(requests),
                "seconds": seconds,
                "began": run.started,
                "cpu": time.process_time() - before,
                "answers": run.statuses,
                "waits": sorted(run.waits),
            }
        )
    )


if __name__ == "__main__":
    main()
