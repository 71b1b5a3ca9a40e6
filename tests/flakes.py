"""Rerun failed tests alone, and keep a ledger of those that then pass.

    python -m tests.flakes    after `manage.py test` has failed

A test that fails in the suite and passes alone is flaky. It does not fail the build the first time,
but it is recorded, and the second time within ten runs it does. Lines of the ledger are
`date<TAB>commit<TAB>test id`; a run without a flaky test is recorded with the id `-`.

Two files are read: `tests/flakes.tsv` of the checkout, and the file that FLAKE_LEDGER names, which
the build machine stores between runs. This run is added to the latter. Without it, the run prints
the lines to add to `tests/flakes.tsv`. To close a case, fix the test and delete its lines there.
"""

import datetime
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from visibility.launcher.instance_lock_and_environment import CHECKOUT

LEDGER = CHECKOUT / "tests" / "flakes.tsv"
LAST_FAILED = CHECKOUT / ".pytest_cache" / "v" / "cache" / "lastfailed"
NO_FLAKE = "-"
# More failures than this have a common cause and are not run again.
MAX_RERUNS = 6
RUNS = 10


@dataclass(frozen=True, slots=True)
class Entry:
    """A flaky test of one run, or a run without any."""

    date: str
    commit: str
    test: str

    def line(self) -> str:
        """As the ledger has it."""
        return f"{self.date}\t{self.commit}\t{self.test}"


def main() -> int:
    """Rerun, record, judge; the exit code is that of the build."""
    failed = last_failed()
    if not failed or len(failed) > MAX_RERUNS:
        print(f"{len(failed)} tests failed; none is run again.")
        return 1
    print("Run again, each alone:", *failed, sep="\n  ", flush=True)
    still_failing = [test for test in failed if not passes_alone(test)]
    flaky = [test for test in failed if test not in still_failing]
    entries = run_entries(flaky)
    known = [*read(LEDGER), *read(own_ledger())]
    append(own_ledger(), entries)
    repeated = repeated_flakes(known, entries)
    if flaky:
        print("Flaky. Add to tests/flakes.tsv:", *(e.line() for e in entries), sep="\n")
    for test in still_failing:
        print(f"Failed again: {test}")
    for test in repeated:
        print(f"Flaky more than once in {RUNS} runs: {test}")
    return 1 if still_failing or repeated else 0


def record_success() -> None:
    """Record a run in which no test failed, if a ledger is stored between runs."""
    append(own_ledger(), run_entries([]))


def last_failed() -> list[str]:
    """The tests that failed in the last run of pytest."""
    if not LAST_FAILED.exists():
        return []
    return sorted(json.loads(LAST_FAILED.read_text()))


def passes_alone(test: str) -> bool:
    """Run one test in a process of its own."""
    # The suite's ids name the day of a calendar test, which exists with this option alone.
    command = [sys.executable, "manage.py", "test", "--days=all", "-n0", test]
    return subprocess.run(command, cwd=CHECKOUT, check=False).returncode == 0


def run_entries(flaky: Sequence[str]) -> list[Entry]:
    """The lines of this run."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"], cwd=CHECKOUT, capture_output=True, text=True
    ).stdout.strip()
    # When the machine ran the tests; the product has no part in this.
    today = datetime.datetime.now(datetime.UTC).date().isoformat()  # noqa: TID251
    return [Entry(today, commit or "unknown", test) for test in flaky or [NO_FLAKE]]


def own_ledger() -> Path | None:
    """The file that this machine keeps between runs."""
    name = os.environ.get("FLAKE_LEDGER")
    return Path(name) if name else None


def read(path: Path | None) -> list[Entry]:
    """The entries of a ledger, oldest first."""
    if path is None or not path.exists():
        return []
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return [Entry(*line.split("\t", 2)) for line in lines]


def append(path: Path | None, entries: Sequence[Entry]) -> None:
    """Add the entries at the end."""
    if path is not None:
        with path.open("a") as file:
            file.writelines(f"{entry.line()}\n" for entry in entries)


def repeated_flakes(earlier: Sequence[Entry], run: Sequence[Entry]) -> list[str]:
    """The flaky tests of this run that were flaky in one of the nine runs before it."""
    in_order = sorted(earlier, key=lambda entry: entry.date)
    runs = list(dict.fromkeys((entry.date, entry.commit) for entry in in_order))
    recent = set(runs[-(RUNS - 1) :])
    before = {entry.test for entry in earlier if (entry.date, entry.commit) in recent}
    return sorted({entry.test for entry in run if entry.test != NO_FLAKE} & before)


if __name__ == "__main__":
    if sys.argv[1:] == ["--passed"]:
        record_success()
    else:
        sys.exit(main())
