"""Starts `fake_up` as a process of its own, as a person at a terminal would."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from visibility.launcher.instance import CHECKOUT

GIVEN = ("DATABASE_URL", "REDIS_URL", "DATA_DIR", "SECRET_KEY", "PUBLIC_URL", "DEMO")
PATIENCE_SECONDS = 30


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for it, but not for ever."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def _as_at_a_terminal() -> None:
    """A suite that runs under `nohup` hands its deafness down."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


class Up:
    """One start on a data folder."""

    def __init__(
        self,
        data: Path,
        *words: str,
        environment: Mapping[str, str] | None = None,
        python: str = sys.executable,
        folder: Path = CHECKOUT,
        user: int | None = None,
    ) -> None:
        self.data = data
        data.parent.mkdir(parents=True, exist_ok=True)
        self.output = data.parent / f"{time.monotonic_ns()}.out"
        kept = {name: value for name, value in os.environ.items() if name not in GIVEN}
        with self.output.open("wb") as out:
            self.process = subprocess.Popen(
                [python, "-m", "tests.management.fake_up", "--data", str(data), *words],
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**kept, **(environment or {})},
                cwd=folder,
                user=user,
                group=user,
                extra_groups=None if user is None else [],
                start_new_session=True,
                preexec_fn=_as_at_a_terminal,
            )

    @property
    def lines(self) -> list[str]:
        """What the terminal shows."""
        return self.output.read_text().splitlines()

    def says(self, beginning: str) -> bool:
        """Whether a line of the terminal begins so."""
        return any(line.startswith(beginning) for line in self.lines)

    def ready(self) -> "Up":
        """Wait for the line that means: go ahead."""
        until(lambda: self.says("ready ") or self.process.poll() is not None, "no ready line")
        assert self.says("ready "), self.lines
        return self

    @property
    def port(self) -> int:
        """Where the pages are."""
        line = next(line for line in self.lines if line.startswith("ready "))
        return int(line.rstrip("/").rpartition(":")[2])

    def ended(self) -> int:
        """The exit code."""
        return self.process.wait(PATIENCE_SECONDS)

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Ctrl-C, and the exit code."""
        self.process.send_signal(number)
        return self.ended()

    def family(self) -> set[int]:
        """The process and everything below it."""
        parents = _parents()
        found = {self.process.pid}
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        return found

    def child(self, words: str) -> int:
        """The direct child whose command has these words, once there is one."""
        found: list[int] = []

        def look() -> bool:
            mine = [pid for pid, parent in _parents().items() if parent == self.process.pid]
            found[:] = [pid for pid in mine if words in _command(pid)]
            return bool(found)

        until(look, f"no child {words}")
        return found[0]


def _parents() -> dict[int, int]:
    """Every living process and its parent."""
    said = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True)
    rows = (line.split() for line in said.stdout.splitlines())
    return {int(row[0]): int(row[1]) for row in rows if not row[2].startswith("Z")}


def _command(pid: int) -> str:
    said = subprocess.run(
        ["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True
    )
    return said.stdout


def all_gone(pids: set[int]) -> bool:
    """Whether none of them lives."""
    return not pids & set(_parents())
