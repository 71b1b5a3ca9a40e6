"""A TCP proxy that can delay, reset, cut off or silently drop traffic."""

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.product import free_port

CHUNK = 65_536


class FaultProxy:
    """A proxy to a local port or UNIX socket, running in its own thread."""

    def __init__(self, target: int | Path, *, folder: Path | None = None) -> None:
        self._target, self._folder = target, folder
        self.port = free_port()
        self.delay = 0.0
        self._left: int | None = None
        self._open = threading.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._forwarding: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "FaultProxy":
        self._thread.start()
        assert self._open.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.reset()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def cut_after(self, count: int) -> None:
        """Reset every connection once after `count` more bytes."""
        self._left = count

    def reset(self) -> None:
        """Reset every connection now."""
        self._run_coroutine(self._reset())

    def stop_forwarding(self) -> None:
        """Stop forwarding without closing anything: half-open connections."""
        self._run_coroutine(self._set_forwarding(stopped=True))

    def resume_forwarding(self) -> None:
        """Resume forwarding."""
        self._run_coroutine(self._set_forwarding(stopped=False))

    def _run_coroutine(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self._open.set()
        self._loop.run_forever()

    async def _listen(self) -> None:
        self._forwarding = asyncio.Event()
        self._forwarding.set()
        if self._folder is None:
            await asyncio.start_server(self._serve, "127.0.0.1", self.port)
            return
        self._folder.mkdir(exist_ok=True)
        path = self._folder / ".s.PGSQL.5432"
        path.unlink(missing_ok=True)
        await asyncio.start_unix_server(self._serve, str(path))

    async def _set_forwarding(self, *, stopped: bool) -> None:
        assert self._forwarding is not None
        if stopped:
            self._forwarding.clear()
        else:
            self._forwarding.set()

    async def _reset(self) -> None:
        for writer in list(self._writers):
            sock = writer.get_extra_info("socket")
            if sock is not None and sock.family == socket.AF_INET:
                linger = struct.pack("ii", 1, 0)
                with suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if isinstance(self._target, Path):
                far_reader, far_writer = await asyncio.open_unix_connection(str(self._target))
            else:
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.close()
            return
        self._writers |= {writer, far_writer}
        await asyncio.gather(self._forward(reader, far_writer), self._forward(far_reader, writer))
        self._writers -= {writer, far_writer}

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self._forwarding is not None
        with suppress(OSError):
            while chunk := await reader.read(CHUNK):
                await self._forwarding.wait()
                if self.delay:
                    await asyncio.sleep(self.delay)
                if self._left is not None:
                    self._left -= len(chunk)
                    if self._left <= 0:
                        self._left = None
                        await self._reset()
                        return
                writer.write(chunk)
                await writer.drain()
        with suppress(OSError, RuntimeError):
            writer.close()
