"""`manage.py bench`: measure the product beside the plain way and the raw limit."""

import os
import sys

from visibility.launcher.instance import CHECKOUT


def main(argv: list[str]) -> int:
    """Become the bench; the exit code is its own."""
    os.chdir(CHECKOUT)
    command = [sys.executable, "-m", "tests.bench.main", *argv]
    os.execv(sys.executable, command)  # noqa: S606 - our own interpreter, no shell
