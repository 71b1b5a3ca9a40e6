"""The product's processes on a cluster: started, killed, frozen, started again when they fall."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from tests.faults.cluster import Cluster
from tests.product import free_port
from visibility.launcher.child_main import PIPE
from visibility.launcher.plan import WORKER, scheduler, web

ROOT = Path(__file__).resolve().parents[2]
SHIM = Path(__file__).resolve().parent / "shim"
PREFORK = tuple(word if word != "threads" else "prefork" for word in WORKER)
# What lasts a minute in the product lasts seconds here, unless a soak asks for the real thing.
QUICK = "visibility.pipeline.batches:LEASE_SECONDS=3"

# Nobody writes to it: its end of file tells the processes that this one is gone.
LIFELINE = os.pipe()


@dataclass
class Process:
    """One process that is meant to run."""

    words: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    handle: "subprocess.Popen[bytes] | None" = None
    frozen: bool = False
    memory: list[tuple[float, int]] = field(default_factory=list)

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.handle = subprocess.Popen(
                # It ends with us, however we end.
                [sys.executable, "-m", "visibility.launcher.child_main", *self.words],
                cwd=ROOT,
                env={**self.environment, PIPE: str(LIFELINE[0])},
                pass_fds=(LIFELINE[0],),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.frozen = False

    def send(self, number: signal.Signals) -> None:
        if self.handle is not None:
            with suppress(ProcessLookupError):
                self.handle.send_signal(number)

    def dead(self) -> bool:
        return self.handle is None or self.handle.poll() is not None


class Installation:
    """Web, workers and schedulers of one database."""

    def __init__(
        self, cluster: Cluster, folder: Path, *, database: str, quick: bool = True, **more: str
    ) -> None:
        self.cluster, self.folder, self.database = cluster, folder, database
        folder.mkdir(exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.processes: dict[str, Process] = {}
        self.falls: dict[str, int] = {}
        self.kills = 0
        self.environment = {
            **os.environ,
            "PYTHONPATH": f"{SHIM}{os.pathsep}{ROOT}",
            "FAULT_PATCH": QUICK if quick else "",
            "FAULT_IDLE": "6s" if quick else "",
            "DATABASE_URL": cluster.url(database),
            "REDIS_URL": cluster.redis_url,
            "REDIS_PREFIX": f"tl-{database}",
            "SECRET_KEY": "for-the-faults-only-0123456789-abcdefghij",
            "DATA_DIR": str(folder),
            "PUBLIC_URL": self.url,
            "DJANGO_SETTINGS_MODULE": "visibility.settings",
            "VISIBILITY_NO_BOOTSTRAP": "1",
            "DEMO": "1",
            **more,
        }

    def add(self, name: str, words: tuple[str, ...] = (), **environment: str) -> None:
        """Start a process: `web`, `worker...`, `beat...`, by the words of the product itself."""
        if not words and name.startswith("web"):
            words = web("127.0.0.1", self.port)
        elif not words and name.startswith("beat"):
            words = scheduler(str(self.folder / name))
        process = Process(
            words or (*WORKER, "--hostname", f"{name}@%h"),
            {**self.environment, "PGAPPNAME": name, **environment},
            self.folder / f"{name}.log",
        )
        self.processes[name] = process
        process.start()
        if name == "web":
            self.await_web()

    def await_web(self, *, seconds: float = 60, path: str = "/healthz") -> float:
        """Until the web answers 200; how long it took."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            with suppress(httpx2.HTTPError):
                if httpx2.get(f"{self.url}{path}", timeout=2).status_code == 200:
                    return time.monotonic() - began
            time.sleep(0.05)
        raise AssertionError(f"the web does not answer {path}:\n{self.log('web')}")

    def python(self, code: str, **environment: str) -> str:
        """Run a line of Python as the processes run; what it prints."""
        return subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    def kill(self, name: str) -> None:
        """SIGKILL, to its pool's children too."""
        process = self.processes[name]
        if process.handle is not None:
            self.kills += 1
            with suppress(ProcessLookupError):
                os.killpg(process.handle.pid, signal.SIGKILL)
            process.handle.wait()

    def kill_pid(self, pid: int) -> None:
        """SIGKILL to one process and nobody else."""
        self.kills += 1
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def children(self, name: str) -> list[int]:
        """The processes that this one has started."""
        handle = self.processes[name].handle
        assert handle is not None
        path = Path(f"/proc/{handle.pid}/task/{handle.pid}/children")
        return [int(word) for word in path.read_text().split()]

    def terminate(self, name: str, *, seconds: float = 30) -> float:
        """SIGTERM; how long it took to end. Fails when it takes longer than that."""
        process, began = self.processes[name], time.monotonic()
        assert process.handle is not None
        process.send(signal.SIGTERM)
        process.handle.wait(seconds)
        return time.monotonic() - began

    def freeze(self, name: str) -> None:
        """SIGSTOP."""
        self.processes[name].send(signal.SIGSTOP)
        self.processes[name].frozen = True

    def resume(self, name: str) -> None:
        """SIGCONT."""
        self.processes[name].send(signal.SIGCONT)
        self.processes[name].frozen = False

    def restart(self, name: str) -> None:
        """Start it again."""
        self.processes[name].start()

    def revive(self) -> list[str]:
        """Start again whatever has fallen, as a supervisor would."""
        fallen = [name for name, process in self.processes.items() if process.dead()]
        for name in fallen:
            self.revive_only(name)
        return fallen

    def revive_only(self, name: str) -> None:
        """Start this one again if it has fallen."""
        if self.processes[name].dead():
            self.falls[name] = self.falls.get(name, 0) + 1
            self.processes[name].start()

    def remove(self, name: str) -> None:
        """It is not meant to run any more."""
        self.resume(name)
        self.kill(name)
        del self.processes[name]

    def log(self, name: str) -> str:
        """Its last words."""
        path = self.processes[name].log
        return path.read_text(errors="replace")[-6000:] if path.exists() else ""

    def measure(self) -> None:
        """Note the resident memory of each process, in KiB."""
        for process in self.processes.values():
            if process.handle is not None and not process.dead():
                process.memory.append((time.monotonic(), _resident(process.handle.pid)))

    def stop(self) -> None:
        """Kill everything."""
        for name in list(self.processes):
            self.remove(name)


def _resident(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0
