"""A PostgreSQL cluster that keeps its promises (fsync on) and a Valkey, both ours to break."""

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

from visibility.launcher import embedded
from visibility.launcher.layout import Place, settle
from visibility.launcher.process import Child, last_lines, spawn

PATIENCE = 60.0
ROBBED = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"


class Server:
    """One server process: started, stopped and killed by its pid."""

    def __init__(self, child: Child, log: Path, answers: Callable[[], bool]) -> None:
        self._child, self._log, self._answers = child, log, answers
        self._pipe, self._pipe_held = os.pipe()
        self._process: subprocess.Popen[bytes] | None = None
        self.kills = 0

    def start(self) -> None:
        """Start and wait until it answers."""
        child = self._child
        self._process = spawn(child, log=self._log, pipe=self._pipe)
        until = time.monotonic() + PATIENCE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"{child.name} did not start:\n{last_lines(self._log)}")
            time.sleep(0.02)

    def ensure(self) -> None:
        """Start it again if a fault left it dead or frozen."""
        self.send(signal.SIGCONT)
        if self._process is None or self._process.poll() is not None:
            self.start()

    def send(self, number: signal.Signals) -> None:
        """To the server's main process alone."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    def end(self, number: signal.Signals) -> None:
        """Signal it and wait for its end."""
        if self._process is not None:
            self.kills += 1
            self.send(number)
            self._process.wait(PATIENCE)
            self._process = None

    def kill(self) -> None:
        """SIGKILL to it and to its children, which share its session."""
        if self._process is not None:
            self.kills += 1
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(PATIENCE)
            self._process = None


def _quick_recovery(child: Child) -> Child:
    """After each crash it would open and flush every file it has, one by one."""
    if not sys.platform.startswith("linux"):
        return child
    return replace(child, command=(*child.command, "-c", "recovery_init_sync_method=syncfs"))


class Cluster:
    """Both servers, with databases made from a migrated template."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o711)
        self.place: Place = settle(folder)
        initdb = embedded.initdb(self.place, careless=True)
        if initdb is not None:
            pipe, _ = os.pipe()
            spawn(initdb, log=folder / "initdb.log", pipe=pipe).wait()
            embedded.keep_draft(self.place)
        self.postgres = Server(
            _quick_recovery(embedded.postgres(self.place)),
            self.place.state / "postgres.log",
            lambda: embedded.database_answers(self.url("postgres")),
        )
        self.valkey = Server(
            embedded.valkey(self.place),
            self.place.state / "valkey.log",
            lambda: embedded.valkey_answers(self.place),
        )

    def start(self) -> None:
        """Start both."""
        self.postgres.start()
        self.valkey.start()
        embedded.create_database(self.place)

    def stop(self) -> None:
        """End both at once: nobody needs what they keep."""
        self.postgres.send(signal.SIGCONT)
        self.postgres.end(signal.SIGQUIT)
        self.valkey.kill()

    def url(self, name: str, *, host: str = "") -> str:
        """A database's address; `host`: through a proxy's folder instead."""
        found = embedded.database_url(self.place, name=name)
        if host:
            found = f"{found.partition('?')[0]}?host={quote(host, safe='/')}"
        return found

    @property
    def proxied(self) -> Path:
        """Where a proxy may stand before PostgreSQL: beside its own sockets, as short a path."""
        return self.place.sockets / "p"

    @property
    def redis_url(self) -> str:
        """Valkey's address."""
        return embedded.redis_url(self.place)

    def copy(self, name: str, *, of: str = embedded.NAME) -> None:
        """A new database like `of`."""
        self.ask("postgres", f'CREATE DATABASE "{name}" TEMPLATE "{of}"')

    def ask(
        self, name: str, query: QueryNoTemplate, parameters: Sequence[Any] = ()
    ) -> list[tuple[Any, ...]]:
        """One statement on one connection; its rows."""
        with psycopg.connect(self.url(name), autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(query, parameters or None)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def holding(self, name: str, *queries: QueryNoTemplate) -> Iterator[None]:
        """A transaction of a stranger that did this and does not end."""
        with psycopg.connect(self.url(name)) as connection:
            for query in queries:
                connection.execute(query)
            yield
            connection.rollback()

    @contextmanager
    def occupied(self, *, by: str, instead_of: str) -> Iterator[int]:
        """Every connection slot taken by strangers who do nothing, to the end of the with."""
        held: list[psycopg.Connection[Any]] = []
        over = threading.Event()

        def occupy() -> None:
            while not over.is_set():
                try:
                    held.append(psycopg.connect(self.url(by), connect_timeout=5))
                except psycopg.OperationalError:
                    time.sleep(0.02)

        with psycopg.connect(self.url("postgres"), autocommit=True) as own:
            greedy = threading.Thread(target=occupy)
            greedy.start()
            try:
                for _ in range(20):
                    own.execute(ROBBED, [instead_of])
                    time.sleep(0.1)
                yield len(held)
            finally:
                over.set()
                greedy.join()
                for connection in held:
                    connection.close()

    def redis(self, command: bytes) -> bytes:
        """One command to Valkey."""
        return embedded._told(self.place.valkey_socket, command)
