"""The charts of a KPI by channel, and of the distribution of its durations."""

from collections.abc import Sequence

from visibility.formatting import format_number
from visibility.kpi import query
from visibility.kpi.kpi import Kpi
from visibility.kpi.periods import split_into_periods
from visibility.kpi.query import DaySpan, KpiDimensionFilters, KpiSummary
from visibility.kpi.targets import TargetStep
from visibility.screens import charts
from visibility.screens.charts import Chart, ValueAxisFormat
from visibility.screens.kpis import value_and_comparison_texts as texts
from visibility.screens.kpis.chart_axes import (
    axis_of_ratio,
    choose_axis_and_divisor,
    convert_to_axis_unit,
    ratio_axis,
)
from visibility.screens.kpis.chart_sentences import (
    PERIOD_NOUNS,
    channel_sentence,
    percentile_sentence,
    title_of_durations_or_ages,
)
from visibility.screens.kpis.selection import KpiSelection
from visibility.screens.kpis.trend import KpiTrend, TrendPoint, period_label
from visibility.screens.kpis.trend_chart import build_series, target_line
from visibility.screens.kpis.value_and_comparison_texts import format_kpi_value

# Further channels appear in the table only.
MAX_SERIES = 5


def build_channel_chart(
    kpi: Kpi, selection: KpiSelection, targets: Sequence[TargetStep]
) -> Chart | None:
    """The KPI by channel and period. The chart shows the largest channels only."""
    span, length = selection.span, selection.length
    values = query.summaries_by_dimension_and_period(
        kpi, span, "channel", length, selection.filters
    )
    periods = {p.start: p for p in split_into_periods(span, length, selection.today)}
    by_channel: dict[str, list[TrendPoint]] = {}
    for channel, start, summary in values:
        by_channel.setdefault(channel, []).append(TrendPoint(periods[start], summary))
    if not by_channel:
        return None
    trends = {channel: KpiTrend(length, points) for channel, points in by_channel.items()}
    orders = {c: sum(point.summary.orders for point in t.points) for c, t in trends.items()}
    order = sorted(trends, key=lambda channel: -orders[channel])
    series = [
        build_series(
            texts.dimension_value_label(channel),
            trends[channel],
            lambda s: convert_to_axis_unit(s.median_seconds_or_fraction(kpi), 1),
        )
        for channel in order[:MAX_SERIES]
    ]
    target = target_line(targets)
    ratio = ratio_axis([*(value for single in series for value in single.y), *target.values])
    figure = charts.build_line_figure(
        series,
        axis_of_ratio(ratio),
        target=target,
        periods=[(p.start, p.span.start, p.span.end) for p in periods.values()],
    )
    noun = PERIOD_NOUNS[length]
    return Chart(
        f"{kpi.code}-by-channel",
        f"{kpi.title} by channel and {noun}",
        channel_sentence(kpi, {c: trends[c] for c in order if orders[c] >= query.SMALL_SAMPLE}),
        figure,
        ["Channel", noun.capitalize(), kpi.title, f"{kpi.subject.capitalize()}s"],
        [
            [
                texts.dimension_value_label(c),
                period_label(point.period, length),
                format_kpi_value(kpi, point.summary.value),
                format_number(point.summary.orders),
            ]
            for c in order
            for point in trends[c].points
        ],
        axis_note=ratio.note,
    )


def build_duration_histogram_chart(
    kpi: Kpi, span: DaySpan, filters: KpiDimensionFilters, total: KpiSummary
) -> Chart | None:
    """A histogram of the orders by duration. The last class includes all slower orders."""
    if not total.orders or not total.p90:
        return None
    axis, scale = choose_axis_and_divisor(total)
    classes = 20
    width = max(total.p90 * 1.6 / classes, 60.0 if total.p90 >= 600 else 1.0)
    counts = query.duration_histogram(kpi, span, filters, width=width, count=classes)
    starts = [index * width / scale for index in range(classes)]
    rows = [
        [
            f"{format_kpi_value(kpi, index * width)} to "
            f"{format_kpi_value(kpi, (index + 1) * width)}"
            if index < classes - 1
            else f"{format_kpi_value(kpi, index * width)} or more",
            format_number(count),
        ]
        for index, count in enumerate(counts)
    ]
    sentence = percentile_sentence(kpi, total)
    drawn = charts.build_histogram_figure(
        starts, [row[0] for row in rows], counts, ValueAxisFormat(".1f", axis.suffix)
    )
    head = [title_of_durations_or_ages(kpi), kpi.counted.capitalize()]
    return Chart(
        f"{kpi.code}-distribution",
        f"{title_of_durations_or_ages(kpi)}: distribution",
        sentence,
        drawn,
        head,
        rows,
    )
