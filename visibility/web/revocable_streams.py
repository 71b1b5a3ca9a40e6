"""Stop the transfer of a file when the API token or the session of the request ends."""

import time
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Iterator
from contextlib import aclosing
from typing import Any

from asgiref.sync import sync_to_async
from django.db import connection

# The token or session is checked again before a chunk, once a second and after so many chunks.
CHUNKS_BETWEEN_CHECKS = 8
SECONDS_BETWEEN_CHECKS = 1.0


class TransferRevoked(RuntimeError):
    """The token or the session ended. The server ends the connection, so the file is incomplete."""


def stop_when_refused(response: Any, still_allowed: Callable[[], bool]) -> None:
    """Ask `still_allowed` between the chunks of a streaming response.

    If it answers False, the stream raises TransferRevoked instead of the next chunk: a file
    without a length must not look complete either.
    """
    chunks, check = response.streaming_content, _Check(still_allowed)
    if isinstance(chunks, AsyncIterable):
        response.streaming_content = _checked_async(chunks, check)
    else:
        response.streaming_content = _checked(chunks, check)


class _Check:
    """When to ask again, and what the answer means."""

    def __init__(self, still_allowed: Callable[[], bool]) -> None:
        self._still_allowed = still_allowed
        self._restart()

    def is_due(self) -> bool:
        """Whether to ask before the next chunk, which this call counts."""
        self._chunks += 1
        return (
            self._chunks > CHUNKS_BETWEEN_CHECKS
            or time.monotonic() - self._asked_at > SECONDS_BETWEEN_CHECKS
        )

    def ask(self) -> None:
        """Raise TransferRevoked if the answer is no."""
        if not self._still_allowed():
            raise TransferRevoked("The API token or the session ended during the transfer.")
        self._restart()

    def ask_and_release_connection(self) -> None:
        """As `ask`; a slow client occupies no connection of the pool between two chunks."""
        try:
            self.ask()
        finally:
            if not connection.in_atomic_block:
                connection.close()

    def _restart(self) -> None:
        self._chunks, self._asked_at = 0, time.monotonic()


def _checked(chunks: Iterable[bytes], check: _Check) -> Iterator[bytes]:
    for chunk in chunks:
        if check.is_due():
            check.ask()
        yield chunk


async def _checked_async(
    chunks: AsyncIterable[bytes], check: _Check
) -> AsyncGenerator[bytes, None]:
    async with aclosing(aiter(chunks)) as iterator:  # type: ignore[type-var]  # all are generators
        async for chunk in iterator:
            if check.is_due():
                await sync_to_async(check.ask_and_release_connection)()
            yield chunk
