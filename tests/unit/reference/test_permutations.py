"""Neither the order nor repetition of an order's events changes its timeline.

With `manage.py test --full`: every kind of order.
"""

import random

import pytest

from tests.effort import FULL
from tests.reference import history
from tests.reference.compare import differences
from tests.reference.kinds import events_of, shuffled, spread
from visibility.timeline import fold

ORDERS, PERMUTATIONS = (60, 200) if FULL else (8, 50)


@pytest.mark.slow
@pytest.mark.parametrize("n", spread(ORDERS))
def test_permutations_with_repetitions_give_the_same_timeline(n: int) -> None:
    key, events = events_of(n)
    expected = fold(events, key=key, as_of=history.NOW)
    assert differences(events, key=key, as_of=history.NOW) == []
    chance = random.Random(n)
    for _ in range(PERMUTATIONS):
        assert fold(shuffled(events, chance), key=key, as_of=history.NOW) == expected


def test_reference_does_not_depend_on_the_order() -> None:
    for n in spread(5):
        key, events = events_of(n)
        for seed in range(3):
            permuted = shuffled(events, random.Random(seed))
            assert differences(permuted, key=key, as_of=history.NOW) == []
