"""Collect refused requests and test events, and store them at most twice a second."""

import asyncio
from collections import deque

from django.db import DatabaseError, connections
from structlog.stdlib import get_logger

from visibility.ingest.unstored_requests import ReceivedRequest, store_unstored_requests
from visibility.notify.publish_change_number import broadcast_change_number

log = get_logger(__name__)
# A flood of refused requests costs one write in so many seconds, with so many of each source.
WRITE_SECONDS = 0.5
MAX_REQUESTS_OF_SOURCE = 20


class UnstoredRequestLog:
    """The requests that are not written yet. A request is lost if the database fails."""

    def __init__(self) -> None:
        self._pending: dict[int, deque[ReceivedRequest]] = {}
        self._task: asyncio.Task[None] | None = None

    def record(self, request: ReceivedRequest) -> None:
        """Record a request; it is written soon. Call it in the event loop."""
        requests = self._pending.setdefault(request.source_id, deque(maxlen=MAX_REQUESTS_OF_SOURCE))
        requests.append(request)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write_after_pause())

    async def write_now(self) -> None:
        """Write what is recorded. Never raises."""
        pending, self._pending = self._pending, {}
        requests = [request for requests in pending.values() for request in requests]
        if requests:
            await asyncio.to_thread(_store_and_broadcast, requests)

    async def _write_after_pause(self) -> None:
        while self._pending:
            await asyncio.sleep(WRITE_SECONDS)
            await self.write_now()


def _store_and_broadcast(requests: list[ReceivedRequest]) -> None:
    try:
        number = store_unstored_requests(requests)
    except DatabaseError as error:
        log.warning("unstored_requests_not_recorded", error=type(error).__name__)
    else:
        broadcast_change_number(number, ["source"])
    finally:
        connections.close_all()
