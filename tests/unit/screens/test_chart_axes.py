"""The axes of KPI charts, partial periods, comparison and notes in figures."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visibility.kpi.periods import Comparison, PeriodLength, split_into_periods
from visibility.kpi.query import DaySpan, KpiSummary
from visibility.kpi.registry import kpi_registry
from visibility.kpi.targets import TargetStep
from visibility.screens.charts import Chart, ChartNote
from visibility.screens.kpis.chart_axes import ratio_axis
from visibility.screens.kpis.sparklines import HEIGHT, build_sparkline
from visibility.screens.kpis.trend import KpiTrend, TrendPoint
from visibility.screens.kpis.trend_chart import build_trend_chart
from visibility.screens.kpis.value_and_comparison_texts import NO_VALUE

FILL, CYCLE = kpi_registry()["fill_rate"], kpi_registry()["order_cycle_time"]
TODAY = date(2026, 11, 29)
SPAN = DaySpan(date(2026, 11, 4), TODAY)


def summary(value: float, *, orders: int = 100, seconds: float | None = None) -> KpiSummary:
    met = Decimal(str(value)) * 1000
    return KpiSummary(met / 1000, met, Decimal(1000), orders, seconds, seconds)


def trend(values: list[float], compared: list[float] | None = None) -> KpiTrend:
    weeks = split_into_periods(SPAN, PeriodLength.WEEK, TODAY)
    before = [summary(v) for v in compared] if compared else [None] * len(values)
    points = [
        TrendPoint(week, summary(value), other)
        for week, value, other in zip(weeks, values, before, strict=True)
    ]
    comparison = Comparison.PREVIOUS if compared else Comparison.NONE
    return KpiTrend(PeriodLength.WEEK, points, comparison)


def drawn(
    of: KpiTrend,
    notes: tuple[ChartNote, ...] = (),
    targets: tuple[TargetStep, ...] = (TargetStep(SPAN.start, Decimal("0.96")),),
) -> tuple[Chart, Any]:
    chart = build_trend_chart(FILL, of, summary(0.95), notes, targets=targets)
    assert chart
    return chart, chart.figure


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_axis_of_a_ratio_has_at_least_ten_points_and_contains_every_value(
    values: list[float],
) -> None:
    axis = ratio_axis(values)
    assert axis.high - axis.low >= 0.0999
    assert 0 <= axis.low <= min(values)
    assert max(values) <= axis.high <= 1


@pytest.mark.parametrize(
    ("values", "ends", "note"),
    [
        ([0.957, 0.96], (0.95, 1.0), "Axis from 90% to 100%."),
        ([1.0, 1.0], (0.9, 1.0), "Axis from 90% to 100%."),
        ([0.0, 0.003], (0.0, 0.1), "Axis from 0% to 10%."),
        ([0.0, 1.0], (0.0, 1.0), ""),
        ([0.42, 0.58], (0.4, 0.6), "Axis from 40% to 60%."),
        ([], (0.0, 1.0), ""),
    ],
)
def test_axis_says_what_it_leaves_out(
    values: list[float], ends: tuple[float, float], note: str
) -> None:
    axis = ratio_axis(values)
    assert axis.note == note
    assert axis.high == ends[1]


def test_a_third_of_a_point_is_no_cliff_in_chart_and_sparkline() -> None:
    chart, figure = drawn(trend([0.957, 0.960, 0.957, 0.957]))
    low, high = figure["layout"]["yaxis"]["range"]
    assert (0.960 - 0.957) / (high - low) <= 0.031
    assert chart.axis_note == "Axis from 90% to 100%."
    monday = date(2026, 11, 23)
    weeks = [(monday - timedelta(weeks=n), summary(0.957 + n % 2 * 0.003)) for n in range(13)]
    line = build_sparkline(FILL, weeks, TODAY, FILL.target)
    assert line
    heights = [float(point.split(" ")[1]) for point in line.path[1:].replace("M", "L").split(" L")]
    assert max(heights) - min(heights) <= HEIGHT * 0.04


def test_axis_of_a_duration_starts_at_zero() -> None:
    weeks = split_into_periods(SPAN, PeriodLength.WEEK, TODAY)
    points = [TrendPoint(week, summary(1, seconds=300_000 + n)) for n, week in enumerate(weeks)]
    of, targets = KpiTrend(PeriodLength.WEEK, points), [TargetStep(SPAN.start, CYCLE.target)]
    chart = build_trend_chart(CYCLE, of, points[0].summary, targets=targets)
    assert chart
    assert chart.figure["layout"]["yaxis"]["rangemode"] == "tozero"


def test_partial_weeks_are_apart_from_the_line_and_marked_in_the_table() -> None:
    chart, figure = drawn(trend([0.5, 0.96, 0.97, 0.2]))
    line, dotted, hollow = figure["data"]
    assert line["y"] == [None, 0.96, 0.97, None]
    assert dotted["line"]["dash"] == "dot"
    assert (hollow["y"], hollow["marker"]["symbol"]) == ([0.5, 0.2], "circle-open")
    assert "partial" in hollow["hovertemplate"]
    assert [row[0] for row in chart.rows] == [
        "Week of Mon, Nov 2, partial: 5 of 7 days",
        "Week of Mon, Nov 9",
        "Week of Mon, Nov 16",
        "Week of Mon, Nov 23, so far",
    ]
    assert chart.ranges[0] == (date(2026, 11, 4), date(2026, 11, 8))


def test_the_sentence_compares_whole_periods_only() -> None:
    weeks = split_into_periods(DaySpan(date(2026, 10, 19), TODAY), PeriodLength.WEEK, TODAY)
    values = [0.90, 0.90, 0.91, 0.92, 0.93, 0.10]
    points = [TrendPoint(w, summary(v)) for w, v in zip(weeks, values, strict=True)]
    chart, _ = drawn(KpiTrend(PeriodLength.WEEK, points))
    assert chart.sentence == "Line fill rate rose from 90.0% to 93.0%; target 96%."


def test_a_changed_target_is_a_step_and_a_column() -> None:
    targets = (
        TargetStep(SPAN.start, Decimal("0.96")),
        TargetStep(date(2026, 11, 18), Decimal("0.98")),
    )
    chart, figure = drawn(trend([0.95, 0.96, 0.97, 0.98]), targets=targets)
    lines = [(s["x0"], s["x1"], s["y0"], s["y1"]) for s in figure["layout"]["shapes"]]
    assert lines == [
        ("2026-11-02", "2026-11-18", 0.96, 0.96),
        ("2026-11-18", "2026-11-18", 0.96, 0.98),
        ("2026-11-18", "2026-11-23", 0.98, 0.98),
    ]
    assert chart.head[-1] == "Target"
    # The target of a week is that of its last day.
    assert [row[-1] for row in chart.rows] == ["96%", "96%", "98%", "98%"]


def test_a_target_that_ends_or_begins_within_the_range_is_a_shorter_line() -> None:
    none, some = TargetStep(SPAN.start, None), TargetStep(date(2026, 11, 18), Decimal("0.98"))
    chart, figure = drawn(trend([0.95, 0.96, 0.97, 0.98]), targets=(none, some))
    lines = [(s["x0"], s["x1"], s["y0"]) for s in figure["layout"]["shapes"]]
    assert lines == [("2026-11-18", "2026-11-23", 0.98)]
    assert [row[-1] for row in chart.rows] == [NO_VALUE, NO_VALUE, "98%", "98%"]
    # From a day after the start of the last period on, up to the end of the period.
    late = TargetStep(date(2026, 11, 25), Decimal("0.98"))
    _, figure = drawn(trend([0.95, 0.96, 0.97, 0.98]), targets=(none, late))
    lines = [(s["x0"], s["x1"], s["y0"]) for s in figure["layout"]["shapes"]]
    assert lines == [("2026-11-25", "2026-11-29", 0.98)]


def test_without_a_target_there_is_no_line() -> None:
    _, figure = drawn(trend([0.95, 0.96, 0.97, 0.98]), targets=(TargetStep(SPAN.start, None),))
    assert not figure["layout"].get("shapes")
    assert not figure["layout"].get("annotations")


def test_the_comparison_is_a_line_and_a_column() -> None:
    chart, figure = drawn(trend([0.95, 0.96, 0.97, 0.98], [0.91, 0.92, 0.93, 0.94]))
    assert figure["data"][1]["y"] == [0.91, 0.92, 0.93, 0.94]
    assert figure["data"][1]["mode"] == "lines"
    assert chart.head[-1] == "Previous date range"
    assert [row[-1] for row in chart.rows] == ["91.0%", "92.0%", "93.0%", "94.0%"]


def test_a_note_is_a_line_and_a_cell_of_the_table() -> None:
    note = ChartNote(date(2026, 11, 10), date(2026, 11, 17), "1", "<b>Go-live</b>")
    chart, figure = drawn(trend([0.95, 0.96, 0.97, 0.98]), (note,))
    shapes = figure["layout"]["shapes"]
    assert {shape["x0"] for shape in shapes if shape.get("yref") == "y domain"} == {"2026-11-10"}
    assert [note["text"] for note in figure["layout"]["annotations"]] == ["target", "1"]
    assert [row[-1] for row in chart.rows] == ["", *["1: <b>Go-live</b>"] * 2, ""]
