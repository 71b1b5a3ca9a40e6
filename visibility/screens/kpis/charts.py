"""The charts of a KPI: by day, by channel, and distribution, each with a sentence and a table."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from itertools import groupby

from visibility.formatting import format_date, format_number
from visibility.kpi import query
from visibility.kpi.kpi import Kpi, KpiFamily, KpiUnit
from visibility.kpi.query import DaySpan, KpiDimensionFilters, KpiSummary
from visibility.screens import charts
from visibility.screens.charts import Chart, Series, ValueAxisFormat
from visibility.screens.kpis import value_and_comparison_texts as texts
from visibility.screens.kpis.value_and_comparison_texts import format_kpi_value

SECONDS_PER_DAY = 86_400
# Further channels appear in the table only.
MAX_SERIES = 5


def build_daily_kpi_chart_with_target(
    kpi: Kpi, daily: Sequence[tuple[date, KpiSummary]], total: KpiSummary
) -> Chart | None:
    """The KPI by day, with its target."""
    if not total.orders:
        return None
    days = [day for day, _ in daily]
    orders = [summary.orders for _, summary in daily]
    axis, scale = _choose_axis_and_divisor(kpi, total)
    target = float(kpi.target) / scale if kpi.target is not None else None
    if kpi.unit is KpiUnit.DURATION:
        typical = Series(
            "Median", days, [_convert_to_axis_unit(f.median, scale) for _, f in daily], orders
        )
        slow = Series("P90", days, [_convert_to_axis_unit(f.p90, scale) for _, f in daily], orders)
        drawn = charts.build_median_p90_band_figure(typical, slow, axis, target=target)
        head = ["Day", "Median", "P90", kpi.counted.capitalize()]
        rows = [
            [
                format_date(d),
                format_kpi_value(kpi, f.median),
                format_kpi_value(kpi, f.p90),
                format_number(f.orders),
            ]
            for d, f in daily
        ]
        sentence = _percentile_sentence(kpi, total)
    else:
        values = [
            _convert_to_axis_unit(summary.median_seconds_or_fraction(kpi), 1)
            for _, summary in daily
        ]
        drawn = charts.build_line_figure(
            [Series(kpi.title, days, values, orders)], axis, target=target
        )
        head = ["Day", kpi.title, f"Of {kpi.counted}", "Orders"]
        rows = [
            [
                format_date(d),
                format_kpi_value(kpi, f.value),
                f"{format_number(f.numerator)} of {format_number(f.denominator)}",
                format_number(f.orders),
            ]
            for d, f in daily
        ]
        sentence = _trend_sentence(kpi, daily, total)
    title = f"{_title_of_durations_or_ages(kpi)} by day"
    return Chart(f"{kpi.code}-by-day", title, sentence, drawn, head, rows)


def build_open_orders_chart(
    kpi: Kpi, daily: Sequence[tuple[date, KpiSummary]], total: KpiSummary
) -> Chart | None:
    """The number of open orders of a stock KPI at the end of each day."""
    if not daily:
        return None
    days, orders = [day for day, _ in daily], [summary.orders for _, summary in daily]
    drawn = charts.build_line_figure(
        [Series(kpi.title, days, orders, orders)], ValueAxisFormat(",.0f")
    )
    rows = [[format_date(day), format_number(summary.orders)] for day, summary in daily]
    sentence = (
        f"{format_number(orders[0])} {kpi.counted} were open at the end of {format_date(days[0])}, "
        f"{format_number(total.orders)} at the end of the date range."
    )
    head = ["Day", kpi.title]
    return Chart(f"{kpi.code}-open", f"{kpi.title} by day", sentence, drawn, head, rows)


def build_weekly_channel_chart(
    kpi: Kpi, span: DaySpan, filters: KpiDimensionFilters
) -> Chart | None:
    """The KPI by channel and week. The chart shows the largest channels only."""
    weeks = query.weekly_summaries_by_dimension(kpi, span, "channel", filters)
    grouped = {key: list(rows) for key, rows in groupby(weeks, key=lambda row: row[0])}
    if not grouped:
        return None
    order = sorted(grouped, key=lambda key: -sum(s.orders for _, _, s in grouped[key]))
    series = [
        Series(
            texts.dimension_value_label(channel),
            [week for _, week, _ in grouped[channel]],
            [
                _convert_to_axis_unit(summary.median_seconds_or_fraction(kpi), 1)
                for _, _, summary in grouped[channel]
            ],
            [summary.orders for _, _, summary in grouped[channel]],
        )
        for channel in order[:MAX_SERIES]
    ]
    totals = {
        channel: (
            sum((s.numerator for _, _, s in rows), Decimal(0)),
            sum((s.denominator for _, _, s in rows), Decimal(0)),
        )
        for channel, rows in grouped.items()
    }
    reliable = {
        channel
        for channel, rows in grouped.items()
        if sum(summary.orders for _, _, summary in rows) >= query.SMALL_SAMPLE
    }
    shares = {
        c: numerator / denominator
        for c, (numerator, denominator) in totals.items()
        if denominator and c in reliable
    }
    sentence = f"Each channel has fewer than {query.SMALL_SAMPLE} orders, too few to compare."
    if shares:
        low, high = min(shares, key=lambda c: shares[c]), max(shares, key=lambda c: shares[c])
        sentence = (
            f"{texts.dimension_value_label(high)} is highest at "
            f"{format_kpi_value(kpi, shares[high])}, "
            f"{texts.dimension_value_label(low)} is lowest at {format_kpi_value(kpi, shares[low])}."
            if high != low
            else f"{texts.dimension_value_label(high)}: {format_kpi_value(kpi, shares[high])}."
        )
    target = float(kpi.target) if kpi.target is not None else None
    drawn = charts.build_line_figure(
        series, _choose_axis_and_divisor(kpi, query.NO_ORDERS)[0], target=target
    )
    rows = [
        [
            texts.dimension_value_label(c),
            format_date(w),
            format_kpi_value(kpi, s.value),
            format_number(s.orders),
        ]
        for c in order
        for _, w, s in grouped[c]
    ]
    title = f"{kpi.title} by channel and week"
    head = ["Channel", "Week of", kpi.title, "Orders"]
    return Chart(f"{kpi.code}-by-channel", title, sentence, drawn, head, rows)


def build_duration_histogram_chart(
    kpi: Kpi, span: DaySpan, filters: KpiDimensionFilters, total: KpiSummary
) -> Chart | None:
    """A histogram of the orders by duration. The last class includes all slower orders."""
    if not total.orders or not total.p90:
        return None
    axis, scale = _choose_axis_and_divisor(kpi, total)
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
    sentence = _percentile_sentence(kpi, total)
    drawn = charts.build_histogram_figure(
        starts, [row[0] for row in rows], counts, ValueAxisFormat(".1f", axis.suffix)
    )
    head = [_title_of_durations_or_ages(kpi), kpi.counted.capitalize()]
    return Chart(
        f"{kpi.code}-distribution",
        f"{_title_of_durations_or_ages(kpi)}: distribution",
        sentence,
        drawn,
        head,
        rows,
    )


def _percentile_sentence(kpi: Kpi, total: KpiSummary) -> str:
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


def _title_of_durations_or_ages(kpi: Kpi) -> str:
    """What the durations are: of a stock KPI the ages."""
    return f"Age of {kpi.title.lower()}" if kpi.family is KpiFamily.STOCK else kpi.title


def _choose_axis_and_divisor(kpi: Kpi, total: KpiSummary) -> tuple[ValueAxisFormat, float]:
    """The axis, and the divisor that converts values to its unit."""
    if kpi.unit is KpiUnit.PERCENT:
        return ValueAxisFormat(".1%", maximum=1.0005), 1
    if (total.p90 or SECONDS_PER_DAY * 2) >= SECONDS_PER_DAY * 2:
        return ValueAxisFormat(".1f", " d"), SECONDS_PER_DAY
    if (total.p90 or 0) >= 2 * 3_600:
        return ValueAxisFormat(".1f", " h"), 3_600
    return (
        (ValueAxisFormat(".0f", " min"), 60)
        if (total.p90 or 0) >= 120
        else (ValueAxisFormat(".0f", " s"), 1)
    )


def _convert_to_axis_unit(value: float | None, scale: float) -> float | None:
    return None if value is None else round(value / scale, 4)


def _trend_sentence(kpi: Kpi, daily: Sequence[tuple[date, KpiSummary]], total: KpiSummary) -> str:
    """Compare the first third of the days with the last third: single days vary too much."""
    third = max(len(daily) // 3, 1)
    first, last = _ratio_over_days(daily[:third]), _ratio_over_days(daily[-third:])
    if first is None or last is None or len(daily) < 3:
        return f"{kpi.title} is {format_kpi_value(kpi, total.value)}."
    verb = "rose" if last > first else "fell"
    if abs(last - first) < Decimal("0.001"):
        return f"{kpi.title} stayed at {format_kpi_value(kpi, last)}."
    target = f"; target {texts.format_target(kpi)}" if kpi.target is not None else ""
    start, end = format_kpi_value(kpi, first), format_kpi_value(kpi, last)
    return f"{kpi.title} {verb} from {start} to {end}{target}."


def _ratio_over_days(days: Sequence[tuple[date, KpiSummary]]) -> Decimal | None:
    denominator = sum((summary.denominator for _, summary in days), Decimal(0))
    return (
        sum((summary.numerator for _, summary in days), Decimal(0)) / denominator
        if denominator
        else None
    )
