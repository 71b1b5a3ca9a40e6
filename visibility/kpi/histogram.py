"""Histograms that can be added up: percentiles of any slice, at a cost that orders do not raise.

DDSketch (Masson, Rim, Lee: VLDB 2019): bucket i holds the values from GAMMA^(i-1) to GAMMA^i, each
told by the one value in the middle, which is at most half a percent from any of them. What is under
one second is one second.
"""

from collections.abc import Collection

from visibility.kpi.kpi import Unit
from visibility.kpi.registry import shelf

GAMMA = 1.01


def middle(bucket: int) -> float:
    """The value a bucket is told by."""
    return 2 * GAMMA**bucket / (GAMMA + 1)


def timed() -> Collection[str]:
    """The numbers that are told by percentiles: a share needs none."""
    return {code for code, kpi in shelf().items() if kpi.unit is Unit.DURATION}
