"""The titles and sentences of KPI charts."""

from collections.abc import Mapping
from decimal import Decimal

from visibility.formatting import format_number
from visibility.kpi import query
from visibility.kpi.kpi import Kpi, KpiFamily
from visibility.kpi.periods import PeriodLength
from visibility.kpi.query import KpiSummary
from visibility.screens.kpis import value_and_comparison_texts as texts
from visibility.screens.kpis.trend import KpiTrend, ratio_of_points
from visibility.screens.kpis.value_and_comparison_texts import format_kpi_value

PERIOD_NOUNS = {
    PeriodLength.DAY: "day",
    PeriodLength.WEEK: "week",
    PeriodLength.MONTH: "month",
}


def title_of_durations_or_ages(kpi: Kpi) -> str:
    """What the durations are: of a stock KPI the ages."""
    return f"Age of {kpi.title.lower()}" if kpi.family is KpiFamily.STOCK else kpi.title


def percentile_sentence(kpi: Kpi, total: KpiSummary) -> str:
    median, p90 = (
        format_kpi_value(kpi, total.median),
        format_kpi_value(kpi, total.p90),
    )
    if kpi.family is KpiFamily.STOCK:
        return (
            f"At the end, {format_number(total.orders)} {kpi.counted} are open: half of them for "
            f"at most {median}, and 90% for at most {p90}."
        )
    return f"Half of the {kpi.counted} took at most {median}, and 90% took at most {p90}."


def trend_sentence(kpi: Kpi, trend: KpiTrend, total: KpiSummary, target: Decimal | None) -> str:
    """Compare the first third of the whole periods with the last: single ones vary too much."""
    points = trend.complete_points
    third = max(len(points) // 3, 1)
    first, last = ratio_of_points(points[:third]), ratio_of_points(points[-third:])
    if first is None or last is None or len(points) < 3:
        return f"{kpi.title} is {format_kpi_value(kpi, total.value)}."
    verb = "rose" if last > first else "fell"
    if abs(last - first) < Decimal("0.001"):
        return f"{kpi.title} stayed at {format_kpi_value(kpi, last)}."
    goal = f"; target {texts.format_target(kpi, target)}" if target is not None else ""
    start, end = format_kpi_value(kpi, first), format_kpi_value(kpi, last)
    return f"{kpi.title} {verb} from {start} to {end}{goal}."


def channel_sentence(kpi: Kpi, reliable: Mapping[str, KpiTrend]) -> str:
    """The highest and the lowest channel of those with enough orders."""
    shares = {
        channel: share
        for channel, trend in reliable.items()
        if (share := ratio_of_points(trend.points)) is not None
    }
    if not shares:
        return (
            f"Each channel has fewer than {query.SMALL_SAMPLE} {kpi.subject}s, too few to compare."
        )
    low, high = min(shares, key=lambda c: shares[c]), max(shares, key=lambda c: shares[c])
    highest = texts.dimension_value_label(high)
    if high == low:
        return f"{highest}: {format_kpi_value(kpi, shares[high])}."
    return (
        f"{highest} is highest at {format_kpi_value(kpi, shares[high])}, "
        f"{texts.dimension_value_label(low)} is lowest at {format_kpi_value(kpi, shares[low])}."
    )
