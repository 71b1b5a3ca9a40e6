"""`manage.py bench`: compare the product with plain Django and raw PostgreSQL."""

import os
import sys

from visibility.launcher.instance_lock_and_environment import CHECKOUT


def main(argv: list[str]) -> int:
    """Replace this process with the benchmark."""
    os.chdir(CHECKOUT)
    command = [sys.executable, "-m", "tests.bench.main", *argv]
    os.execv(sys.executable, command)  # noqa: S606 - our own interpreter, no shell
