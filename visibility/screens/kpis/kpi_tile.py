"""Build the tile of a KPI: value, target, change, population and exclusions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from visibility.kpi.kpi import Kpi, KpiUnit
from visibility.kpi.query import KpiSummary
from visibility.screens.kpis import value_and_comparison_texts as texts
from visibility.screens.kpis.sparklines import Sparkline, WeeklyValues, build_sparkline
from visibility.screens.kpis.value_and_comparison_texts import (
    KpiComparisonPhraseAndTone,
    KpiDelta,
    format_kpi_value,
)


@dataclass(frozen=True, slots=True)
class ExclusionCount:
    """Why orders or lines are excluded, and how many."""

    code: str
    text: str
    count: int


@dataclass(frozen=True, slots=True)
class KpiTile:
    """One KPI value with its target, change, population and exclusions."""

    kpi: Kpi
    value: str
    # What the value of a duration is, such as "median age"; else "".
    value_label: str
    p90_text: str
    no_value_reason: str
    # Why the value may still change; empty if it is final.
    provisional: str
    population: str
    is_small_sample: bool
    target: KpiComparisonPhraseAndTone
    change: KpiComparisonPhraseAndTone
    delta: KpiDelta | None
    sparkline: Sparkline | None
    excluded_count: int
    reasons: Sequence[ExclusionCount]
    uncountable: int
    uncountable_reasons: Sequence[ExclusionCount]


def build_tile(
    kpi: Kpi,
    current: KpiSummary,
    before: KpiSummary | None,
    *,
    target: Decimal | None,
    end: date,
    period: str,
    provisional: str,
    weeks: WeeklyValues = (),
) -> KpiTile:
    """One KPI value with its target, change, population and exclusions.

    `before` is compared with, None without a comparison; `period` says what it is. `end`: the last
    day of the date range. `provisional`: why the value may still change, or "".
    """
    value = current.median_seconds_or_fraction(kpi)
    p90 = (
        f"P90 {format_kpi_value(kpi, current.p90)}"
        if kpi.unit is KpiUnit.DURATION and current.p90
        else ""
    )
    compared = texts.compare_to_target(kpi, value, target)
    is_small_sample = current.orders > 0 and current.is_small_sample
    return KpiTile(
        kpi=kpi,
        value=format_kpi_value(kpi, value),
        value_label=texts.median_age_or_duration_label(kpi) if kpi.unit is KpiUnit.DURATION else "",
        p90_text=p90,
        no_value_reason=texts.no_value_reason(kpi, current) if value is None else "",
        provisional=provisional,
        population=texts.describe_counts_behind_kpi_value(kpi, current),
        is_small_sample=is_small_sample,
        target=replace(compared, tone="unknown") if is_small_sample else compared,
        change=texts.compare_to_previous(kpi, current, before, period=period),
        delta=texts.change_as_chip(kpi, current, before, target),
        sparkline=build_sparkline(kpi, weeks, end, target),
        excluded_count=current.excluded_count,
        reasons=[
            ExclusionCount(code, texts.exclusion_reason(kpi, code), count)
            for code, count in current.excluded.items()
        ],
        uncountable=sum(current.uncountable.values()),
        uncountable_reasons=[
            ExclusionCount(code, text, count)
            for code, count, text in texts.uncountable_codes_counts_and_texts(current.uncountable)
        ],
    )
