"""The load generator: a process of its own, so that its CPU is not counted with anybody's.

Requests are made before the clock starts; then it only writes ready bytes to raw sockets and looks
for the end of each answer (asyncio protocols on uvloop): some 20 us of CPU a request.
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

from tests.bench import course

CRLF = "\r\n"


def posted(path: str, headers: dict[str, str], body: bytes) -> bytes:
    """One request as bytes."""
    lines = [f"POST {path} HTTP/1.1", "host: 127.0.0.1", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return (CRLF.join(lines) + CRLF * 2).encode() + body


def hooks(prefix: str, first: int, orders: int) -> Iterator[bytes]:
    """Each message a signed request of its own."""
    now = datetime.fromtimestamp(time.time(), UTC)
    begin = course.whole_second(now) - timedelta(days=4)
    for told in course.messages(prefix, first, orders, begin):
        headers = {**course.signed(told, now), "content-type": "application/json"}
        yield posted(f"/hooks/{told.source}", headers, told.body)


def batches(prefix: str, first: int, orders: int, size: int) -> Iterator[bytes]:
    """CloudEvents, so many a request, one on each line."""
    now = datetime.fromtimestamp(time.time(), UTC)
    begin = course.whole_second(now) - timedelta(days=4)
    lines = [told.event() for told in course.messages(prefix, first, orders, begin)]
    headers = {
        "authorization": f"Bearer {course.SECRET}",
        "content-type": "application/x-ndjson",
    }
    for start in range(0, len(lines), size):
        yield posted("/api/v1/events", headers, b"\n".join(lines[start : start + size]))


@dataclass
class Course:
    """What is still to be sent, and what came back."""

    requests: Sequence[bytes]
    rate: float
    sent: int = 0
    began: float = 0.0
    answers: Counter[int] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)
    done: asyncio.Event = field(default_factory=asyncio.Event)
    broken: bool = False

    def due(self) -> tuple[bytes, float] | None:
        """The next request and the moment from which its answer is late; None: all are sent."""
        if self.sent == len(self.requests):
            return None
        at = self.began + self.sent / self.rate if self.rate else time.perf_counter()
        self.sent += 1
        return self.requests[self.sent - 1], at

    def answered(self, status: int, waited: float) -> None:
        """Note one answer."""
        self.answers[status] += 1
        self.waits.append(waited)
        if len(self.waits) == len(self.requests):
            self.done.set()


class Sender(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self, told: Course) -> None:
        self.told = told
        self.buffer = b""
        self.at = 0.0
        self.owed = False
        self.transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.WriteTransport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        # An idle connection may be closed; an answer that is owed may not.
        if self.owed:
            self.told.broken = True
            self.told.done.set()

    def next(self) -> None:
        """Send what is due; with a rate, wait until it is."""
        found = self.told.due()
        if found is None:
            return
        self.owed = True
        request, self.at = found
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
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found or len(rest) < _length(head):
            return
        self.buffer, self.owed = b"", False
        self.told.answered(int(head[9:12]), time.perf_counter() - self.at)
        self.next()


def _length(head: bytes) -> int:
    """What the answer says of its length."""
    lower = head.lower()
    start = lower.index(b"content-length:")
    return int(lower[start + 15 :].split(b"\r\n", 1)[0])


async def send(port: int, told: Course, connections: int) -> float:
    """Send it all; how long it took."""
    loop = asyncio.get_running_loop()
    senders = [
        (await loop.create_connection(lambda: Sender(told), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    told.began = time.perf_counter()
    for sender in senders:
        sender.next()
    await told.done.wait()
    if told.broken:
        raise SystemExit("the server closed a connection")
    return time.perf_counter() - told.began


def main() -> None:
    """Send as the arguments say, and print what came back as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--orders", type=int, required=True)
    parser.add_argument("--batch", type=int, default=0)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--connections", type=int, default=32)
    asked = parser.parse_args()
    scope = (asked.prefix, asked.first, asked.orders)
    requests = list(batches(*scope, asked.batch) if asked.batch else hooks(*scope))
    told = Course(requests, asked.rate)
    before = time.process_time()
    seconds = uvloop.run(send(asked.port, told, min(asked.connections, len(requests))))
    print(
        json.dumps(
            {
                "requests": len(requests),
                "bytes": sum(map(len, requests)) / len(requests),
                "seconds": seconds,
                "began": told.began,
                "cpu": time.process_time() - before,
                "answers": told.answers,
                "waits": sorted(told.waits),
            }
        )
    )


if __name__ == "__main__":
    main()
