"""Durations of calls as counts of logarithmic buckets, which add up over hours."""

from collections.abc import Sequence
from math import ceil, log

# The upper bound of a bucket is so many times that of the one before, so a percentile is exact
# within 25%. The first bucket ends at 1 ms, the last one at about an hour and contains the rest.
GROWTH = 1.25
BUCKETS = 69


def bucket_of(milliseconds: int) -> int:
    """Return the index of the bucket of a duration."""
    if milliseconds <= 1:
        return 0
    return min(ceil(log(milliseconds, GROWTH) - 1e-9), BUCKETS - 1)


def percentile(counts: Sequence[int], share: float) -> int | None:
    """Return the duration in ms within which this share of the calls ended; None without calls."""
    total = sum(counts)
    if not total:
        return None
    needed, seen = share * total, 0
    for index, count in enumerate(counts):
        seen += count
        if seen >= needed:
            return round(GROWTH**index)
    raise AssertionError("a share is at most 1")
