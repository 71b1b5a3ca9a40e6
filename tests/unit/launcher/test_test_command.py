"""`manage.py test`: the command_line of the command and what pytest is called with."""

import pytest

from tests.shifted_clock import DAYS, chosen_days
from visibility.launcher.pytest_command import pytest_arguments

FILE = "manage.py"  # any path that exists


@pytest.mark.parametrize(
    ("command_line", "arguments"),
    [
        ([], ["--days=some", "-n", "3"]),
        (["unit"], ["tests/unit", "--days=some", "-n", "3"]),
        (["db", "browser", "-x"], ["tests/db", "tests/browser", "--days=some", "-n", "3", "-x"]),
        (["--full"], ["--days=all", "-n", "3"]),
        (["--days=leap-day", "-n0"], ["--days=leap-day", "-n0"]),
        ([FILE, "-x"], [FILE, "-x"]),
        ([f"{FILE}::test_one"], [f"{FILE}::test_one"]),
    ],
)
def test_command_line_becomes_arguments_of_pytest(
    command_line: list[str], arguments: list[str]
) -> None:
    assert pytest_arguments(command_line) == arguments


def test_days_are_chosen_by_the_seed() -> None:
    runs = [chosen_days("some", seed) for seed in range(50)]
    assert {len(set(days)) for days in runs} == {3}
    assert {day for days in runs for day in days} == {"today", *DAYS}
    assert chosen_days("some", 7) == runs[7]
    assert chosen_days("all", 7) == ["today", *DAYS]
    assert chosen_days("leap-day,year-end", 7) == ["leap-day", "year-end"]
