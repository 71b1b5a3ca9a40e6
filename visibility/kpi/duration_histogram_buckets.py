"""Mergeable histograms for percentiles of durations, as in DDSketch.

DDSketch (Masson, Rim, Lee: VLDB 2019): bucket i counts the values from GAMMA^(i-1) to GAMMA^i. Each
bucket is represented by its midpoint (relative error <= 0.5 %). Values below 1 s are clamped to
1 s.
"""

from collections.abc import Collection

from visibility.kpi.kpi import KpiFamily, KpiUnit
from visibility.kpi.registry import kpi_registry

GAMMA = 1.01


def bucket_midpoint(bucket: int) -> float:
    """The value that represents a bucket, in seconds."""
    return 2 * GAMMA**bucket / (GAMMA + 1)


def non_stock_duration_kpi_codes() -> Collection[str]:
    """The codes of the KPIs whose histograms have durations: all durations except stock KPIs."""
    return {
        code
        for code, kpi in kpi_registry().items()
        if kpi.unit is KpiUnit.DURATION and kpi.family is not KpiFamily.STOCK
    }


def stock_kpi_codes() -> Collection[str]:
    """The codes of the KPIs whose histograms have the days until the end."""
    return {code for code, kpi in kpi_registry().items() if kpi.family is KpiFamily.STOCK}
