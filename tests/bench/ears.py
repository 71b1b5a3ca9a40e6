"""Many live sockets in a process of its own: raw, so that their client is not the bottleneck.

Reads its orders as JSON from the first line of its input, says `ready` when all have been let in,
listens until its input ends, and prints for each socket when it heard of which head.
"""

import asyncio
import json
import sys
import time
from typing import cast

import uvloop

HELLO = (
    "GET /ws/live HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\norigin: http://127.0.0.1:{port}\r\n"
    "upgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-version: 13\r\n"
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\ncookie: sessionid={cookie}\r\n\r\n"
)
TEXT = 1


class Ear(asyncio.Protocol):
    """One socket: frames of a server are short and not masked."""

    def __init__(self, hello: bytes) -> None:
        self.hello = hello
        self.buffer = b""
        self.heard: list[tuple[int, float]] = []
        self.welcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.WriteTransport", transport).write(self.hello)

    def data_received(self, data: bytes) -> None:
        at = time.perf_counter()
        self.buffer += data
        if not self.welcome.done():
            head, found, rest = self.buffer.partition(b"\r\n\r\n")
            if not found:
                return
            if b" 101 " not in head:
                raise SystemExit(f"a socket was refused: {head[:100]!r}")
            self.welcome.set_result(None)
            self.buffer = rest
        while (frame := self._frame()) is not None:
            if frame[0] == TEXT:
                self.heard.append((json.loads(frame[1])["head"], at))

    def _frame(self) -> tuple[int, bytes] | None:
        """The next whole frame: its kind and what is in it."""
        if len(self.buffer) < 2:
            return None
        length, start = self.buffer[1] & 127, 2
        if length == 126:
            if len(self.buffer) < 4:
                return None
            length, start = int.from_bytes(self.buffer[2:4]), 4
        if len(self.buffer) < start + length:
            return None
        kind, body = self.buffer[0] & 15, self.buffer[start : start + length]
        self.buffer = self.buffer[start + length :]
        return kind, body


async def listen(port: int, cookies: list[str], sockets: int) -> list[list[tuple[int, float]]]:
    """Open them, a few at a time, and listen until the input ends."""
    loop = asyncio.get_running_loop()
    ears: list[Ear] = []
    for place in range(sockets):
        hello = HELLO.format(port=port, cookie=cookies[place % len(cookies)]).encode()
        ear = (await loop.create_connection(lambda h=hello: Ear(h), "127.0.0.1", port))[1]  # type: ignore[misc]  # its default binds
        ears.append(ear)
        if place % 20 == 19:
            await asyncio.gather(*(e.welcome for e in ears[-20:]))
    await asyncio.gather(*(ear.welcome for ear in ears))
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    return [ear.heard for ear in ears]


def main() -> None:
    """As told by the first line."""
    asked = json.loads(sys.stdin.readline())
    print(json.dumps(uvloop.run(listen(asked["port"], asked["cookies"], asked["sockets"]))))


if __name__ == "__main__":
    main()
