"""The ERP rows that exist so far, ordered by modification time.

Only times and positions are stored; a row is built when it is requested.
"""

import threading
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from typing import Any

from visibility.simulator.generator import SimulatedWorld
from visibility.simulator.simulated_order import SimulatedStep, StepKind
from visibility.simulator.vendors.business_central import COLLECTIONS, build_entity

MAX_STEPS = 256  # upper bound of steps per order
MAX_ROWS = 1_000_000


class ErpCollection:
    """One OData collection: 16 bytes per row (time, and order and step as one number)."""

    def __init__(self) -> None:
        self.times = array("d")
        self.codes = array("q")
        self.dropped = 0  # rows dropped at the beginning
        self.read_to = 0  # rows served so far

    def append_newest_row(self, at: float, code: int) -> None:
        """Append a row that is newer than all others."""
        self.times.append(at)
        self.codes.append(code)
        if len(self.times) > MAX_ROWS:
            half = MAX_ROWS // 2
            del self.times[:half]
            del self.codes[:half]
            self.dropped += half


class ErpFeed:
    """The three collections. Thread-safe: the HTTP server reads from its own threads."""

    def __init__(self, world: SimulatedWorld) -> None:
        self._world = world
        self._lock = threading.Lock()
        self._collections = {name: ErpCollection() for name in COLLECTIONS.values()}

    def add_rows(self, entries: Iterable[tuple[float, int, int, StepKind]]) -> None:
        """Add rows of the past: (time, order, index of the step, kind)."""
        with self._lock:
            for at, n, index, kind in sorted(entries):
                self._collections[COLLECTIONS[kind]].append_newest_row(at, n * MAX_STEPS + index)

    def add_row(self, step: SimulatedStep, n: int, index: int) -> None:
        """Add one row that was just created or changed."""
        with self._lock:
            self._collections[COLLECTIONS[step.kind]].append_newest_row(
                step.at, n * MAX_STEPS + index
            )

    def read_page(
        self, name: str, *, since: float, start: int | None, size: int
    ) -> tuple[list[dict[str, Any]], int | None]:
        """Return the rows from `start` (or from `since`), and the start of the next page."""
        with self._lock:
            rows = self._collections[name]
            first = bisect_left(rows.times, since) if start is None else start - rows.dropped
            first = max(first, 0)
            codes = rows.codes[first : first + size]
            end = first + len(codes)
            next_start = end + rows.dropped if end < len(rows.codes) else None
            rows.read_to = max(rows.read_to, end + rows.dropped)
            # The world caches generated orders, which is not thread-safe.
            page = []
            for code in codes:
                order = self._world.order(code // MAX_STEPS)
                page.append(build_entity(order, order.steps[code % MAX_STEPS]))
        return page, next_start

    def has_collection(self, name: str) -> bool:
        """Whether the collection exists."""
        return name in self._collections

    def unread_count(self) -> int:
        """The number of rows that no client has fetched yet."""
        with self._lock:
            return sum(c.dropped + len(c.times) - c.read_to for c in self._collections.values())
