"""Charts share one template, figures are cached, and plotly is imported lazily."""

import json
import os
import subprocess
import sys
from datetime import date, timedelta
from typing import Any

import plotly.io as pio  # type: ignore[import-untyped]  # it ships no types
import pytest

from visibility.launcher.instance_lock_and_environment import CHECKOUT
from visibility.screens import chart_theme_and_cache
from visibility.screens.chart_theme_and_cache import TEMPLATE, cached_figure
from visibility.screens.charts import (
    Series,
    TargetLine,
    ValueAxisFormat,
    build_histogram_figure,
    build_line_figure,
    build_median_p90_band_figure,
)

DAY = date(2026, 3, 2)
PERCENT = ValueAxisFormat(".1%")
# Prints whether plotly is imported: after the startup of a process, and after one chart.
LOADS = """
import sys
{start}
print("plotly" in sys.modules)
from visibility.screens.charts import ValueAxisFormat, build_histogram_figure
build_histogram_figure([0, 4], ["0-4 h", "above"], [1, 2], ValueAxisFormat(",d"))
print("plotly" in sys.modules)
"""
WEB = """
import visibility.asgi
from django.urls import get_resolver
get_resolver().url_patterns
"""
WORKER = """
import django
import visibility.celery
django.setup()
visibility.celery.app.loader.import_default_modules()
"""
SCHEDULER = "from visibility.celery import scheduler_app"


def target(height: float) -> TargetLine:
    return TargetLine(((DAY, height),))


def series(name: str, value: float = 0.5) -> Series:
    return Series(name, [DAY, DAY + timedelta(days=1)], [value, 0.7], [40, 50])


def every_kind() -> list[dict[str, Any]]:
    return [
        build_line_figure([series("a")], PERCENT, target=target(0.9)),
        build_line_figure([series("a"), series("b", 0.6)], PERCENT),
        build_median_p90_band_figure(
            series("Median"), series("P90", 0.6), ValueAxisFormat(",.1f", " h"), target=target(0.4)
        ),
        build_histogram_figure([0, 4], ["0-4 h", "above"], [1, 2], ValueAxisFormat(",d")),
    ]


def test_every_figure_uses_the_registered_template() -> None:
    figures = every_kind()
    registered = json.loads(pio.templates[TEMPLATE].layout.to_json())
    for figure in figures:
        assert json.loads(json.dumps(figure["layout"]["template"]["layout"])) == registered


def test_no_figure_overrides_the_template() -> None:
    for figure in every_kind():
        for name in ("font", "hoverlabel", "legend", "paper_bgcolor", "plot_bgcolor"):
            assert name not in figure["layout"]


def test_style_sheet_defines_all_template_colors() -> None:
    sheets = "".join(path.read_text() for path in (CHECKOUT / "static" / "css").glob("*.css"))
    names = {text.split(")")[0] for text in json.dumps(every_kind()).split("var(")[1:]}
    assert len(names) > 6
    assert sorted(name for name in names if f"{name}:" not in sheets) == []


def test_equal_values_return_cached_figure() -> None:
    first = build_line_figure([series("a")], PERCENT, target=target(0.9))
    assert build_line_figure([series("a")], PERCENT, target=target(0.9)) is first
    for other in (
        build_line_figure([series("b")], PERCENT, target=target(0.9)),
        build_line_figure([series("a", 0.51)], PERCENT, target=target(0.9)),
        build_line_figure([series("a")], ValueAxisFormat(".1f"), target=target(0.9)),
        build_line_figure([series("a")], PERCENT, target=target(0.8)),
        build_line_figure([series("a")], PERCENT),
    ):
        assert other != first


def test_figure_cache_is_bounded() -> None:
    cached_figure.cache_clear()
    for count in range(chart_theme_and_cache.CACHED_FIGURES + 5):
        build_histogram_figure([0, 4], ["0-4 h", "above"], [1, count], ValueAxisFormat(",d"))
    assert cached_figure.cache_info().currsize == chart_theme_and_cache.CACHED_FIGURES


def test_unknown_plotly_property_raises() -> None:
    with pytest.raises(ValueError, match="no_such_property"):
        chart_theme_and_cache.build_themed_plotly_figure_dict([], {"no_such_property": 1})


@pytest.mark.parametrize("start", [WEB, WORKER, SCHEDULER], ids=["web", "worker", "scheduler"])
def test_plotly_is_not_imported_before_first_chart(start: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADS.format(start=start)],
        cwd=CHECKOUT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "visibility.settings"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout.split() == ["False", "True"], done.stderr[-2000:]
