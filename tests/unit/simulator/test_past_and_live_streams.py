"""The past is sent newest day first, the future when due; together they send every step once."""

from collections import Counter

import pytest

from tests.unit.simulator.conftest import STARTED, world_setting
from visibility.simulator.generator import DAY, HOUR, SimulatedWorld
from visibility.simulator.past_and_live_streams import (
    HEARTBEAT,
    LiveStream,
    PastStream,
    ScheduledStep,
    order_indexes_until,
)
from visibility.simulator.simulated_order import ERP_KINDS


def test_past_starts_with_the_newest_day(world: SimulatedWorld) -> None:
    sent = list(PastStream(world).orders_and_steps_newest_day_first())
    days = [int(world.order(n).created_at // DAY) for n, _ in sent]
    assert days == sorted(days, reverse=True)
    assert len(sent) == PastStream(world).total
    assert all(step.send_at <= STARTED and step.kind not in ERP_KINDS for _, step in sent)


def test_past_and_future_send_every_step_once(world: SimulatedWorld) -> None:
    past = PastStream(world)
    sent = Counter(past.orders_and_steps_newest_day_first())
    sent.update((n, world.order(n).steps[index]) for _, n, index, _ in past.rows)
    future, until, began = LiveStream(world, past.pending), STARTED + 3 * HOUR, list[int]()
    last = STARTED
    while entry := future.pop_due_step(until, began):
        assert last <= entry.at <= until
        last = entry.at
        if entry.n != HEARTBEAT:
            sent[entry.n, future.step_of_entry(entry)] += 1
    expected = Counter(
        (n, step)
        for n in order_indexes_until(world, until)
        for step in world.order(n).steps
        if step.send_at <= until
    )
    assert sent == expected
    assert set(began) == set(order_indexes_until(world, until)) - set(
        order_indexes_until(world, STARTED)
    )


def test_resumed_stream_sends_the_remaining_entries(world: SimulatedWorld) -> None:
    middle, end = STARTED + HOUR, STARTED + 2 * HOUR
    complete, resumed = (LiveStream(world, PastStream(world).pending) for _ in range(2))
    rows = resumed.skip_and_collect_erp_rows(middle)
    assert rows
    assert all(at < middle for at, *_ in rows)

    def remaining(future: LiveStream) -> list[ScheduledStep]:
        entries: list[ScheduledStep] = []
        while entry := future.pop_due_step(end, []):
            if entry.at >= middle:
                entries.append(entry)
        return entries

    assert remaining(resumed) == remaining(complete)


def test_live_stream_sends_20_to_80_messages_per_minute() -> None:
    world = SimulatedWorld(world_setting(days=30, per_day=40.0, speed=75.0))
    future, began, count = LiveStream(world, PastStream(world).pending), list[int](), 0
    while future.pop_due_step(STARTED + HOUR, began):
        count += 1
    assert 20 < count / 60 < 80


@pytest.mark.slow
def test_finished_orders_are_skipped_when_resuming() -> None:
    world = SimulatedWorld(world_setting(days=3, per_day=5.0, speed=2.0))
    future = LiveStream(world, PastStream(world).pending)
    future.skip_and_collect_erp_rows(STARTED + 60 * DAY)
    until, began = STARTED + 61 * DAY, list[int]()
    while future.pop_due_step(until, began):
        pass
    assert 8 < len(began) < 12 + 190
