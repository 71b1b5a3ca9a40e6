"""Start `fake_up` as a separate process, as from a terminal."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from visibility.launcher.instance_lock_and_environment import CHECKOUT

SETTINGS_VARIABLES = ("DATABASE_URL", "REDIS_URL", "DATA_DIR", "SECRET_KEY", "PUBLIC_URL", "DEMO")
TIMEOUT_SECONDS = 30


def wait_until(condition: Callable[[], bool], failure: str) -> None:
    """Wait until a condition is true; fail after a timeout."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, failure
        time.sleep(0.02)


def _restore_sighup() -> None:
    """Restore the default for SIGHUP: tests under `nohup` inherit an ignored signal."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


class UpProcess:
    """A running `manage.py up` on a data folder."""

    def __init__(
        self,
        data: Path,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        python: str = sys.executable,
        folder: Path = CHECKOUT,
        user: int | None = None,
    ) -> None:
        self.data = data
        data.parent.mkdir(parents=True, exist_ok=True)
        self.output = data.parent / f"{time.monotonic_ns()}.out"
        inherited = {
            name: value for name, value in os.environ.items() if name not in SETTINGS_VARIABLES
        }
        with self.output.open("wb") as out:
            self.process = subprocess.Popen(
                [python, "-m", "tests.processes.launcher.fake_up", "--data", str(data), *arguments],
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**inherited, **(environment or {})},
                cwd=folder,
                user=user,
                group=user,
                extra_groups=None if user is None else [],
                start_new_session=True,
                preexec_fn=_restore_sighup,
            )

    @property
    def lines(self) -> list[str]:
        """The lines of its output so far."""
        return self.output.read_text().splitlines()

    def has_line(self, prefix: str) -> bool:
        """Return whether an output line begins with this text."""
        return any(line.startswith(prefix) for line in self.lines)

    def wait_until_ready(self) -> "UpProcess":
        """Wait for the line `ready http://...`."""
        wait_until(
            lambda: self.has_line("ready ") or self.process.poll() is not None, "no ready line"
        )
        assert self.has_line("ready "), self.lines
        return self

    @property
    def port(self) -> int:
        """The port of the web server."""
        line = next(line for line in self.lines if line.startswith("ready "))
        return int(line.rstrip("/").rpartition(":")[2])

    def wait_for_exit(self) -> int:
        """Wait for the end and return the exit code."""
        return self.process.wait(TIMEOUT_SECONDS)

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send a signal (default: Ctrl-C), wait for the end and return the exit code."""
        self.process.send_signal(number)
        return self.wait_for_exit()

    def process_ids(self) -> set[int]:
        """Process IDs of the process and its descendants."""
        parents = _parent_by_pid()
        pids = {self.process.pid}
        while new_pids := {pid for pid, parent in parents.items() if parent in pids} - pids:
            pids |= new_pids
        return pids

    def child_process(self, text: str) -> int:
        """Wait for a direct child whose command line contains the text; return its process ID."""
        matches: list[int] = []

        def is_there() -> bool:
            children = [
                pid for pid, parent in _parent_by_pid().items() if parent == self.process.pid
            ]
            matches[:] = [pid for pid in children if text in _command_line(pid)]
            return bool(matches)

        wait_until(is_there, f"no child process {text}")
        return matches[0]


def _parent_by_pid() -> dict[int, int]:
    """{process ID: parent} of all processes except zombies."""
    output = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True)
    rows = (line.split() for line in output.stdout.splitlines())
    return {int(row[0]): int(row[1]) for row in rows if not row[2].startswith("Z")}


def _command_line(pid: int) -> str:
    output = subprocess.run(
        ["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True
    )
    return output.stdout


def all_ended(pids: set[int]) -> bool:
    """Return whether all of these processes have ended."""
    return not pids & set(_parent_by_pid())
