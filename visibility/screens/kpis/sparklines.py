"""The 13 weeks of a KPI up to the end of the date range, as a line for its tile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from visibility.kpi import query
from visibility.kpi.kpi import Kpi, KpiFamily, KpiUnit
from visibility.kpi.periods import PeriodLength, week_start
from visibility.kpi.query import DaySpan, KpiDimensionFilters, KpiSummary
from visibility.screens.kpis.chart_axes import ratio_axis
from visibility.screens.kpis.value_and_comparison_texts import format_kpi_value, format_target

WEEKS = 13
WIDTH, HEIGHT = 130, 32
# The curve and the target keep this distance to the edges.
MARGIN = 2
WeeklyValues = Sequence[tuple[date, KpiSummary]]


@dataclass(frozen=True, slots=True)
class Sparkline:
    """The paths of a line in a box of WIDTH by HEIGHT; a week without a value is a gap.

    `target` is the height of the target, None without one. `label` says the same in words.
    """

    path: str
    end: tuple[float, float]
    target: float | None
    label: str


def load_weekly_values(
    kpis: Sequence[Kpi], end: date, filters: KpiDimensionFilters
) -> Mapping[str, WeeklyValues]:
    """By KPI code the values of the weeks; none if they had to be added up from too many facts."""
    current_week = week_start(end)
    span = DaySpan(current_week - timedelta(weeks=WEEKS - 1), end)
    flows = [kpi for kpi in kpis if kpi.family is not KpiFamily.STOCK]
    try:
        return query.summaries_by_period(flows, span, PeriodLength.WEEK, filters)
    except query.TooManyFacts:
        return {}


def build_sparkline(
    kpi: Kpi, weeks: WeeklyValues, end: date, target: Decimal | None
) -> Sparkline | None:
    """The line of one KPI; None with fewer than two weeks that have a value."""
    current_week = week_start(end)
    values = {
        WEEKS - 1 - (current_week - week).days // 7: value
        for week, summary in weeks
        if (value := summary.median_seconds_or_fraction(kpi)) is not None
    }
    if len(values) < 2:
        return None
    low, high = _range(kpi, [*values.values(), *([float(target)] if target is not None else [])])

    def height(value: float) -> float:
        return round(HEIGHT - MARGIN - (value - low) / (high - low) * (HEIGHT - 2 * MARGIN), 1)

    points = {n: (round(n * WIDTH / (WEEKS - 1), 1), height(v)) for n, v in values.items()}
    path = " ".join(
        f"{'L' if n - 1 in points else 'M'}{points[n][0]} {points[n][1]}" for n in sorted(points)
    )
    first, last = min(points), max(points)
    label = (
        f"{last - first + 1} weeks: {format_kpi_value(kpi, values[first])} to "
        f"{format_kpi_value(kpi, values[last])}"
    )
    if target is not None:
        label += f", target {format_target(kpi, target)}"
    return Sparkline(path, points[last], None if target is None else height(float(target)), label)


def _range(kpi: Kpi, values: Sequence[float]) -> tuple[float, float]:
    if kpi.unit is KpiUnit.PERCENT:
        axis = ratio_axis(values)
        return axis.low, axis.high
    return 0, max(*values, 1)
