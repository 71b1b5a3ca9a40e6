"""How much the randomized tests try: a seeded sample in a normal run, far more in a full one.

`manage.py test --full` sets TEST_EFFORT, which the processes of pytest-xdist inherit.
"""

import os
import random
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")
FULL = os.environ.get("TEST_EFFORT") == "full"


def examples(count: int) -> int:
    """How many examples Hypothesis draws; `count` in a normal run."""
    return count * 10 if FULL else count


def seeds(count: int) -> range:
    """Seeds of a test that repeats a costly random course; `count` of them in a normal run."""
    return range(max(20, count) if FULL else count)


def some(items: Sequence[Item], chance: random.Random, *, divisor: int) -> list[Item]:
    """A seeded sample of items that are costly to try; all of them in a full run."""
    return list(items) if FULL else chance.sample(items, -(-len(items) // divisor))
