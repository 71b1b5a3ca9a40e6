"""The rows of one ERP that exist so far, ordered by modification time.

Only times and positions are stored; a row is built when it is requested. Each state of a document
is a row of its own, as for a poller that reads after each change.
"""

import threading
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from visibility.simulator.erp_landscape import (
    MAX_STEPS,
    MIGRATION_INDEX,
    ErpLandscape,
    ErpRow,
    ErpSystem,
)
from visibility.simulator.generator import SimulatedWorld
from visibility.simulator.simulated_order import SimulatedOrder, SimulatedStep, StepKind
from visibility.simulator.vendors import business_central, tryton

MAX_ROWS = 1_000_000


@dataclass(frozen=True)
class ErpDocuments:
    """The collections of an ERP, which of them has a step, and how its rows are written.

    `collection`: of a step and whether it creates the order. `build`: a row as of a step, and since
    when the ERP has the order.
    """

    collections: tuple[str, ...]
    collection: Callable[[StepKind, bool], str]
    build: Callable[[SimulatedOrder, SimulatedStep, float], dict[str, Any]]


DOCUMENTS: Mapping[ErpSystem, ErpDocuments] = {
    ErpSystem.BUSINESS_CENTRAL: ErpDocuments(
        tuple(dict.fromkeys(business_central.COLLECTIONS.values())),
        lambda kind, _is_first: business_central.COLLECTIONS[kind],
        lambda order, step, _since: business_central.build_entity(order, step),
    ),
    ErpSystem.TRYTON: ErpDocuments(
        tryton.STREAMS,
        lambda kind, is_first: tryton.stream_of_row(kind, is_first=is_first),
        lambda order, step, since: tryton.build_record(order, step, since=since),
    ),
}


class ErpCollection:
    """One collection: 16 bytes per row (time, and order and step as one number)."""

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
    """The collections of an ERP. Thread-safe: the HTTP server reads from its own threads."""

    def __init__(
        self,
        world: SimulatedWorld,
        system: ErpSystem = ErpSystem.BUSINESS_CENTRAL,
        landscape: ErpLandscape | None = None,
    ) -> None:
        self.landscape = landscape or ErpLandscape()
        self._world, self._documents = world, DOCUMENTS[system]
        self._lock = threading.Lock()
        self._collections = {name: ErpCollection() for name in self._documents.collections}

    def add_rows(self, entries: Iterable[ErpRow]) -> None:
        """Add rows of the past."""
        with self._lock:
            for at, n, index, kind in sorted(entries):
                self._append(at, n, index, kind)

    def add_row(self, step: SimulatedStep, n: int, index: int) -> None:
        """Add one row that was just created or changed."""
        with self._lock:
            self._append(step.at, n, index, step.kind)

    def _append(self, at: float, n: int, index: int, kind: StepKind) -> None:
        is_first = kind is StepKind.ERP_DRAFT or index == MIGRATION_INDEX
        name = self._documents.collection(kind, is_first)
        self._collections[name].append_newest_row(at, n * MAX_STEPS + index)

    def read_page(
        self, name: str, *, since: float, start: int | None, size: int, until: float | None = None
    ) -> tuple[list[dict[str, Any]], int | None]:
        """Return the rows from `start` (or from `since`), and the start of the next page.

        `until`: only rows before this time.
        """
        with self._lock:
            rows = self._collections[name]
            first = bisect_left(rows.times, since) if start is None else start - rows.dropped
            first = max(first, 0)
            last = len(rows.codes) if until is None else bisect_left(rows.times, until)
            codes = rows.codes[first : min(first + size, last)]
            end = first + len(codes)
            next_start = end + rows.dropped if end < len(rows.codes) else None
            rows.read_to = max(rows.read_to, end + rows.dropped)
            # The world caches generated orders, which is not thread-safe.
            return [self._build_row(code) for code in codes], next_start

    def _build_row(self, code: int) -> dict[str, Any]:
        order = self._world.order(code // MAX_STEPS)
        step = self.landscape.step_of_row(order, code % MAX_STEPS)
        return self._documents.build(order, step, self.landscape.starts_at(order))

    def order(self, n: int) -> SimulatedOrder:
        """An order of the world. Raises ValueError for a number that no order has."""
        if n < 0:
            raise ValueError(f"there is no order {n}")
        with self._lock:
            return self._world.order(n)

    def has_collection(self, name: str) -> bool:
        """Whether the collection exists."""
        return name in self._collections

    def unread_count(self) -> int:
        """The number of rows that no client has fetched yet."""
        with self._lock:
            return sum(c.dropped + len(c.times) - c.read_to for c in self._collections.values())
