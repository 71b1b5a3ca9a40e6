"""Start processes with their real command lines and measure them through /proc."""

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from visibility.launcher.instance_lock_and_environment import CHECKOUT

TICKS = os.sysconf("SC_CLK_TCK")
START_TIMEOUT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class MemoryUsage:
    """Memory in KiB: `pss` now (shared pages divided among their users), `peak` resident ever."""

    pss: int
    peak: int


def stat_of(pid: int) -> tuple[int, float] | None:
    """The parent and the CPU seconds including ended children; None for an ended process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[1]), sum(map(int, fields[11:15])) / TICKS


def with_descendants(root: int) -> list[int]:
    """The process and all its descendants."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").iterdir():
        stat = stat_of(int(path.name)) if path.name.isdigit() else None
        if stat:
            parents.setdefault(stat[0], []).append(int(path.name))
    result = [root]
    for pid in result:
        result += parents.get(pid, [])
    return result


def cpu_of(root: int) -> float:
    """CPU seconds of a process and its descendants since they started."""
    return sum(stat[1] for pid in with_descendants(root) if (stat := stat_of(pid)))


def memory_of(root: int) -> MemoryUsage:
    """Memory of a process and its descendants."""
    pss = peak = 0
    for pid in with_descendants(root):
        with suppress(OSError):
            pss += _kib(f"/proc/{pid}/smaps_rollup", "Pss:")
            peak += _kib(f"/proc/{pid}/status", "VmHWM:")
    return MemoryUsage(pss, peak)


def _kib(path: str, name: str) -> int:
    lines = Path(path).read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith(name)), 0)


@dataclass
class CpuMeter:
    """Measures the CPU seconds of several processes between `start()` and `used()`."""

    pids: Mapping[str, int]
    before: dict[str, float] = field(default_factory=dict)

    def start(self) -> None:
        """Start measuring."""
        self.before = {name: cpu_of(pid) for name, pid in self.pids.items()}

    def used(self) -> dict[str, float]:
        """The CPU seconds of each process since `start()`."""
        return {name: cpu_of(pid) - self.before[name] for name, pid in self.pids.items()}


class ProcessGroup:
    """Processes that share one environment."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = {**os.environ, **environment, "VISIBILITY_NO_BOOTSTRAP": "1"}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def pids(self) -> dict[str, int]:
        """Name -> process ID."""
        return {name: process.pid for name, process in self._running.items()}

    def run(self, *arguments: str) -> str:
        """Run a module and return its output. Raises RuntimeError if it fails."""
        completed = subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=CHECKOUT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if completed.returncode != 0:
            raise RuntimeError(
                f"{' '.join(arguments)}:\n{completed.stdout[-2000:]}{completed.stderr[-4000:]}"
            )
        return completed.stdout

    def start(self, name: str, arguments: Iterable[str]) -> None:
        """Start a module as a background process."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                cwd=CHECKOUT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def wait_for_web(self, name: str, url: str) -> None:
        """Wait until the web server responds to a request."""
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            with suppress(httpx2.HTTPError):
                httpx2.get(url, timeout=5)
                return
            time.sleep(0.05)
        raise RuntimeError(f"{name} did not start:\n{self.log(name)}")

    def log(self, name: str) -> str:
        """The end of its log."""
        return (self.folder / f"{name}.log").read_text(errors="replace")[-3000:]

    def stop(self, *names: str) -> None:
        """Stop these processes, or all."""
        stopping = {name: self._running.pop(name) for name in names or tuple(self._running)}
        for process in stopping.values():
            process.terminate()
        for process in stopping.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
