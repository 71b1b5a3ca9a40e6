"""One order of each kind of the simulated history, and its events in random order."""

import random
from functools import cache

from tests.reference import history, ownership
from visibility.timeline import RecordedEvent


@cache
def kinds() -> tuple[int, ...]:
    """The first order of each kind: by channel, warehouse and faults."""
    first: dict[tuple[object, ...], int] = {}
    for n in history.indices():
        order = history.world().order(n)
        basics = (order.channel, order.warehouse, len(order.shipments), order.blind_from)
        faults = (
            order.dropped,
            order.returned,
            order.cancelled_at,
            order.credit_hold_at,
            order.drift,
        )
        first.setdefault((*basics, *map(bool, faults)), n)
    return tuple(first.values())


def spread(count: int) -> list[int]:
    """Evenly chosen orders, at most one of each kind."""
    orders = kinds()
    return [orders[i * len(orders) // count] for i in range(min(count, len(orders)))]


@cache
def events_of(n: int) -> tuple[str, tuple[RecordedEvent, ...]]:
    """The key of one order and its events."""
    ((key, events),) = ownership.orders(history.messages(n)).items()
    return key, tuple(events)


def shuffled(events: tuple[RecordedEvent, ...], chance: random.Random) -> list[RecordedEvent]:
    """The events in random order, some of them repeated."""
    repeats = chance.choices(events, k=chance.randint(0, len(events)))
    return chance.sample([*events, *repeats], len(events) + len(repeats))
