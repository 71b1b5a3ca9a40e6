"""Percentiles of bucketed durations are exact within a quarter."""

import pytest

from visibility.storage.latency_histogram import BUCKETS, bucket_of, percentile


def counts(*durations: int) -> list[int]:
    counted = [0] * BUCKETS
    for milliseconds in durations:
        counted[bucket_of(milliseconds)] += 1
    return counted


@pytest.mark.parametrize("milliseconds", [1, 7, 80, 2_100, 64_000, 3_600_000])
def test_a_percentile_is_at_most_a_quarter_too_high(milliseconds: int) -> None:
    value = percentile(counts(milliseconds), 0.5)
    assert value is not None
    assert milliseconds * 0.99 <= value <= milliseconds * 1.26 + 1


def test_the_share_decides_and_no_calls_have_no_percentile() -> None:
    counted = counts(*range(1, 101))
    assert 50 <= (percentile(counted, 0.5) or 0) <= 63
    assert 95 <= (percentile(counted, 0.95) or 0) <= 119
    assert percentile(counts(), 0.5) is None
    assert bucket_of(10**9) == BUCKETS - 1
