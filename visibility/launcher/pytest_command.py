"""`manage.py test`: everything, or some lanes, on throw-away servers, in three processes.

Two processors are enough for three: tests often wait for servers.

    manage.py test                       everything
    manage.py test unit                  plain Python only: no server is started
    manage.py test db processes browser  these lanes
    manage.py test --full                more seeds, more examples, every mutation of the samples,
                                         all days of `tests/shifted_clock.py`

Other arguments go to pytest. Tests marked `calendar` also run on two of those days, unless files or
`--days` are given.
"""

import os
import sys
from pathlib import Path

from visibility.launcher.instance_lock_and_environment import CHECKOUT

LANES = ("unit", "db", "processes", "browser")


def main(argv: list[str]) -> int:
    """Replace this process with pytest; the exit code is pytest's own."""
    os.chdir(CHECKOUT)
    if "--full" in argv:
        os.environ["TEST_EFFORT"] = "full"
    # Without bytecode, each of the many processes that tests start compiles the product again.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-m", "pytest", *pytest_arguments(argv)]
    os.execv(sys.executable, command)  # noqa: S606 - our own interpreter, no shell


def pytest_arguments(argv: list[str]) -> list[str]:
    """Return the arguments for pytest."""
    lanes = [item for item in argv if item in LANES]
    others = [item for item in argv if item not in LANES and item != "--full"]
    names_file = any(Path(item.partition("::")[0]).exists() for item in others)
    arguments = [f"tests/{lane}" for lane in lanes]
    if not names_file and not _has_option(others, "--days"):
        arguments.append("--days=all" if "--full" in argv else "--days=some")
    if not names_file and not _has_option(others, "-n", "--numprocesses", "--pdb"):
        # One file is quicker in one process, and easier to debug.
        arguments += ["-n", "3"]
    return [*arguments, *others]


def _has_option(arguments: list[str], *options: str) -> bool:
    return any(item.startswith(option) for item in arguments for option in options)
