"""`manage.py test`: the whole suite on throw-away servers, in two processes."""

import os
import sys
from pathlib import Path

from visibility.launcher.instance import CHECKOUT


def main(argv: list[str]) -> int:
    """Become pytest; the exit code is its own."""
    os.chdir(CHECKOUT)
    command = [sys.executable, "-m", "pytest", *_processes(argv), *argv]
    os.execv(sys.executable, command)  # noqa: S606 - our own interpreter, no shell


def _processes(argv: list[str]) -> list[str]:
    """One file is quicker in one process, and easier to debug."""
    chosen = any(word in {"-n", "--pdb"} or word.startswith(("-n", "--num")) for word in argv)
    names_file = any(Path(word.partition("::")[0]).is_file() for word in argv)
    return [] if chosen or names_file else ["-n", "2"]
