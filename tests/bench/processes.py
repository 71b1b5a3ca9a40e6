"""The measured processes: started by their real command lines, read from /proc."""

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from visibility.launcher.instance import CHECKOUT

TICKS = os.sysconf("SC_CLK_TCK")
PATIENCE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Memory:
    """KiB now, shared pages divided among their users; and the most it ever had resident."""

    pss: int
    peak: int


def stat_of(pid: int) -> tuple[int, float] | None:
    """Parent and CPU seconds, those of its ended children included; None when it is gone."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return int(words[1]), sum(map(int, words[11:15])) / TICKS


def family(root: int) -> list[int]:
    """The process and all that stem from it."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").iterdir():
        found = stat_of(int(path.name)) if path.name.isdigit() else None
        if found:
            parents.setdefault(found[0], []).append(int(path.name))
    result = [root]
    for pid in result:
        result += parents.get(pid, [])
    return result


def cpu_of(root: int) -> float:
    """CPU seconds of a process and its family since they began."""
    return sum(found[1] for pid in family(root) if (found := stat_of(pid)))


def memory_of(root: int) -> Memory:
    """Memory of a process and its family."""
    pss = peak = 0
    for pid in family(root):
        with suppress(OSError):
            pss += _kib(f"/proc/{pid}/smaps_rollup", "Pss:")
            peak += _kib(f"/proc/{pid}/status", "VmHWM:")
    return Memory(pss, peak)


def _kib(path: str, name: str) -> int:
    lines = Path(path).read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith(name)), 0)


@dataclass
class Meter:
    """CPU seconds of several processes between two moments."""

    pids: Mapping[str, int]
    before: dict[str, float] = field(default_factory=dict)

    def start(self) -> None:
        """From here."""
        self.before = {name: cpu_of(pid) for name, pid in self.pids.items()}

    def used(self) -> dict[str, float]:
        """To here."""
        return {name: cpu_of(pid) - self.before[name] for name, pid in self.pids.items()}


class Processes:
    """Some processes of one environment."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = {**os.environ, **environment, "VISIBILITY_NO_BOOTSTRAP": "1"}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def pids(self) -> dict[str, int]:
        """Name -> process id."""
        return {name: process.pid for name, process in self._running.items()}

    def run(self, *words: str) -> str:
        """Run a module to its end; what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=CHECKOUT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(words)}:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
        return done.stdout

    def start(self, name: str, words: Iterable[str]) -> None:
        """Start a module that stays."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", *words],
                cwd=CHECKOUT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def await_web(self, name: str, url: str) -> None:
        """Until the web server answers anything at all."""
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            with suppress(httpx2.HTTPError):
                httpx2.get(url, timeout=5)
                return
            time.sleep(0.05)
        raise RuntimeError(f"{name} did not start:\n{self.log(name)}")

    def log(self, name: str) -> str:
        """The end of what it wrote."""
        return (self.folder / f"{name}.log").read_text(errors="replace")[-3000:]

    def stop(self, *names: str) -> None:
        """Stop these, or all."""
        chosen = {name: self._running.pop(name) for name in names or tuple(self._running)}
        for process in chosen.values():
            process.terminate()
        for process in chosen.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
