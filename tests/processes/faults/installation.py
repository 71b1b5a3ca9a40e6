"""The processes of the product on a cluster: start, kill, suspend and restart them."""

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

from tests.processes.faults.cluster import FaultCluster
from tests.product import free_port
from visibility.launcher.process_plan import WORKER_COMMAND, scheduler_command, web_command
from visibility.launcher.run_module_until_supervisor_exits import PARENT_PIPE_VARIABLE

ROOT = Path(__file__).resolve().parents[3]
CLOCK_SHIM = Path(__file__).resolve().parent / "clock_shim"
PREFORK = tuple(option if option != "threads" else "prefork" for option in WORKER_COMMAND)
# Shorter than the product's minute, except in a soak test.
SHORT_LEASE = "visibility.pipeline.process_message_batches:LEASE_SECONDS=3"

# Never written to: its end of file tells the child processes that this process has exited.
LIFELINE = os.pipe()


@dataclass
class InstallationProcess:
    """One process that should be running."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    handle: "subprocess.Popen[bytes] | None" = None
    memory: list[tuple[float, int]] = field(default_factory=list)

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.handle = subprocess.Popen(
                # The child exits when this process exits, for whatever reason.
                [
                    sys.executable,
                    "-m",
                    "visibility.launcher.run_module_until_supervisor_exits",
                    *self.arguments,
                ],
                cwd=ROOT,
                env={**self.environment, PARENT_PIPE_VARIABLE: str(LIFELINE[0])},
                pass_fds=(LIFELINE[0],),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def send_signal(self, number: signal.Signals) -> None:
        if self.handle is not None:
            with suppress(ProcessLookupError):
                self.handle.send_signal(number)

    def has_exited(self) -> bool:
        return self.handle is None or self.handle.poll() is not None


class FaultInstallation:
    """The web, worker and scheduler processes of one database."""

    def __init__(
        self, cluster: FaultCluster, folder: Path, *, database: str, quick: bool = True, **more: str
    ) -> None:
        self.cluster, self.folder, self.database = cluster, folder, database
        folder.mkdir(exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.processes: dict[str, InstallationProcess] = {}
        self.exits: dict[str, int] = {}
        self.kills = 0
        self.environment = {
            **os.environ,
            "PYTHONPATH": f"{CLOCK_SHIM}{os.pathsep}{ROOT}",
            "FAULT_PATCH": SHORT_LEASE if quick else "",
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

    def add(self, name: str, arguments: tuple[str, ...] = (), **environment: str) -> None:
        """Start a process named `web`, `worker...` or `beat...` with the product's command line."""
        if not arguments and name.startswith("web"):
            arguments = web_command("127.0.0.1", self.port)
        elif not arguments and name.startswith("beat"):
            arguments = scheduler_command(str(self.folder / name))
        process = InstallationProcess(
            arguments or (*WORKER_COMMAND, "--hostname", f"{name}@%h"),
            {**self.environment, "PGAPPNAME": name, **environment},
            self.folder / f"{name}.log",
        )
        self.processes[name] = process
        process.start()
        if name == "web":
            self.wait_for_web()

    def wait_for_web(self, *, seconds: float = 60, path: str = "/healthz") -> float:
        """Wait until the web process returns 200; return the seconds this took."""
        started = time.monotonic()
        while time.monotonic() - started < seconds:
            with suppress(httpx2.HTTPError):
                if httpx2.get(f"{self.url}{path}", timeout=2).status_code == 200:
                    return time.monotonic() - started
            time.sleep(0.05)
        raise AssertionError(f"no response from {path}:\n{self.log('web')}")

    def run_python(self, code: str, **environment: str) -> str:
        """Run Python code in the environment of the processes and return its output."""
        return subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    def kill(self, name: str) -> None:
        """Send SIGKILL to a process and its children."""
        process = self.processes[name]
        if process.handle is not None:
            self.kills += 1
            with suppress(ProcessLookupError):
                os.killpg(process.handle.pid, signal.SIGKILL)
            process.handle.wait()

    def kill_pid(self, pid: int) -> None:
        """Send SIGKILL to one process only."""
        self.kills += 1
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def children(self, name: str) -> list[int]:
        """The process IDs of the child processes."""
        handle = self.processes[name].handle
        assert handle is not None
        path = Path(f"/proc/{handle.pid}/task/{handle.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def terminate(self, name: str, *, seconds: float = 30) -> float:
        """Send SIGTERM and return the seconds until the exit. Raises TimeoutExpired."""
        process, started = self.processes[name], time.monotonic()
        assert process.handle is not None
        process.send_signal(signal.SIGTERM)
        process.handle.wait(seconds)
        return time.monotonic() - started

    def suspend(self, name: str) -> None:
        """Suspend a process (SIGSTOP)."""
        self.processes[name].send_signal(signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """Resume a process (SIGCONT)."""
        self.processes[name].send_signal(signal.SIGCONT)

    def restart(self, name: str) -> None:
        """Start a process again."""
        self.processes[name].start()

    def restart_exited(self) -> list[str]:
        """Restart all processes that have exited, as a supervisor would."""
        exited = [name for name, process in self.processes.items() if process.has_exited()]
        for name in exited:
            self.restart_if_exited(name)
        return exited

    def restart_if_exited(self, name: str) -> None:
        """Restart this process if it has exited."""
        if self.processes[name].has_exited():
            self.exits[name] = self.exits.get(name, 0) + 1
            self.processes[name].start()

    def remove(self, name: str) -> None:
        """Kill a process and stop watching it."""
        self.resume(name)
        self.kill(name)
        del self.processes[name]

    def log(self, name: str) -> str:
        """The end of its log."""
        path = self.processes[name].log
        return path.read_text(errors="replace")[-6000:] if path.exists() else ""

    def record_memory(self) -> None:
        """Record the resident memory of each process in KiB."""
        for process in self.processes.values():
            if process.handle is not None and not process.has_exited():
                process.memory.append((time.monotonic(), _resident(process.handle.pid)))

    def stop(self) -> None:
        """Kill all processes."""
        for name in list(self.processes):
            self.remove(name)


def _resident(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0
