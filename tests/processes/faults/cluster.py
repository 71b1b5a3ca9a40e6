"""A durable PostgreSQL cluster (fsync on) and a Valkey server that tests may break."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg.abc import QueryNoTemplate

from visibility.launcher import embedded_servers
from visibility.launcher.reachable_server_folders import ServerLayout, prepare_layout
from visibility.launcher.start_process_and_rotate_log import (
    ProcessDefinition,
    last_lines,
    start_process,
)

TIMEOUT = 60.0
TERMINATE_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"


class FaultServer:
    """One server process, controlled by its process ID."""

    def __init__(self, child: ProcessDefinition, log: Path, answers: Callable[[], bool]) -> None:
        self._child, self._log, self._answers = child, log, answers
        self._pipe, self._pipe_write_end = os.pipe()
        self._process: subprocess.Popen[bytes] | None = None
        self.kills = 0

    def start(self) -> None:
        """Start the server and wait until it responds."""
        child = self._child
        self._process = start_process(child, log=self._log, pipe=self._pipe)
        deadline = time.monotonic() + TIMEOUT
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{child.name} did not start:\n{last_lines(self._log)}")
            time.sleep(0.02)

    def ensure_running(self) -> None:
        """Resume or restart the server if a fault left it frozen or dead."""
        self.send_signal(signal.SIGCONT)
        if self._process is None or self._process.poll() is not None:
            self.start()

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the server's main process only."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    def end(self, number: signal.Signals) -> None:
        """Send a signal and wait until the server has exited."""
        if self._process is not None:
            self.kills += 1
            self.send_signal(number)
            self._process.wait(TIMEOUT)
            self._process = None

    def kill(self) -> None:
        """Send SIGKILL to the server and its children (one process group)."""
        if self._process is not None:
            self.kills += 1
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(TIMEOUT)
            self._process = None


def _quick_recovery(child: ProcessDefinition) -> ProcessDefinition:
    """Speed up crash recovery: by default PostgreSQL opens and syncs every file one by one."""
    if not sys.platform.startswith("linux"):
        return child
    return replace(child, command=(*child.command, "-c", "recovery_init_sync_method=syncfs"))


class FaultCluster:
    """Both servers; databases are copies of a migrated template."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o711)
        self.layout: ServerLayout = prepare_layout(folder)
        initdb = embedded_servers.define_initdb_if_needed(self.layout, disposable=True)
        if initdb is not None:
            pipe, _ = os.pipe()
            start_process(initdb, log=folder / "initdb.log", pipe=pipe).wait()
            embedded_servers.rename_initialized_data_folder(self.layout)
        self.postgres = FaultServer(
            _quick_recovery(embedded_servers.define_postgres_process(self.layout)),
            self.layout.state_folder / "postgres.log",
            lambda: embedded_servers.database_answers(self.url("postgres")),
        )
        self.valkey = FaultServer(
            embedded_servers.define_valkey_process(self.layout),
            self.layout.state_folder / "valkey.log",
            lambda: embedded_servers.valkey_answers(self.layout),
        )

    def start(self) -> None:
        """Start both servers."""
        self.postgres.start()
        self.valkey.start()
        embedded_servers.ensure_database_and_extensions(self.layout)

    def stop(self) -> None:
        """Stop both servers immediately; their data is not needed."""
        self.postgres.send_signal(signal.SIGCONT)
        self.postgres.end(signal.SIGQUIT)
        self.valkey.kill()

    def url(self, name: str, *, host: str = "") -> str:
        """The URL of a database; `host` is the socket folder of a proxy."""
        result = embedded_servers.database_url(self.layout, name=name)
        if host:
            result = f"{result.partition('?')[0]}?host={quote(host, safe='/')}"
        return result

    @property
    def proxy_folder(self) -> Path:
        """The socket folder for a proxy. Socket paths must be short."""
        return self.layout.socket_folder / "p"

    @property
    def redis_url(self) -> str:
        """The URL of Valkey."""
        return embedded_servers.redis_url(self.layout)

    def copy(self, name: str, *, of: str = embedded_servers.DATABASE_NAME) -> None:
        """Create a database as a copy of `of`."""
        self.query("postgres", f'CREATE DATABASE "{name}" TEMPLATE "{of}"')

    def query(
        self, name: str, query: QueryNoTemplate, parameters: Sequence[Any] = ()
    ) -> list[tuple[Any, ...]]:
        """Run one statement on a new connection and return its rows."""
        with psycopg.connect(self.url(name), autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(query, parameters or None)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def open_transaction(self, name: str, *queries: QueryNoTemplate) -> Iterator[None]:
        """Keep a foreign transaction open in which these queries ran."""
        with psycopg.connect(self.url(name)) as connection:
            for query in queries:
                connection.execute(query)
            yield
            connection.rollback()

    @contextmanager
    def occupied_connections(self, *, by: str, instead_of: str) -> Iterator[int]:
        """Occupy every connection slot with idle foreign connections, instead of `instead_of`."""
        idle: list[psycopg.Connection[Any]] = []
        stop = threading.Event()

        def occupy() -> None:
            while not stop.is_set():
                try:
                    idle.append(psycopg.connect(self.url(by), connect_timeout=5))
                except psycopg.OperationalError:
                    time.sleep(0.02)

        with psycopg.connect(self.url("postgres"), autocommit=True) as admin:
            occupier = threading.Thread(target=occupy)
            occupier.start()
            try:
                for _ in range(20):
                    admin.execute(TERMINATE_SESSIONS, [instead_of])
                    time.sleep(0.1)
                yield len(idle)
            finally:
                stop.set()
                occupier.join()
                for connection in idle:
                    connection.close()

    def valkey_command(self, command: bytes) -> bytes:
        """Send one command to Valkey and return its reply."""
        return embedded_servers._send_valkey_command(self.layout.valkey_socket, command)
