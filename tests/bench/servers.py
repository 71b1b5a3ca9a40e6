"""Temporary PostgreSQL and Valkey servers of one run, as durable as those of an installation."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

from visibility.launcher import embedded_servers
from visibility.launcher.reachable_server_folders import ServerLayout, prepare_layout
from visibility.launcher.start_process_and_rotate_log import (
    ProcessDefinition,
    last_lines,
    start_process,
)

LIMIT_SECONDS = 60
NAMES = ("bench", "bench_plain", "bench_raw")
TERMINATE_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"


@dataclass(frozen=True)
class BenchServers:
    """URLs of the databases and the broker; `postgres` and `valkey` are process IDs."""

    folder: Path
    product: str
    plain: str
    raw: str
    redis: str
    postgres: int
    valkey: int | None


@contextmanager
def servers() -> Iterator[BenchServers]:
    """Start servers with fsync on, or use those of DATABASE_URL and REDIS_URL.

    The databases are created for this run and dropped afterwards.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(_folder()))
        configured = os.environ.get("DATABASE_URL"), os.environ.get("REDIS_URL")
        if configured[0] and configured[1]:
            url, redis, valkey = configured[0], configured[1], None
        else:
            url, redis, valkey = stack.enter_context(_start_servers(folder))
        yield stack.enter_context(_databases(folder, url, redis, valkey))


@contextmanager
def _folder() -> Iterator[str]:
    folder = tempfile.mkdtemp(prefix="throughline-bench-")
    try:
        # The servers run under another account when root runs the benchmark.
        Path(folder).chmod(0o711)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _start_servers(folder: Path) -> Iterator[tuple[str, str, int]]:
    layout = prepare_layout(folder)
    pipe, write_end = os.pipe()
    try:
        initdb = embedded_servers.define_initdb_if_needed(layout)
        if initdb is not None:
            start_process(initdb, log=folder / "initdb.log", pipe=pipe).wait()
            embedded_servers.rename_initialized_data_folder(layout)
        url = embedded_servers.database_url(layout, name="postgres")
        with (
            _run_server(
                embedded_servers.define_postgres_process(layout),
                folder,
                pipe,
                lambda: embedded_servers.database_answers(url),
            ),
            _run_server(
                embedded_servers.define_valkey_process(layout),
                folder,
                pipe,
                lambda: embedded_servers.valkey_answers(layout),
            ) as valkey,
        ):
            yield url, embedded_servers.redis_url(layout), valkey.pid
    finally:
        os.close(write_end)
        os.close(pipe)
        _remove_state(layout)


def _remove_state(layout: ServerLayout) -> None:
    """Remove state and sockets, which may be outside the folder."""
    shutil.rmtree(layout.state_folder, ignore_errors=True)
    shutil.rmtree(layout.socket_folder, ignore_errors=True)


@contextmanager
def _run_server(
    child: ProcessDefinition, folder: Path, pipe: int, answers: Callable[[], bool]
) -> Iterator["subprocess.Popen[bytes]"]:
    log = folder / f"{child.name}.log"
    process = start_process(child, log=log, pipe=pipe)
    try:
        deadline = time.monotonic() + LIMIT_SECONDS
        while not answers():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{child.name} did not start:\n{last_lines(log)}")
            time.sleep(0.02)
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(child.stop_signal)
        try:
            process.wait(child.stop_timeout.total_seconds())
        except subprocess.TimeoutExpired:
            process.kill()


@contextmanager
def _databases(folder: Path, url: str, redis: str, valkey: int | None) -> Iterator[BenchServers]:
    names = [f"{name}_{os.getpid()}" for name in NAMES]
    urls = [_with_database(url, name) for name in names]
    with psycopg.connect(url, autocommit=True) as admin:
        for name in names:
            admin.execute(f'CREATE DATABASE "{name}"'.encode())
        data_directory = admin.execute("SHOW data_directory").fetchone()
    with psycopg.connect(urls[0], autocommit=True) as product:
        product.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    try:
        yield BenchServers(
            folder, urls[0], urls[1], urls[2], redis, _postmaster_pid(data_directory), valkey
        )
    finally:
        with psycopg.connect(url, autocommit=True) as admin:
            for name in names:
                admin.execute(TERMINATE_SESSIONS, [name])
                admin.execute(f'DROP DATABASE "{name}"'.encode())


def _with_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def _postmaster_pid(row: tuple[str, ...] | None) -> int:
    """The server's process ID. To be measured, it must run on this machine."""
    if row is None:
        raise RuntimeError("PostgreSQL does not report its data directory.")
    return int((Path(row[0]) / "postmaster.pid").read_text().splitlines()[0])
