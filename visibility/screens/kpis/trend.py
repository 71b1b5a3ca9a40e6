"""The values of a KPI by period, each with the value that it is compared with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from visibility.formatting import format_date
from visibility.kpi import query
from visibility.kpi.kpi import Kpi
from visibility.kpi.periods import Comparison, Period, PeriodLength, split_into_periods
from visibility.kpi.query import KpiSummary
from visibility.screens.kpis.selection import COMPARISON_LABELS, KpiSelection


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """The value of one period, and of the period that it is compared with."""

    period: Period
    summary: KpiSummary
    compared: KpiSummary | None = None


@dataclass(frozen=True, slots=True)
class KpiTrend:
    """The values of one KPI by period. `comparison`: NONE if no point has a compared value."""

    length: PeriodLength
    points: Sequence[TrendPoint]
    comparison: Comparison = Comparison.NONE

    @property
    def compared_label(self) -> str:
        """The column of the compared values; empty without a comparison."""
        is_compared = self.comparison is not Comparison.NONE
        return COMPARISON_LABELS[self.comparison] if is_compared else ""

    @property
    def complete_points(self) -> Sequence[TrendPoint]:
        """The points of whole periods: only these can be compared with each other."""
        return [point for point in self.points if not point.period.is_partial]


def load_trends(kpis: Sequence[Kpi], selection: KpiSelection) -> Mapping[str, KpiTrend]:
    """By KPI code the values by period. Raises TooManyFacts."""
    span, length = selection.span, selection.length
    values = query.summaries_by_period(kpis, span, length, selection.filters)
    periods = {p.start: p for p in split_into_periods(span, length, selection.today)}
    offset = _offset_of_comparison(selection)
    before: Mapping[str, Sequence[tuple[date, KpiSummary]]] = {}
    if offset is not None and selection.compared:
        before = query.summaries_by_period(kpis, selection.compared, length, selection.filters)
    return {
        kpi.code: _join_trend(
            kpi, selection, periods, values[kpi.code], before.get(kpi.code), offset
        )
        for kpi in kpis
    }


def _join_trend(
    kpi: Kpi,
    selection: KpiSelection,
    periods: Mapping[date, Period],
    values: Sequence[tuple[date, KpiSummary]],
    before: Sequence[tuple[date, KpiSummary]] | None,
    offset: timedelta | None,
) -> KpiTrend:
    compared = {start + offset: value for start, value in before or () if offset is not None}
    points = [TrendPoint(periods[s], value, compared.get(s)) for s, value in values]
    has_comparison = any(
        point.compared and point.compared.median_seconds_or_fraction(kpi) is not None
        for point in points
    )
    comparison = selection.comparison if has_comparison else Comparison.NONE
    return KpiTrend(selection.length, points, comparison)


def _offset_of_comparison(selection: KpiSelection) -> timedelta | None:
    """How far back the comparison is, if its periods are the same: None otherwise.

    Months differ in length, and a range that is not a number of weeks cuts other weeks.
    """
    compared = selection.compared
    if compared is None or selection.length is PeriodLength.MONTH:
        return None
    offset = selection.span.start - compared.start
    return None if selection.length is PeriodLength.WEEK and offset.days % 7 else offset


def period_label(period: Period, length: PeriodLength) -> str:
    """`Week of Mon, Nov 2`; a partial one with its days: `..., partial: 3 of 7 days`."""
    if length is PeriodLength.MONTH:
        text = f"{period.start:%B %Y}"
    else:
        text = format_date(period.start)
        text = f"Week of {text}" if length is PeriodLength.WEEK else text
    if not period.is_partial:
        return text
    days = period.span.day_count
    if days == period.length_in_days:
        return f"{text}, so far"
    return f"{text}, partial: {days} of {period.length_in_days} days"


def ratio_of_points(points: Sequence[TrendPoint]) -> Decimal | None:
    """The ratio over several periods; None if nothing counts."""
    denominator = sum((point.summary.denominator for point in points), Decimal(0))
    if not denominator:
        return None
    return sum((point.summary.numerator for point in points), Decimal(0)) / denominator
