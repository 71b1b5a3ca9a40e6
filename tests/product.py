"""The product's own processes, started for a test on the test database and stopped by pid."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import httpx2
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from visibility.launcher import plan

ROOT = Path(__file__).resolve().parent.parent


def database_url() -> str:
    """The test database as an address."""
    d = connection.settings_dict
    host = d["HOST"]
    return (
        f"postgresql://{quote(d['USER'])}:{quote(d['PASSWORD'] or '')}@/{quote(d['NAME'])}"
        f"?host={quote(host)}&port={d['PORT'] or 5432}"
    )


class Product:
    """Web, worker and scheduler as real processes."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = {
            **os.environ,
            "DATABASE_URL": database_url(),
            "REDIS_URL": settings.REDIS_URL,
            "REDIS_PREFIX": f"{settings.REDIS_PREFIX}-{self.port}",
            "SECRET_KEY": settings.SECRET_KEY,
            "DATA_DIR": str(folder),
            "PUBLIC_URL": self.url,
            "VISIBILITY_NO_BOOTSTRAP": "1",
            **environment,
        }

    def manage(self, *arguments: str) -> str:
        """Run a management command; its output."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, *names: str) -> None:
        """Start some of `web worker beat` and wait for the web to answer."""
        lines = {
            "web": plan.web("127.0.0.1", self.port),
            "worker": plan.WORKER,
            "beat": plan.scheduler(str(self.folder / "beat")),
        }
        for name in names:
            log = (self.folder / f"{name}.log").open("ab")
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", *lines[name]],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
            log.close()
        if "web" in names:
            self._await_web()

    def _await_web(self) -> None:
        for _ in range(200):
            with suppress(httpx2.HTTPError):
                if httpx2.get(f"{self.url}/healthz", timeout=2).status_code == 200:
                    return
            time.sleep(0.1)
        raise AssertionError(f"the web did not start:\n{self.log('web')}")

    def kill(self, name: str) -> None:
        """kill -9."""
        process = self._running.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def alive(self) -> set[str]:
        """The names of those that run."""
        return {name for name, process in self._running.items() if process.poll() is None}

    def log(self, name: str) -> str:
        """What the process wrote."""
        path = self.folder / f"{name}.log"
        return path.read_text()[-4000:] if path.exists() else ""

    def stop(self) -> None:
        """Stop everything that runs."""
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()


def empty_partitions() -> None:
    """Empty the partitioned tables, which Django does not manage."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE visibility_inbound_message, visibility_event")


def empty_tables() -> None:
    """Forget whatever a product of several tests has committed."""
    call_command("flush", interactive=False, verbosity=0)
    empty_partitions()


def free_port() -> int:
    """A port nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def signed(secret: str, body: bytes) -> Mapping[str, str]:
    """Headers of the generic CloudEvents source."""
    return {
        "authorization": f"Bearer {secret}",
        "content-type": "application/cloudevents+json",
    }
