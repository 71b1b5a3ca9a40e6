"""Opens many live sockets from a separate process, for the benchmark.

It reads raw frames so that the client is not the bottleneck. The first line of its input is JSON
with the port, the session cookies and the number of sockets. It prints `ready` when all sockets are
connected, receives until its input ends, and prints each socket's (change number, time) pairs.
"""

import asyncio
import json
import sys
import time
from functools import partial
from typing import cast

import uvloop

HANDSHAKE = (
    "GET /ws/live HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\norigin: http://127.0.0.1:{port}\r\n"
    "upgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-version: 13\r\n"
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\ncookie: sessionid={cookie}\r\n\r\n"
)
TEXT = 1


class BenchmarkSocket(asyncio.Protocol):
    """One socket. A server's frames are short and not masked."""

    def __init__(self, handshake: bytes) -> None:
        self.handshake = handshake
        self.buffer = b""
        self.received: list[tuple[int, float]] = []
        self.connected: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.WriteTransport", transport).write(self.handshake)

    def data_received(self, data: bytes) -> None:
        at = time.perf_counter()
        self.buffer += data
        if not self.connected.done():
            head, separator, remaining = self.buffer.partition(b"\r\n\r\n")
            if not separator:
                return
            if b" 101 " not in head:
                raise SystemExit(f"the server rejected a socket: {head[:100]!r}")
            self.connected.set_result(None)
            self.buffer = remaining
        while (frame := self._frame()) is not None:
            if frame[0] == TEXT:
                self.received.append((json.loads(frame[1])["head"], at))

    def _frame(self) -> tuple[int, bytes] | None:
        """Take the next complete frame from the buffer: its opcode and payload."""
        if len(self.buffer) < 2:
            return None
        length, start = self.buffer[1] & 127, 2
        if length == 126:
            if len(self.buffer) < 4:
                return None
            length, start = int.from_bytes(self.buffer[2:4]), 4
        if len(self.buffer) < start + length:
            return None
        opcode, payload = self.buffer[0] & 15, self.buffer[start : start + length]
        self.buffer = self.buffer[start + length :]
        return opcode, payload


async def connect_and_receive(
    port: int, cookies: list[str], sockets: int
) -> list[list[tuple[int, float]]]:
    """Open the sockets, 20 at a time, and receive until the input ends."""
    loop = asyncio.get_running_loop()
    opened: list[BenchmarkSocket] = []
    for index in range(sockets):
        handshake = HANDSHAKE.format(port=port, cookie=cookies[index % len(cookies)]).encode()
        _, client = await loop.create_connection(
            partial(BenchmarkSocket, handshake), "127.0.0.1", port
        )
        opened.append(client)
        if index % 20 == 19:
            await asyncio.gather(*(s.connected for s in opened[-20:]))
    await asyncio.gather(*(s.connected for s in opened))
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    return [client.received for client in opened]


def main() -> None:
    arguments = json.loads(sys.stdin.readline())
    print(
        json.dumps(
            uvloop.run(
                connect_and_receive(arguments["port"], arguments["cookies"], arguments["sockets"])
            )
        )
    )


if __name__ == "__main__":
    main()
