"""The charts of a KPI by period: its value with target, comparison and notes; its open orders."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from visibility.formatting import format_date, format_number
from visibility.kpi.kpi import Kpi, KpiUnit
from visibility.kpi.query import KpiSummary
from visibility.kpi.targets import TargetStep
from visibility.screens import charts
from visibility.screens.charts import Chart, ChartNote, Series, TargetLine, ValueAxisFormat
from visibility.screens.kpis.chart_axes import (
    axis_of_ratio,
    choose_axis_and_divisor,
    convert_to_axis_unit,
    ratio_axis,
)
from visibility.screens.kpis.chart_sentences import (
    PERIOD_NOUNS,
    percentile_sentence,
    title_of_durations_or_ages,
    trend_sentence,
)
from visibility.screens.kpis.selection import SHORT_COMPARISON_LABELS
from visibility.screens.kpis.trend import KpiTrend, period_label
from visibility.screens.kpis.value_and_comparison_texts import (
    NO_VALUE,
    format_kpi_value,
    format_target,
)


def build_trend_chart(
    kpi: Kpi,
    trend: KpiTrend,
    total: KpiSummary,
    notes: Sequence[ChartNote] = (),
    *,
    targets: Sequence[TargetStep],
) -> Chart | None:
    """The KPI by period, with its target, the comparison and notes.

    `targets`: the target on the first day, and its changes.
    """
    if not total.orders:
        return None
    figure, axis_note = (
        _draw_durations(trend, total, notes, targets)
        if kpi.unit is KpiUnit.DURATION
        else _draw_ratio(kpi, trend, notes, targets)
    )
    noun = PERIOD_NOUNS[trend.length]
    head, rows = _trend_table(kpi, trend, notes, targets)
    return Chart(
        id=f"{kpi.code}-by-period",
        title=f"{title_of_durations_or_ages(kpi)} by {noun}",
        sentence=percentile_sentence(kpi, total)
        if kpi.unit is KpiUnit.DURATION
        else trend_sentence(kpi, trend, total, targets[-1].target),
        figure=figure,
        head=head,
        rows=rows,
        ranges=_ranges(trend),
        axis_note=axis_note,
        notes=notes,
    )


def _draw_ratio(
    kpi: Kpi, trend: KpiTrend, notes: Sequence[ChartNote], targets: Sequence[TargetStep]
) -> tuple[Mapping[str, Any], str]:
    series = [
        build_series(kpi.title, trend, lambda s: convert_to_axis_unit(s.value, 1)),
        *_compared_series(trend, lambda s: convert_to_axis_unit(s.value, 1)),
    ]
    target = target_line(targets)
    ratio = ratio_axis([*(value for single in series for value in single.y), *target.values])
    axis = axis_of_ratio(ratio)
    figure = charts.build_line_figure(
        series, axis, target=target, periods=_zoom_periods(trend), notes=notes
    )
    return figure, ratio.note


def _draw_durations(
    trend: KpiTrend,
    total: KpiSummary,
    notes: Sequence[ChartNote],
    targets: Sequence[TargetStep],
) -> tuple[Mapping[str, Any], str]:
    axis, scale = choose_axis_and_divisor(total)
    median = build_series("Median", trend, lambda s: convert_to_axis_unit(s.median, scale))
    slow = build_series("P90", trend, lambda s: convert_to_axis_unit(s.p90, scale))
    compared = _compared_series(trend, lambda s: convert_to_axis_unit(s.median, scale))
    figure = charts.build_median_p90_band_figure(
        median,
        slow,
        axis,
        target=target_line(targets, scale),
        compared=compared[0] if compared else None,
        periods=_zoom_periods(trend),
        notes=notes,
    )
    return figure, ""


def target_line(targets: Sequence[TargetStep], scale: float = 1) -> TargetLine:
    """The targets in the unit of the axis."""
    return TargetLine(
        tuple(
            (step.first_day, None if step.target is None else float(step.target) / scale)
            for step in targets
        )
    )


def build_series(name: str, trend: KpiTrend, value: Callable[[KpiSummary], float | None]) -> Series:
    return Series(
        name,
        [point.period.start for point in trend.points],
        [value(point.summary) for point in trend.points],
        [point.summary.orders for point in trend.points],
        [point.period.is_partial for point in trend.points],
    )


def _compared_series(trend: KpiTrend, value: Callable[[KpiSummary], float | None]) -> list[Series]:
    if not trend.compared_label:
        return []
    return [
        Series(
            SHORT_COMPARISON_LABELS[trend.comparison],
            [point.period.start for point in trend.points],
            [value(point.compared) if point.compared else None for point in trend.points],
            [point.compared.orders if point.compared else 0 for point in trend.points],
            is_compared=True,
        )
    ]


def _trend_table(
    kpi: Kpi, trend: KpiTrend, notes: Sequence[ChartNote], targets: Sequence[TargetStep]
) -> tuple[list[str], list[list[str]]]:
    is_duration = kpi.unit is KpiUnit.DURATION
    head = [PERIOD_NOUNS[trend.length].capitalize()]
    head += ["Median", "P90"] if is_duration else [kpi.title, f"Of {kpi.counted}"]
    head.append(f"{kpi.subject.capitalize()}s")
    head += [trend.compared_label] if trend.compared_label else []
    head += ["Target"] if len(targets) > 1 else []
    head += ["Notes"] if notes else []
    rows = []
    for point in trend.points:
        counts = point.summary
        row = [period_label(point.period, trend.length)]
        if is_duration:
            row += [format_kpi_value(kpi, counts.median), format_kpi_value(kpi, counts.p90)]
        else:
            of = f"{format_number(counts.numerator)} of {format_number(counts.denominator)}"
            row += [format_kpi_value(kpi, counts.value), of]
        row.append(format_number(counts.orders))
        if trend.compared_label:
            before = point.compared
            row.append(
                format_kpi_value(kpi, before.median_seconds_or_fraction(kpi) if before else None)
            )
        if len(targets) > 1:
            row.append(format_target(kpi, _target_on(targets, point.period.span.end)) or NO_VALUE)
        if notes:
            span = point.period.span
            within = [m for m in notes if m.start <= span.end and m.end >= span.start]
            row.append("; ".join(f"{note.label}: {note.text}" for note in within))
        rows.append(row)
    return head, rows


def _target_on(targets: Sequence[TargetStep], day: date) -> Decimal | None:
    return next((step.target for step in reversed(targets) if step.first_day <= day), None)


def _zoom_periods(trend: KpiTrend) -> list[tuple[date, date, date]]:
    return [
        (point.period.start, point.period.span.start, point.period.span.end)
        for point in trend.points
    ]


def _ranges(trend: KpiTrend) -> list[tuple[date, date]]:
    return [(point.period.span.start, point.period.span.end) for point in trend.points]


def build_open_orders_chart(
    kpi: Kpi, trend: KpiTrend, total: KpiSummary, notes: Sequence[ChartNote] = ()
) -> Chart | None:
    """The number of open orders of a stock KPI at the end of each period."""
    if not trend.points:
        return None
    series = build_series(kpi.title, trend, lambda summary: summary.orders)
    figure = charts.build_line_figure(
        [series], ValueAxisFormat(",.0f"), periods=_zoom_periods(trend), notes=notes
    )
    first = trend.points[0]
    rows = [
        [period_label(point.period, trend.length), format_number(point.summary.orders)]
        for point in trend.points
    ]
    sentence = (
        f"{format_number(first.summary.orders)} {kpi.counted} were open at the end of "
        f"{format_date(first.period.span.end)}, "
        f"{format_number(total.orders)} at the end of the date range."
    )
    noun = PERIOD_NOUNS[trend.length]
    return Chart(
        f"{kpi.code}-open",
        f"{kpi.title} by {noun}",
        sentence,
        figure,
        [noun.capitalize(), kpi.title],
        rows,
        ranges=_ranges(trend),
        notes=notes,
    )
