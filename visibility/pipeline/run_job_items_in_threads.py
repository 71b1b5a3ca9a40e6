"""Run the items of a job in parallel: each in a thread of its own, a bounded number at a time."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from django.db import connection
from structlog.stdlib import get_logger

log = get_logger(__name__)
Item = TypeVar("Item")


class ItemThreads(Generic[Item]):
    """The threads of one job in this process."""

    def __init__(self, name: str, threads: int) -> None:
        self._name = name
        self._threads = threads
        self._running: list[Item] = []
        self._lock = threading.Condition()

    def start_due_items(
        self,
        claim: Callable[[Sequence[Item], int], Sequence[Item]],
        function: Callable[[Item], object],
    ) -> int:
        """Claim items for the free threads and start them; return how many. Waits for none."""
        with self._lock:
            running, free = list(self._running), self._threads - len(self._running)
        items = claim(running, free) if free > 0 else ()
        for item in items:
            with self._lock:
                self._running.append(item)
            # A daemon: an item that waits for a slow system does not delay the end of the process.
            threading.Thread(
                target=self._run, args=(item, function), name=f"{self._name}-item", daemon=True
            ).start()
        return len(items)

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait until no item runs, within limits; return whether none does."""
        until = time.monotonic() + seconds
        with self._lock:
            return self._lock.wait_for(lambda: not self._running, until - time.monotonic())

    def _run(self, item: Item, function: Callable[[Item], object]) -> None:
        try:
            function(item)
        except Exception:  # recorded; the item is claimed again later
            log.exception("job_item_failed", job=self._name, item=str(item))
        finally:
            connection.close()
            with self._lock:
                self._running.remove(item)
                self._lock.notify_all()
