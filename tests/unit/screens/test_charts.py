"""Chart figures and KPI labels."""

import json
from datetime import date

import pytest
from plotly.graph_objects import Figure  # type: ignore[import-untyped]  # it ships no types

from visibility.kpi.registry import kpi_registry
from visibility.screens.charts import (
    Series,
    TargetLine,
    ValueAxisFormat,
    build_histogram_figure,
    build_line_figure,
    build_median_p90_band_figure,
)
from visibility.screens.kpis import value_and_comparison_texts

FILL, CYCLE = kpi_registry()["fill_rate"], kpi_registry()["order_cycle_time"]
DAY = date(2026, 3, 3)


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        (77.3, "5\u00a0h above the 3\u00a0d target"),
        (66, "6\u00a0h below the 3\u00a0d target"),
        (72.4, "under\u00a01\u00a0h above the 3\u00a0d target"),
        (72, "on target (3\u00a0d)"),
    ],
)
def test_distance_has_the_precision_of_the_value(hours: float, expected: str) -> None:
    compared = value_and_comparison_texts.compare_to_target(CYCLE, hours * 3600, CYCLE.target)
    assert compared.text == expected


def test_every_exclusion_reason_has_a_phrase() -> None:
    for kpi in kpi_registry().values():
        assert kpi.definition
        assert all(kpi.reasons.values())
        assert value_and_comparison_texts.exclusion_reason(kpi, "some_reason") == "some reason"


def test_names_in_figures_are_escaped() -> None:
    hostile = "<a href='javascript:alert(1)'>x</a>"
    series = [Series(hostile, [DAY], [0.5], [3]), Series("b", [DAY], [0.6], [40])]
    assert "<a href" not in str(build_line_figure(series, ValueAxisFormat(".1%")))


def test_line_at_axis_maximum_is_not_clipped_and_labels_stay_below() -> None:
    series = [
        Series(name, [DAY], [end], [40]) for name, end in (("a", 0.0), ("b", 0.99), ("c", 1.0))
    ]
    drawn = build_line_figure(series, ValueAxisFormat(".1%", maximum=1.005))
    assert [trace["cliponaxis"] for trace in drawn["data"]] == [False] * 3
    ends = {a["text"]: a["y"] for a in drawn["layout"]["annotations"] if a.get("name") == "end"}
    assert ends == pytest.approx({"a": 0.0, "b": 0.88, "c": 1.0})


def test_plotly_accepts_every_kind_of_figure() -> None:
    first, second = (Series(name, [DAY, DAY], [0.5, None], [3, 40]) for name in ("a", "b"))
    for figure in (
        build_line_figure([first], ValueAxisFormat(".1%", "%"), target=TargetLine(((DAY, 0.9),))),
        build_line_figure([first, second], ValueAxisFormat(".1%", maximum=1.005)),
        build_median_p90_band_figure(
            first, second, ValueAxisFormat(",.1f", " h"), target=TargetLine(((DAY, 4.0),))
        ),
        build_histogram_figure(
            [0, 4, 8], ["0-4 h", "4-8 h", "above"], [1, 2, 3], ValueAxisFormat(",d")
        ),
    ):
        read = json.loads(Figure(figure).to_json())  # raises for an unknown property
        assert read["data"] == figure["data"]
        assert read["layout"] == figure["layout"]


def test_a_chart_of_few_days_labels_each_of_them_once() -> None:
    axis = ValueAxisFormat(".1%")
    days = [date(2026, 3, day) for day in range(2, 32)]
    single, few, many = (Series("x", days[:n], [0.5] * n, [40] * n) for n in (1, 3, 30))
    band = build_median_p90_band_figure(single, single, axis, target=TargetLine(((DAY, 4.0),)))
    for figure, labeled in (
        (build_line_figure([single], axis), ["2026-03-02"]),
        (band, ["2026-03-02"]),
        (build_line_figure([few], axis), ["2026-03-02", "2026-03-03", "2026-03-04"]),
        (build_line_figure([many], axis), None),
    ):
        assert figure["layout"]["xaxis"].get("tickvals") == labeled


def test_points_of_few_orders_are_hollow() -> None:
    drawn = build_line_figure(
        [Series("x", [DAY, DAY], [0.5, 0.5], [3, 300])], ValueAxisFormat(".1%")
    )
    assert drawn["data"][0]["marker"]["symbol"] == ["circle-open", "circle"]


def test_distance_many_times_the_target_has_a_unit_of_its_own() -> None:
    delay = kpi_registry()["event_delay"]
    text = value_and_comparison_texts.compare_to_target(delay, 5.7 * 86_400, delay.target).text
    assert text == "5\u00a0d\u00a018\u00a0h above the 15\u00a0min target"
