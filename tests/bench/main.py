"""The command `manage.py bench`: run the benchmarks, print the report and write it to a file."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench import report
from tests.bench.environment import BenchEnvironment, bench_environment, rows
from tests.bench.sizes import SIZES, BenchSize

if TYPE_CHECKING:
    from tests.bench.report import GrowthValue, ReportLine

NAMES = (
    "intake",
    "batches",
    "drain",
    "visible",
    "live",
    "packages",
    "signins",
    "charts",
    "cells",
    "lone",
    "paint",
    "growth",
)
REPORTED_SETTINGS = ("server_version", "fsync", "synchronous_commit", "shared_buffers")


def main(argv: Sequence[str]) -> int:
    """Run the benchmarks that the command line selects."""
    if not sys.platform.startswith("linux"):
        print(
            "The benchmarks read CPU and memory from /proc and run on Linux only.", file=sys.stderr
        )
        return 2
    parser = argparse.ArgumentParser(prog="manage.py bench", description=__doc__)
    parser.add_argument("--size", choices=list(SIZES), default="default")
    parser.add_argument(
        "--only", choices=NAMES, action="append", help="run one benchmark; may be repeated"
    )
    parser.add_argument("--output", type=Path, help="file to write (default: docs/figures.md)")
    options = parser.parse_args(argv)
    complete = options.size in {"default", "full"} and not options.only
    output = options.output or (Path("docs/figures.md") if complete else None)
    with bench_environment() as environment:
        text = run_benchmarks(environment, SIZES[options.size], options.only or NAMES)
    print(text)
    if output:
        output.write_text(text)
    return 0


def run_benchmarks(environment: BenchEnvironment, size: BenchSize, names: Sequence[str]) -> str:
    """Run these benchmarks and return the report."""
    from tests.bench import (
        backlog,
        charts,
        disturbances,
        first_paint,
        growth,
        intake,
        kpi_cells,
        live_push,
        lone_event,
        setup,
        visibility_latency,
    )
    from visibility.db.database_time import database_now

    setup.create_sources_and_rules()
    lines: list[ReportLine] = []
    grown: list[GrowthValue] = []
    functions = {
        "intake": intake.measure_webhooks,
        "batches": intake.measure_batches,
        "drain": backlog.measure_backlog,
        "visible": visibility_latency.measure_visibility,
        "live": live_push.measure_live_push,
        "packages": disturbances.measure_many_packages,
        "signins": disturbances.measure_sign_ins,
        "charts": charts.charts,
        "cells": kpi_cells.measure_changed_order,
        "lone": lone_event.measure_lone_events,
        "paint": first_paint.measure_first_paint,
    }
    for name in names:
        started = time.perf_counter()
        setup.clear_data()
        environment.clear()
        if name == "growth":
            grown += growth.measure_growth(environment, size)
        else:
            lines += functions[name](environment, size)
        print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    settings = {
        name: rows(environment.servers.product, f"SHOW {name}")[0][0]  # constant names
        for name in REPORTED_SETTINGS
    }
    return report.markdown(lines, grown, settings, database_now())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
