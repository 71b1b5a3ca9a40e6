"""The bench runs from end to end and its report is whole."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench import report
from visibility.launcher.instance import CHECKOUT


def test_the_bench_measures_everything_on_a_tiny_database(tmp_path: Path) -> None:
    output = tmp_path / "figures.md"
    # Ends with an error where the two ways made different orders of the same messages.
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.main", "--size", "tiny", "--output", str(output)],
        cwd=CHECKOUT,
        env={**os.environ, "VISIBILITY_NO_BOOTSTRAP": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    written = output.read_text()
    assert written in done.stdout
    rows = [line.split("|") for line in written.splitlines() if line.startswith("|")]
    named = {cells[1].strip().split(";")[0] for cells in rows}
    for what, _, _ in (*report.LINES.values(), *report.GROWTH.values()):
        assert what in named
    for cells in rows:
        assert cells[2].strip(), cells


def test_ratios_say_how_many_times_better_whichever_way_is_better() -> None:
    fast = report.Line("intake", report.Sample.of([300, 100, 200]), report.Sample.of([10]))
    cheap = report.Line("intake_cpu", report.Sample.of([0.1]), report.Sample.of([5]))
    assert fast.ratio == 20
    assert cheap.ratio == pytest.approx(50)
    assert str(fast.ours) == "200 (100 to 300)"


@pytest.mark.parametrize(("share", "wanted"), [(0.5, 51), (0.95, 96), (0.99, 100), (1.0, 100)])
def test_percentiles_are_values_that_occurred(share: float, wanted: float) -> None:
    assert report.percentile(list(range(100, 0, -1)), share) == wanted
