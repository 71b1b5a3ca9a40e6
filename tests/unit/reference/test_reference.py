"""The timelines of orders of ninety days equal the reference.

Tests every 24th order and the rarest ones, or all of them with `manage.py test --full`.
"""

from datetime import datetime
from zlib import crc32

import pytest

from tests.effort import FULL
from tests.reference import history, ownership
from tests.reference.compare import differences
from visibility.timeline import RecordedEvent

SPREAD = 1 if FULL else 24
GROUPS = 6


def sample() -> list[int]:
    """Every 24th order, and those about which the ERP contradicts other systems."""
    orders = ((n, history.world().order(n)) for n in history.indices())
    return [
        n
        for index, (n, order) in enumerate(orders)
        if index % SPREAD == 0 or order.drift or order.blind_from is not None
    ]


def moments(key: str, events: list[RecordedEvent]) -> list[datetime]:
    """The current time and one moment during the order's lifetime."""
    times = sorted({event.occurred_at for event in events})
    return [history.NOW, times[crc32(key.encode()) % len(times)]]


@pytest.mark.slow
@pytest.mark.parametrize("group", range(GROUPS))
def test_statuses_quantities_milestones_and_conflicts_equal_the_reference(group: int) -> None:
    chosen = sample()[group::GROUPS]
    orders = ownership.orders(message for n in chosen for message in history.messages(n))
    assert len(orders) == len(chosen)  # no two orders were joined
    wrong = {
        (key, f"{as_of}"): texts
        for key, events in orders.items()
        for as_of in moments(key, events)
        if (texts := differences(events, key=key, as_of=as_of))
    }
    assert wrong == {}


def test_sample_has_every_kind_of_fault() -> None:
    orders = [history.world().order(n) for n in sample()]
    assert len(history.indices()) > 2500
    assert sum(len(order.shipments) > 1 for order in orders) > 5
    for values in (
        [order.dropped for order in orders],
        [order.returned for order in orders],
        [order.cancelled_at for order in orders],
        [order.credit_hold_at for order in orders],
        [order.blind_from is not None for order in orders],
        [order.drift for order in orders],
    ):
        assert any(values)
