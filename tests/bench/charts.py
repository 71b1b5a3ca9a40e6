"""Measure charts: CPU time to build one, to serve one from the cache, and memory."""

import json
import os
import statistics
import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from tests.bench.environment import BenchEnvironment
from tests.bench.processes import memory_of
from tests.bench.report import ReportLine, Sample
from tests.bench.sizes import BenchSize

DAYS = 90
CHANNELS = 5


def charts(stage: BenchEnvironment, size: BenchSize) -> list[ReportLine]:
    """Build charts in a new process that has loaded what the web server loads."""
    runs = [
        json.loads(stage.product.run("tests.bench.charts", str(size.charts)))
        for _ in range(size.repeats)
    ]
    built, cached, encoded = (
        Sample.of(run[name] for run in runs) for name in ("built", "cached", "encoded")
    )
    grown = Sample.of(run["after"] - run["before"] for run in runs)
    before = statistics.median(run["before"] for run in runs)
    return [
        ReportLine(
            "chart",
            cached,
            plain=built,
            note=f"plain: built by plotly each time, {built.median / encoded.median:.1f}x "
            "of encoding it as JSON",
        ),
        ReportLine(
            "chart_memory",
            grown,
            note=f"{(before + grown.median) / before:.2f}x of the process without a chart",
        ),
    ]


def main(count: int) -> dict[str, float]:
    """Milliseconds of CPU per chart, and memory in MB before and after the first chart."""
    from django.urls import get_resolver

    import visibility.asgi
    from visibility.screens import chart_theme_and_cache

    assert visibility.asgi.django_application
    assert get_resolver().url_patterns
    before = memory_of(os.getpid()).pss / 1024
    chart(0)
    after = memory_of(os.getpid()).pss / 1024
    return {
        "before": before,
        "after": after,
        "built": milliseconds(lambda n: chart(n + 1), count),
        "cached": milliseconds(lambda _: chart(count), count),
        "encoded": milliseconds(lambda _: json.dumps(chart(count)), count),
        "entries": chart_theme_and_cache.cached_figure.cache_info().currsize,
    }


def chart(number: int) -> dict[str, Any]:
    """A chart with lines of several channels over 90 days; the values depend on `number`."""
    from visibility.screens.charts import Series, TargetLine, ValueAxisFormat, build_line_figure

    days = [date(2026, 1, 1) + timedelta(days=index) for index in range(DAYS)]
    values = [(index + number) % 97 / 97 for index in range(DAYS)]
    series = [
        Series(f"Channel {name}", days, values, list(range(DAYS))) for name in range(CHANNELS)
    ]
    return build_line_figure(series, ValueAxisFormat(".1%"), target=TargetLine(((days[0], 0.96),)))


def milliseconds(work: Callable[[int], object], count: int) -> float:
    """CPU time of one call, the median of several."""
    durations = []
    for number in range(count):
        started = time.process_time()
        work(number)
        durations.append(1000 * (time.process_time() - started))
    return statistics.median(durations)


if __name__ == "__main__":
    import sys

    print(json.dumps(main(int(sys.argv[1]))))
