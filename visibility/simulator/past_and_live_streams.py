"""The order of sending: past messages from the newest day backward, live ones when due."""

import heapq
import math
from collections.abc import Iterator
from typing import NamedTuple

from visibility.simulator.faults import SilentPeriods
from visibility.simulator.generator import DAY, HEARTBEAT_INTERVAL, SimulatedWorld
from visibility.simulator.simulated_order import ERP_KINDS, SimulatedStep, StepKind

# No order has steps after this time: even its payment has arrived.
MAX_ORDER_AGE = 45 * DAY
HEARTBEAT = -1


class ScheduledStep(NamedTuple):
    """One step of order `n`, sorted by sending time; `n` is -1 for heartbeats of the 3PL."""

    at: float
    n: int
    step_index: int


class PastStream:
    """All messages sent before the first start, by day of the order, newest day first."""

    def __init__(self, world: SimulatedWorld) -> None:
        self._world, setting = world, world.setting
        self._days: dict[int, list[int]] = {}
        self.rows: list[tuple[float, int, int, StepKind]] = []
        self.pending: list[ScheduledStep] = []
        self.total = 0
        for n in order_indexes_until(world, setting.started):
            order = world.order(n)
            self._days.setdefault(int(order.created_at // DAY), []).append(n)
            for index, step in enumerate(order.steps):
                if step.send_at > setting.started:
                    self.pending.append(ScheduledStep(step.send_at, n, index))
                elif step.kind in ERP_KINDS:
                    self.rows.append((step.at, n, index, step.kind))
                else:
                    self.total += 1

    def orders_and_steps_newest_day_first(self) -> Iterator[tuple[int, SimulatedStep]]:
        """Yield (order, step) in the same sequence in every run of this world."""
        started = self._world.setting.started
        for day in sorted(self._days, reverse=True):
            entries = [
                ScheduledStep(step.send_at, n, index)
                for n in self._days[day]
                for index, step in enumerate(self._world.order(n).steps)
                if step.send_at <= started and step.kind not in ERP_KINDS
            ]
            for entry in sorted(entries):
                yield entry.n, self._world.order(entry.n).steps[entry.step_index]


def order_indexes_until(world: SimulatedWorld, moment: float) -> Iterator[int]:
    """The index of every past, live and staged order that was created until then."""
    yield from (n for n, at in enumerate(world.past_created_at) if at <= moment)
    k = 0
    while world.live_created_at(k) <= moment:
        yield world.order_index_of_live_order(k)
        k += 1
    if world.setting.rates.staged > 0:
        i = 0
        while world.staged_created_at(i) <= moment:
            yield world.order_index_of_staged_order(i)
            i += 1


class LiveStream:
    """All messages sent after the first start, by sending time, without end."""

    def __init__(self, world: SimulatedWorld, pending: list[ScheduledStep]) -> None:
        self._world, setting = world, world.setting
        self._heap = pending
        heapq.heapify(self._heap)
        self._n = sum(at <= setting.started for at in world.past_created_at)
        self._k = self._i = 0
        while world.live_created_at(self._k) <= setting.started:
            self._k += 1
        if setting.rates.staged > 0:
            while world.staged_created_at(self._i) <= setting.started:
                self._i += 1
        heapq.heappush(
            self._heap, ScheduledStep(setting.started + HEARTBEAT_INTERVAL, HEARTBEAT, 0)
        )

    def skip_and_collect_erp_rows(self, until: float) -> list[tuple[float, int, int, StepKind]]:
        """Skip everything before `until` and return the ERP rows of that time."""
        rows: list[tuple[float, int, int, StepKind]] = []
        began: list[int] = []
        self._skip_orders_created_until(until - MAX_ORDER_AGE)
        self._skip_heartbeats(until)
        while entry := self.pop_due_step(math.nextafter(until, 0), began):
            step = self.step_of_entry(entry)
            if step.kind in ERP_KINDS:
                rows.append((step.at, entry.n, entry.step_index, step.kind))
        return rows

    def _skip_orders_created_until(self, until: float) -> None:
        """Skip orders whose last step is long past."""
        world = self._world
        while world.live_created_at(self._k) <= until:
            self._k += 1
        while world.setting.rates.staged > 0 and world.staged_created_at(self._i) <= until:
            self._i += 1

    def _skip_heartbeats(self, until: float) -> None:
        """Skip the heartbeats before `until`."""
        started = self._world.setting.started
        index = max(math.ceil((until - started) / HEARTBEAT_INTERVAL) - 1, 0)
        others = [entry for entry in self._heap if entry.n != HEARTBEAT]
        self._heap = [
            *others,
            ScheduledStep(started + (index + 1) * HEARTBEAT_INTERVAL, HEARTBEAT, index),
        ]
        heapq.heapify(self._heap)

    def pop_due_step(self, now: float, began: list[int]) -> ScheduledStep | None:
        """Remove and return the next due entry; append orders created since to `began`."""
        self._schedule_new_orders(now, began)
        if not self._heap or self._heap[0].at > now:
            return None
        entry = heapq.heappop(self._heap)
        if entry.n == HEARTBEAT:
            following = ScheduledStep(
                entry.at + HEARTBEAT_INTERVAL, HEARTBEAT, entry.step_index + 1
            )
            heapq.heappush(self._heap, following)
        return entry

    def next_entry_or_order_due_at(self) -> float:
        """When the next entry is due, or the next order is created."""
        world = self._world
        times = [world.live_created_at(self._k), self._heap[0].at if self._heap else float("inf")]
        if world.setting.rates.staged > 0:
            times.append(world.staged_created_at(self._i))
        if self._n < len(world.past_created_at):
            times.append(world.past_created_at[self._n])
        return min(times)

    def step_of_entry(self, entry: ScheduledStep) -> SimulatedStep:
        """The step of an entry."""
        if entry.n == HEARTBEAT:
            return SimulatedStep(entry.at, entry.at, StepKind.NORTH_HEARTBEAT)
        return self._world.order(entry.n).steps[entry.step_index]

    def _schedule_new_orders(self, now: float, began: list[int]) -> None:
        """Generate the orders that are created before the next entry."""
        world = self._world
        while True:
            limit = min(now, self._heap[0].at) if self._heap else now
            if self._n < len(world.past_created_at) and world.past_created_at[self._n] <= limit:
                n, self._n = self._n, self._n + 1
            elif world.live_created_at(self._k) <= limit:
                n, self._k = world.order_index_of_live_order(self._k), self._k + 1
            elif world.setting.rates.staged > 0 and world.staged_created_at(self._i) <= limit:
                n, self._i = world.order_index_of_staged_order(self._i), self._i + 1
            else:
                return
            began.append(n)
            for index, step in enumerate(world.order(n).steps):
                heapq.heappush(self._heap, ScheduledStep(step.send_at, n, index))


def is_3pl_silent(silent_periods: SilentPeriods | None, at: float) -> bool:
    """Whether the 3PL feed is silent at this moment."""
    return silent_periods is not None and silent_periods.period_at(at) is not None
