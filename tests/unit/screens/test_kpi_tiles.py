"""The 13-week line and the change of a KPI tile."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from visibility.kpi.query import KpiSummary
from visibility.kpi.registry import kpi_registry
from visibility.screens.kpis.kpi_tile import build_tile
from visibility.screens.kpis.sparklines import HEIGHT, WIDTH, build_sparkline
from visibility.screens.kpis.value_and_comparison_texts import change_as_chip

FILL = kpi_registry()["fill_rate"]
CYCLE = kpi_registry()["order_cycle_time"]
END = date(2026, 11, 25)  # a Wednesday
MONDAY = date(2026, 11, 23)


def summary(numerator: int, *, orders: int = 100, median: float | None = None) -> KpiSummary:
    return KpiSummary(Decimal(numerator) / 100, Decimal(numerator), Decimal(100), orders, median)


def week(number: int, numerator: int) -> tuple[date, KpiSummary]:
    return MONDAY - timedelta(weeks=12 - number), summary(numerator)


def test_line_runs_from_the_first_to_the_last_week() -> None:
    line = build_sparkline(FILL, [week(n, 90 + n % 2) for n in range(13)], END, FILL.target)
    assert line is not None
    assert line.path.startswith("M0.0 ")
    assert line.path.count("L") == 12
    assert line.end[0] == WIDTH
    assert line.label == "13 weeks: 90.0% to 90.0%, target 96%"
    assert line.target is not None
    assert 0 < line.target < line.end[1] < HEIGHT  # the target is higher than the values


def test_a_week_without_a_value_is_a_gap() -> None:
    line = build_sparkline(FILL, [week(n, 95) for n in (0, 1, 5, 12)], END, FILL.target)
    assert line is not None
    assert [step[0] for step in line.path.split(" ")[::2]] == ["M", "L", "M", "M"]


@pytest.mark.parametrize("weeks", [[], [week(12, 95)]])
def test_less_than_two_weeks_are_no_line(weeks: list[tuple[date, KpiSummary]]) -> None:
    assert build_sparkline(FILL, weeks, END, FILL.target) is None


@pytest.mark.parametrize(
    ("now", "before", "text", "icon", "tone"),
    [
        (97, 95, "2.0\u00a0points better", "arrow-up", "ok"),
        (95, 97, "2.0\u00a0points worse", "arrow-down", "risk"),
        (80, 97, "17.0\u00a0points worse", "arrow-down", "late"),
        (97, 97, "unchanged", "minus", "unknown"),
    ],
)
def test_change_says_whether_it_is_better(
    now: int, before: int, text: str, icon: str, tone: str
) -> None:
    chip = change_as_chip(FILL, summary(now), summary(before), FILL.target)
    assert chip is not None
    assert (chip.text, chip.icon, chip.tone) == (text, icon, tone)


def test_shorter_time_is_better() -> None:
    day, two_days = summary(1, median=86_400), summary(1, median=2 * 86_400)
    chip = change_as_chip(CYCLE, day, two_days, CYCLE.target)
    assert chip is not None
    assert (chip.text, chip.icon, chip.tone) == ("1\u00a0d better", "arrow-down", "ok")


def test_change_of_a_small_sample_is_not_judged() -> None:
    chip = change_as_chip(FILL, summary(80, orders=29), summary(97), FILL.target)
    assert chip is not None
    assert (chip.text, chip.tone) == ("17.0\u00a0points less", "unknown")


def test_no_change_without_two_values() -> None:
    nothing = KpiSummary(None, Decimal(0), Decimal(0), 0)
    assert change_as_chip(FILL, summary(97), nothing, FILL.target) is None


@pytest.mark.parametrize(("orders", "tone"), [(29, "unknown"), (30, "late")])
def test_a_small_sample_is_compared_with_the_target_and_not_judged(orders: int, tone: str) -> None:
    tile = build_tile(
        FILL,
        summary(80, orders=orders),
        None,
        target=Decimal("0.96"),
        end=END,
        period="",
        provisional="",
    )
    assert "below the 96% target" in tile.target.text
    assert tile.target.tone == tone
