"""The timeline of every order of ninety days equals the plain reference.

The suite takes every twelfth order and the rarest ones, all of them with `WHOLE_REFERENCE=1`.
"""

from datetime import datetime
from zlib import crc32

import pytest

from tests.reference import past, whose
from tests.reference.compare import differences
from visibility.timeline import Spoken

SPREAD = 1 if past.WHOLE else 12
PARTS = 6


def sample() -> list[int]:
    """Every twelfth order, and those about which the ERP contradicts the others."""
    drawn = ((n, past.world().order(n)) for n in past.indices())
    return [
        n
        for place, (n, order) in enumerate(drawn)
        if place % SPREAD == 0 or order.drift or order.blind_from is not None
    ]


def moments(key: str, events: list[Spoken]) -> list[datetime]:
    """The end, and a moment in the middle of the order's story."""
    times = sorted({one.occurred_at for one in events})
    return [past.NOW, times[crc32(key.encode()) % len(times)]]


@pytest.mark.parametrize("part", range(PARTS))
def test_statuses_quantities_milestones_and_conflicts_are_those_of_the_reference(part: int) -> None:
    chosen = sample()[part::PARTS]
    told = whose.orders(message for n in chosen for message in past.messages(n))
    assert len(told) == len(chosen)  # the numbers told every order from every other
    wrong = {
        (key, f"{as_of}"): found
        for key, events in told.items()
        for as_of in moments(key, events)
        if (found := differences(events, key=key, as_of=as_of))
    }
    assert wrong == {}


def test_ninety_days_hold_what_the_reference_is_to_be_tried_on() -> None:
    drawn = [past.world().order(n) for n in sample()]
    assert len(past.indices()) > 2500
    assert sum(len(order.shipments) > 1 for order in drawn) > 5
    for told in (
        [order.dropped for order in drawn],
        [order.returned for order in drawn],
        [order.cancelled_at for order in drawn],
        [order.held_at for order in drawn],
        [order.blind_from is not None for order in drawn],
        [order.drift for order in drawn],
    ):
        assert any(told)
