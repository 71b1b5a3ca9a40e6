"""The benchmarks run from end to end and produce a complete report."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench import report
from tests.bench.first_paint import LISTS
from visibility.launcher import find_browser
from visibility.launcher.instance_lock_and_environment import CHECKOUT


def test_tiny_run_produces_a_complete_report(tmp_path: Path) -> None:
    output = tmp_path / "figures.md"
    # The run also fails if the two implementations derive different orders.
    completed = subprocess.run(
        [sys.executable, "-m", "tests.bench.main", "--size", "tiny", "--output", str(output)],
        cwd=CHECKOUT,
        env={**os.environ, "VISIBILITY_NO_BOOTSTRAP": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert completed.returncode == 0, completed.stderr[-4000:]
    written = output.read_text()
    assert written in completed.stdout
    rows = [line.split("|") for line in written.splitlines() if line.startswith("|")]
    titles = {cells[1].strip().split(";")[0] for cells in rows}
    for code, (title, _, _) in {**report.LINES, **report.GROWTH}.items():
        # Without a browser, first paints are not measured.
        assert title in titles or (code in LISTS and find_browser.find_browser() is None)
    for cells in rows:
        assert cells[2].strip(), cells


def test_ratio_exceeds_1_for_higher_rates_and_lower_times() -> None:
    fast = report.ReportLine("intake", report.Sample.of([300, 100, 200]), report.Sample.of([10]))
    cheap = report.ReportLine("intake_cpu", report.Sample.of([0.1]), report.Sample.of([5]))
    assert fast.ratio == 20
    assert cheap.ratio == pytest.approx(50)
    assert str(fast.product) == "200 (100 to 300)"


@pytest.mark.parametrize(("share", "expected"), [(0.5, 51), (0.95, 96), (0.99, 100), (1.0, 100)])
def test_percentile_is_an_existing_value(share: float, expected: float) -> None:
    assert report.percentile(list(range(100, 0, -1)), share) == expected
