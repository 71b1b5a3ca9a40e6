"""Run the product's processes on the test database."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import httpx2
import psycopg
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.db import connection
from psycopg import sql

from visibility.launcher import process_plan

ROOT = Path(__file__).resolve().parent.parent


def database_url() -> str:
    """The URL of the test database."""
    d = connection.settings_dict
    host = d["HOST"]
    return (
        f"postgresql://{quote(d['USER'])}:{quote(d['PASSWORD'] or '')}@/{quote(d['NAME'])}"
        f"?host={quote(host)}&port={d['PORT'] or 5432}"
    )


class Product:
    """The product as real processes: web, worker and beat."""

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
        """Run a management command and return its output."""
        result = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def write_static_manifest(self) -> None:
        """Let pages refer to static files without `collectstatic`, which takes seconds."""
        names = [name for finder in get_finders() for name, _ in finder.list([])]
        manifest = {"version": "1.1", "hash": "", "paths": {name: name for name in names}}
        (self.folder / "static").mkdir()
        (self.folder / "static" / "staticfiles.json").write_text(json.dumps(manifest))

    def start(self, *names: str) -> None:
        """Start some of `web worker beat`; wait until the web server responds."""
        commands = {
            "web": process_plan.web_command("127.0.0.1", self.port),
            "worker": process_plan.WORKER_COMMAND,
            "beat": process_plan.scheduler_command(str(self.folder / "beat")),
        }
        for name in names:
            log = (self.folder / f"{name}.log").open("ab")
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", *commands[name]],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
            log.close()
        if "web" in names:
            self._wait_for_web()

    def _wait_for_web(self) -> None:
        for _ in range(200):
            with suppress(httpx2.HTTPError):
                if httpx2.get(f"{self.url}/healthz", timeout=2).status_code == 200:
                    return
            time.sleep(0.1)
        raise AssertionError(f"the web server did not start:\n{self.log('web')}")

    def kill(self, name: str) -> None:
        """Kill a process with SIGKILL."""
        process = self._running.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def running_names(self) -> set[str]:
        """The names of the running processes."""
        return {name for name, process in self._running.items() if process.poll() is None}

    def log(self, name: str) -> str:
        """The end of a process's log."""
        path = self.folder / f"{name}.log"
        return path.read_text()[-4000:] if path.exists() else ""

    def stop(self) -> None:
        """Stop all processes."""
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()


@contextmanager
def empty_database() -> Iterator[str]:
    """The URL of another database on the test server, without tables; dropped afterwards."""
    name = f"restore_{os.getpid()}"
    with psycopg.connect(database_url(), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield database_url().replace(admin.info.dbname, name, 1)
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
