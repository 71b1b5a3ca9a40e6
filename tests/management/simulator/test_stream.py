"""The past comes newest day first, the future in time; together they tell everything once."""

from collections import Counter

from tests.management.simulator.conftest import STARTED, setting
from visibility.simulator.generator import DAY, HOUR, World
from visibility.simulator.model import ERP
from visibility.simulator.stream import PULSES, Entry, Future, Past, orders_until


def test_the_past_begins_with_the_newest_day(world: World) -> None:
    told = list(Past(world).messages())
    days = [int(world.order(n).created_at // DAY) for n, _ in told]
    assert days == sorted(days, reverse=True)
    assert len(told) == Past(world).total
    assert all(step.send_at <= STARTED and step.kind not in ERP for _, step in told)


def test_past_and_future_tell_every_step_once(world: World) -> None:
    past = Past(world)
    told = Counter(past.messages())
    told.update((n, world.order(n).steps[place]) for _, n, place, _ in past.rows)
    future, until, began = Future(world, past.pending), STARTED + 3 * HOUR, list[int]()
    last = STARTED
    while entry := future.pop(until, began):
        assert last <= entry.at <= until
        last = entry.at
        if entry.n != PULSES:
            told[entry.n, future.step(entry)] += 1
    expected = Counter(
        (n, step)
        for n in orders_until(world, until)
        for step in world.order(n).steps
        if step.send_at <= until
    )
    assert told == expected
    assert set(began) == set(orders_until(world, until)) - set(orders_until(world, STARTED))


def test_going_on_later_tells_the_rest(world: World) -> None:
    middle, end = STARTED + HOUR, STARTED + 2 * HOUR
    whole, later = (Future(world, Past(world).pending) for _ in range(2))
    rows = later.skip(middle)
    assert rows
    assert all(at < middle for at, *_ in rows)

    def rest(future: Future) -> list[Entry]:
        found: list[Entry] = []
        while entry := future.pop(end, []):
            if entry.at >= middle:
                found.append(entry)
        return found

    assert rest(later) == rest(whole)


def test_at_least_twenty_messages_a_minute_move_the_board() -> None:
    made = World(setting(days=30, per_day=40.0, speed=75.0))
    future, began, count = Future(made, Past(made).pending), list[int](), 0
    while future.pop(STARTED + HOUR, began):
        count += 1
    assert 20 < count / 60 < 80


def test_orders_that_are_long_over_are_left_out() -> None:
    made = World(setting(days=3, per_day=5.0, speed=2.0))
    future = Future(made, Past(made).pending)
    future.skip(STARTED + 60 * DAY)
    rest, began = STARTED + 61 * DAY, list[int]()
    while future.pop(rest, began):
        pass
    assert 8 < len(began) < 12 + 190
