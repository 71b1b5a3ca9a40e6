"""`manage.py test`: the command_line of the command and what pytest is called with."""

import pytest

from visibility.launcher.pytest_command import pytest_arguments

FILE = "manage.py"  # any path that exists


@pytest.mark.parametrize(
    ("command_line", "arguments"),
    [
        ([], ["--days=all", "-n", "3"]),
        (["unit"], ["tests/unit", "--days=all", "-n", "3"]),
        (["db", "browser", "-x"], ["tests/db", "tests/browser", "--days=all", "-n", "3", "-x"]),
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
