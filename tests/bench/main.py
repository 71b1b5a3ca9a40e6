"""The command: run the measures, print the table, write it down."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench import report
from tests.bench.size import SIZES, Size
from tests.bench.stage import Stage, rows, stage

if TYPE_CHECKING:
    from tests.bench.report import Grown, Line

NAMES = ("intake", "batches", "drain", "visible", "live", "growth")
SHOWN = ("server_version", "fsync", "synchronous_commit", "shared_buffers")


def main(argv: Sequence[str]) -> int:
    """Measure as asked."""
    if not sys.platform.startswith("linux"):
        print("The bench reads CPU and memory from /proc: it runs on Linux.", file=sys.stderr)
        return 2
    parser = argparse.ArgumentParser(prog="manage.py bench", description=__doc__)
    parser.add_argument("--size", choices=list(SIZES), default="default")
    parser.add_argument("--only", choices=NAMES, action="append", help="one measure, repeatable")
    parser.add_argument("--output", type=Path, help="the file to write (docs/figures.md)")
    asked = parser.parse_args(argv)
    whole = asked.size in {"default", "full"} and not asked.only
    output = asked.output or (Path("docs/figures.md") if whole else None)
    with stage() as found:
        text = measured(found, SIZES[asked.size], asked.only or NAMES)
    print(text)
    if output:
        output.write_text(text)
    return 0


def measured(found: Stage, size: Size, names: Sequence[str]) -> str:
    """The report of these measures."""
    from tests.bench import drain, growth, intake, live, setup, visible
    from visibility.db.clock import database_now

    setup.connect()
    lines: list[Line] = []
    grown: list[Grown] = []
    takes = {
        "intake": intake.intake,
        "batches": intake.batches,
        "drain": drain.drain,
        "visible": visible.visible,
        "live": live.live,
    }
    for name in names:
        began = time.perf_counter()
        setup.clear()
        found.clear()
        if name == "growth":
            grown += growth.growth(found, size)
        else:
            lines += takes[name](found, size)
        print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    settings = {
        name: rows(found.servers.product, f"SHOW {name}")[0][0]  # our own words
        for name in SHOWN
    }
    return report.markdown(lines, grown, settings, database_now())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
