"""Which ERP rows exist by now, in the order of their modification; rows are written when asked."""

import threading
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from typing import Any

from visibility.simulator.generator import World
from visibility.simulator.model import Kind, Step
from visibility.simulator.vendors.business_central import COLLECTIONS, row

WIDTH = 256  # steps of one order
KEPT = 1_000_000


class Collection:
    """One collection: times and places, sixteen bytes a row."""

    def __init__(self) -> None:
        self.times = array("d")
        self.codes = array("q")
        self.gone = 0  # rows that were dropped at the beginning
        self.read_to = 0  # up to where somebody read

    def add(self, at: float, code: int) -> None:
        """A row that is newer than all others."""
        self.times.append(at)
        self.codes.append(code)
        if len(self.times) > KEPT:
            half = KEPT // 2
            del self.times[:half]
            del self.codes[:half]
            self.gone += half


class Feed:
    """The three collections, for a server with threads of its own."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lock = threading.Lock()
        self._collections = {name: Collection() for name in COLLECTIONS.values()}

    def fill(self, entries: Iterable[tuple[float, int, int, Kind]]) -> None:
        """Rows of the past: time, order, place of the step, kind."""
        with self._lock:
            for at, n, place, kind in sorted(entries):
                self._collections[COLLECTIONS[kind]].add(at, n * WIDTH + place)

    def add(self, step: Step, n: int, place: int) -> None:
        """One row that has just come to be."""
        with self._lock:
            self._collections[COLLECTIONS[step.kind]].add(step.at, n * WIDTH + place)

    def page(
        self, name: str, *, since: float, start: int | None, size: int
    ) -> tuple[list[dict[str, Any]], int | None]:
        """Rows from `start` (or from the first one since), and where the next page starts."""
        with self._lock:
            rows = self._collections[name]
            first = bisect_left(rows.times, since) if start is None else start - rows.gone
            first = max(first, 0)
            codes = rows.codes[first : first + size]
            end = first + len(codes)
            following = end + rows.gone if end < len(rows.codes) else None
            rows.read_to = max(rows.read_to, end + rows.gone)
            # Orders are drawn once and kept for a while; that is not safe from two threads.
            found = []
            for code in codes:
                order = self._world.order(code // WIDTH)
                found.append(row(order, order.steps[code % WIDTH]))
        return found, following

    def knows(self, name: str) -> bool:
        """Whether there is such a collection."""
        return name in self._collections

    def unread(self) -> int:
        """Rows that nobody has fetched yet."""
        with self._lock:
            return sum(c.gone + len(c.times) - c.read_to for c in self._collections.values())
