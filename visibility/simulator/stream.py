"""Which message is next: the past from the newest day back, and the time to come as it comes."""

import heapq
import math
from collections.abc import Iterator
from typing import NamedTuple

from visibility.simulator.faults import Silences
from visibility.simulator.generator import DAY, PULSE, World
from visibility.simulator.model import ERP, Kind, Step

# An order is told of for this long; then even its payment is in.
LONGEST = 45 * DAY
PULSES = -1


class Entry(NamedTuple):
    """One step of one order in the order of sending; of the 3PL's pulses `n` is -1."""

    at: float
    n: int
    place: int


class Past:
    """Everything told until the first start, ordered by the day of the order, newest day first."""

    def __init__(self, world: World) -> None:
        self._world, setting = world, world.setting
        self._days: dict[int, list[int]] = {}
        self.rows: list[tuple[float, int, int, Kind]] = []
        self.pending: list[Entry] = []
        self.total = 0
        for n in orders_until(world, setting.started):
            order = world.order(n)
            self._days.setdefault(int(order.created_at // DAY), []).append(n)
            for place, step in enumerate(order.steps):
                if step.send_at > setting.started:
                    self.pending.append(Entry(step.send_at, n, place))
                elif step.kind in ERP:
                    self.rows.append((step.at, n, place, step.kind))
                else:
                    self.total += 1

    def messages(self) -> Iterator[tuple[int, Step]]:
        """Order and step; the same sequence in every run of this world."""
        started = self._world.setting.started
        for day in sorted(self._days, reverse=True):
            entries = [
                Entry(step.send_at, n, place)
                for n in self._days[day]
                for place, step in enumerate(self._world.order(n).steps)
                if step.send_at <= started and step.kind not in ERP
            ]
            for entry in sorted(entries):
                yield entry.n, self._world.order(entry.n).steps[entry.place]


def orders_until(world: World, moment: float) -> Iterator[int]:
    """Every order that came in until then: of the past, live, staged."""
    yield from (n for n, at in enumerate(world.past) if at <= moment)
    k = 0
    while world.live_at(k) <= moment:
        yield world.live_index(k)
        k += 1
    if world.setting.rates.staged > 0:
        i = 0
        while world.staged_at(i) <= moment:
            yield world.staged_index(i)
            i += 1


class Future:
    """Everything told after the first start, in the order of sending, without an end."""

    def __init__(self, world: World, pending: list[Entry]) -> None:
        self._world, setting = world, world.setting
        self._heap = pending
        heapq.heapify(self._heap)
        self._n = sum(at <= setting.started for at in world.past)
        self._k = self._i = 0
        while world.live_at(self._k) <= setting.started:
            self._k += 1
        if setting.rates.staged > 0:
            while world.staged_at(self._i) <= setting.started:
                self._i += 1
        heapq.heappush(self._heap, Entry(setting.started + PULSE, PULSES, 0))

    def skip(self, until: float) -> list[tuple[float, int, int, Kind]]:
        """Take everything before `until` as told; the ERP's rows of that time."""
        rows: list[tuple[float, int, int, Kind]] = []
        began: list[int] = []
        self._leap(until - LONGEST)
        self._leap_pulses(until)
        while entry := self.pop(math.nextafter(until, 0), began):
            step = self.step(entry)
            if step.kind in ERP:
                rows.append((step.at, entry.n, entry.place, step.kind))
        return rows

    def _leap(self, until: float) -> None:
        """Leave out orders that are long over."""
        world = self._world
        while world.live_at(self._k) <= until:
            self._k += 1
        while world.setting.rates.staged > 0 and world.staged_at(self._i) <= until:
            self._i += 1

    def _leap_pulses(self, until: float) -> None:
        """Leave out the pulses before `until`."""
        started = self._world.setting.started
        place = max(math.ceil((until - started) / PULSE) - 1, 0)
        others = [entry for entry in self._heap if entry.n != PULSES]
        self._heap = [*others, Entry(started + (place + 1) * PULSE, PULSES, place)]
        heapq.heapify(self._heap)

    def pop(self, now: float, began: list[int]) -> Entry | None:
        """The next entry that is due by now; orders that began meanwhile are added to `began`."""
        self._begin(now, began)
        if not self._heap or self._heap[0].at > now:
            return None
        entry = heapq.heappop(self._heap)
        if entry.n == PULSES:
            following = Entry(entry.at + PULSE, PULSES, entry.place + 1)
            heapq.heappush(self._heap, following)
        return entry

    def next_at(self) -> float:
        """When to look again, at the latest."""
        world = self._world
        times = [world.live_at(self._k), self._heap[0].at if self._heap else float("inf")]
        if world.setting.rates.staged > 0:
            times.append(world.staged_at(self._i))
        if self._n < len(world.past):
            times.append(world.past[self._n])
        return min(times)

    def step(self, entry: Entry) -> Step:
        """What an entry tells."""
        if entry.n == PULSES:
            return Step(entry.at, entry.at, Kind.NORTH_PULSE)
        return self._world.order(entry.n).steps[entry.place]

    def _begin(self, now: float, began: list[int]) -> None:
        """Draw the orders that came in before the next entry."""
        world = self._world
        while True:
            limit = min(now, self._heap[0].at) if self._heap else now
            if self._n < len(world.past) and world.past[self._n] <= limit:
                n, self._n = self._n, self._n + 1
            elif world.live_at(self._k) <= limit:
                n, self._k = world.live_index(self._k), self._k + 1
            elif world.setting.rates.staged > 0 and world.staged_at(self._i) <= limit:
                n, self._i = world.staged_index(self._i), self._i + 1
            else:
                return
            began.append(n)
            for place, step in enumerate(world.order(n).steps):
                heapq.heappush(self._heap, Entry(step.send_at, n, place))


def silent(silences: Silences | None, at: float) -> bool:
    """Whether the 3PL says nothing at this moment."""
    return silences is not None and silences.window(at) is not None
