"""F38 in small: `manage.py soak` is the same at full size."""

import random

from tests.faults.bed import Bed
from tests.faults.storm import storm


def test_f38_whatever_happens_nothing_is_lost_and_the_facts_are_the_same(bed: Bed) -> None:
    seed = random.SystemRandom().randrange(100_000)
    messages = bed.stories(f"F38-{seed}", count=250, seed=seed)
    found = storm(bed, messages, kills=10, seed=seed, rate=25)
    assert found.verdict.broken == [], f"seed {seed}"
    assert found.kills >= 10
