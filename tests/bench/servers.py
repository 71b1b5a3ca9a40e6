"""PostgreSQL and Valkey of one run: throw-away, yet as durable as an installation's own."""

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

from visibility.launcher import embedded
from visibility.launcher.layout import Place, settle
from visibility.launcher.process import Child, last_lines, spawn

LIMIT_SECONDS = 60
NAMES = ("bench", "bench_plain", "bench_raw")
CLEAN = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"


@dataclass(frozen=True)
class Servers:
    """Where the databases and the broker are; `postgres` and `valkey` are process ids."""

    folder: Path
    product: str
    plain: str
    raw: str
    redis: str
    postgres: int
    valkey: int | None


@contextmanager
def servers() -> Iterator[Servers]:
    """Our own servers with fsync on, or the given ones, with databases of this run alone."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(_folder()))
        given = os.environ.get("DATABASE_URL"), os.environ.get("REDIS_URL")
        if given[0] and given[1]:
            url, redis, valkey = given[0], given[1], None
        else:
            url, redis, valkey = stack.enter_context(_own(folder))
        yield stack.enter_context(_databases(folder, url, redis, valkey))


@contextmanager
def _folder() -> Iterator[str]:
    folder = tempfile.mkdtemp(prefix="throughline-bench-")
    try:
        # The servers' account passes through, when root runs the bench.
        Path(folder).chmod(0o711)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _own(folder: Path) -> Iterator[tuple[str, str, int]]:
    place = settle(folder)
    pipe, held = os.pipe()
    try:
        initdb = embedded.initdb(place)
        if initdb is not None:
            spawn(initdb, log=folder / "initdb.log", pipe=pipe).wait()
            embedded.keep_draft(place)
        url = embedded.database_url(place, name="postgres")
        with (
            _served(embedded.postgres(place), folder, pipe, lambda: embedded.database_answers(url)),
            _served(
                embedded.valkey(place), folder, pipe, lambda: embedded.valkey_answers(place)
            ) as valkey,
        ):
            yield url, embedded.redis_url(place), valkey.pid
    finally:
        os.close(held)
        os.close(pipe)
        _forget(place)


def _forget(place: Place) -> None:
    """The state may lie elsewhere, where the servers' account can reach it."""
    shutil.rmtree(place.state, ignore_errors=True)
    shutil.rmtree(place.sockets, ignore_errors=True)


@contextmanager
def _served(
    child: Child, folder: Path, pipe: int, answers: Callable[[], bool]
) -> Iterator["subprocess.Popen[bytes]"]:
    log = folder / f"{child.name}.log"
    process = spawn(child, log=log, pipe=pipe)
    try:
        until = time.monotonic() + LIMIT_SECONDS
        while not answers():
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{child.name} did not start:\n{last_lines(log)}")
            time.sleep(0.02)
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(child.stop_signal)
        try:
            process.wait(child.patience.total_seconds())
        except subprocess.TimeoutExpired:
            process.kill()


@contextmanager
def _databases(folder: Path, url: str, redis: str, valkey: int | None) -> Iterator[Servers]:
    names = [f"{name}_{os.getpid()}" for name in NAMES]
    urls = [_at(url, name) for name in names]
    with psycopg.connect(url, autocommit=True) as admin:
        for name in names:
            admin.execute(f'CREATE DATABASE "{name}"'.encode())
        found = admin.execute("SHOW data_directory").fetchone()
    with psycopg.connect(urls[0], autocommit=True) as product:
        product.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    try:
        yield Servers(folder, urls[0], urls[1], urls[2], redis, _postmaster(found), valkey)
    finally:
        with psycopg.connect(url, autocommit=True) as admin:
            for name in names:
                admin.execute(CLEAN, [name])
                admin.execute(f'DROP DATABASE "{name}"'.encode())


def _at(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def _postmaster(row: tuple[str, ...] | None) -> int:
    """The server's process id, from its own file: it must run on this machine to be measured."""
    if row is None:
        raise RuntimeError("PostgreSQL does not tell its data folder.")
    return int((Path(row[0]) / "postmaster.pid").read_text().splitlines()[0])
