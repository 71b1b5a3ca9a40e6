"""The ledger of flaky tests: what is recorded, and when it fails the build."""

import json
from pathlib import Path

import pytest

from tests import flakes
from tests.flakes import MAX_RERUNS, NO_FLAKE, RUNS, Entry, read, repeated_flakes

FIRST, SECOND = "tests/db/test_a.py::test_one[today]", "tests/db/test_a.py::test_other"


def entry(run: int, test: str = NO_FLAKE) -> Entry:
    return Entry(f"2027-01-{run + 1:02}", f"commit{run}", test)


def test_the_second_time_within_ten_runs_fails() -> None:
    passed = [entry(run) for run in range(1, RUNS)]
    assert repeated_flakes([], [entry(0, FIRST)]) == []
    assert repeated_flakes([entry(0, FIRST), *passed[:-1]], [entry(9, FIRST)]) == [FIRST]
    assert repeated_flakes([entry(0, FIRST), *passed], [entry(10, FIRST)]) == []
    assert repeated_flakes([entry(0, FIRST)], [entry(1, SECOND)]) == []
    assert repeated_flakes([entry(0, FIRST), entry(1, FIRST)], [entry(2)]) == []


def test_the_order_of_commits_on_one_day_is_that_of_the_lines() -> None:
    day = [Entry("2027-01-01", commit, NO_FLAKE) for commit in "zyxwvutsr"]
    first = Entry("2027-01-01", "a", FIRST)
    assert repeated_flakes([first, *day], [Entry("2027-01-01", "q", FIRST)]) == []
    assert repeated_flakes([*day, first], [Entry("2027-01-01", "q", FIRST)]) == [FIRST]


class Build:
    """A build whose failed tests and reruns are given."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ledger, self.own = folder / "flakes.tsv", folder / "own.tsv"
        self.failed, self.fail_alone = folder / "lastfailed", set[str]()
        self.rerun: list[str] = []
        monkeypatch.setattr(flakes, "LEDGER", self.ledger)
        monkeypatch.setattr(flakes, "LAST_FAILED", self.failed)
        monkeypatch.setattr(flakes, "passes_alone", self._passes_alone)
        monkeypatch.setenv("FLAKE_LEDGER", str(self.own))

    def _passes_alone(self, test: str) -> bool:
        self.rerun.append(test)
        return test not in self.fail_alone

    def run(self, *failed: str) -> int:
        self.failed.write_text(json.dumps(dict.fromkeys(failed, True)))
        return flakes.main()


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    return Build(tmp_path, monkeypatch)


def test_a_flaky_test_is_recorded_and_printed(
    build: Build, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build.run(FIRST) == 0
    (recorded,) = read(build.own)
    assert recorded.test == FIRST
    assert recorded.line() in capsys.readouterr().out
    assert build.run(FIRST) == 1
    assert build.run(SECOND) == 0


def test_the_ledger_of_the_checkout_counts_too(build: Build) -> None:
    build.ledger.write_text(f"# date\tcommit\ttest\n{entry(0, FIRST).line()}\n")
    assert build.run(FIRST) == 1


def test_a_test_that_fails_again_fails_the_build_and_is_not_flaky(build: Build) -> None:
    build.fail_alone = {FIRST}
    assert build.run(FIRST, SECOND) == 1
    assert [e.test for e in read(build.own)] == [SECOND]


def test_many_failures_are_not_run_again(build: Build) -> None:
    assert build.run(*(f"test {n}" for n in range(MAX_RERUNS + 1))) == 1
    assert build.rerun == []
    assert build.run() == 1


def test_a_run_without_failures_is_recorded(build: Build) -> None:
    flakes.record_success()
    assert [e.test for e in read(build.own)] == [NO_FLAKE]
