"""PostgreSQL and Valkey as children of ours, on sockets that only we can reach."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import psycopg

from visibility.launcher.binaries import Unusable
from visibility.launcher.instance import write_private
from visibility.launcher.layout import Place, give
from visibility.launcher.process import Child

NAME = "throughline"
PARAMETERS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_buffers": "64MB",
    "jit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_connections": "60",
}
# For throw-away servers: a crash may lose everything, and it is twice as fast. Several processes
# of a suite, and all that they start, share one.
CARELESS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "200",
}


def initdb(place: Place, *, careless: bool = False) -> Child | None:
    """The step that makes the data folder, under a name that a kill cannot leave behind."""
    if place.pg.is_dir():
        _check_version(place)
        return None
    draft = place.state / "pg.new"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    give(draft, place.account)
    _make_password(place)
    words = ["--pgdata", str(draft), "--username", NAME, "--encoding", "UTF8"]
    words += ["--pwfile", str(_password_file(place)), "--auth", "scram-sha-256"]
    words += ["--no-instructions", *_locale(place), *(["--no-sync"] if careless else [])]
    return Child(
        "initdb",
        (str(place.binaries.postgres / "initdb"), *words),
        account=place.account,
        folder=place.state,
        once=True,
    )


def keep_draft(place: Place) -> None:
    """initdb is done: the folder takes its name."""
    (place.state / "pg.new").rename(place.pg)


def _locale(place: Place) -> list[str]:
    if place.binaries.major < 17:
        return ["--locale", "C.UTF-8"]
    # Built into the server: the same order everywhere, whatever the system's library does.
    return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]


def _check_version(place: Place) -> None:
    found = (place.pg / "PG_VERSION").read_text().strip()
    if found != str(place.binaries.major):
        raise Unusable(
            f"{place.pg} was made by PostgreSQL {found}, and this is {place.binaries.major}: move "
            "the data with pg_dump and pg_restore, or begin again with `up --fresh`."
        )
    if not _password_file(place).is_file():
        raise Unusable(f"{_password_file(place)} is gone: put it back, or begin with --fresh.")


def _password_file(place: Place) -> Path:
    return place.state / "pg.password"


def _make_password(place: Place) -> None:
    path = _password_file(place)
    if not path.is_file():
        write_private(path, secrets.token_urlsafe(24) + "\n")
    give(path, place.account)


def postgres(place: Place, *, careless: bool = False) -> Child:
    """The database server, in the foreground."""
    settings = PARAMETERS | {"unix_socket_directories": str(place.sockets)}
    if place.binaries.major >= 18:
        settings["io_method"] = "sync"
    if careless:
        settings |= CARELESS
    words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return Child(
        "postgres",
        (str(place.binaries.postgres / "postgres"), "-D", str(place.pg), *words),
        stop_signal=signal.SIGINT,
        patience=timedelta(seconds=30),
        account=place.account,
        folder=place.state,
    )


def valkey(place: Place) -> Child:
    """The broker, in the foreground; it keeps nothing on disk."""
    words = ["--port", "0", "--unixsocket", str(place.valkey_socket), "--unixsocketperm", "700"]
    words += ["--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"]
    return Child(
        "valkey",
        (str(place.binaries.valkey), *words),
        account=place.account,
        folder=place.sockets,
    )


def database_url(place: Place, *, name: str = NAME) -> str:
    """How the product reaches the database."""
    password = _password_file(place).read_text().strip()
    return f"postgresql://{NAME}:{password}@/{name}?host={quote(str(place.sockets), safe='/')}"


def redis_url(place: Place) -> str:
    """How the product reaches Valkey."""
    return f"unix://{quote(str(place.valkey_socket), safe='/')}"


def database_answers(url: str) -> bool:
    """Whether one can work there now."""
    try:
        psycopg.connect(url, connect_timeout=3).close()
    except psycopg.OperationalError:
        return False
    return True


def valkey_answers(place: Place) -> bool:
    """Whether it answers a PING."""
    return _told(place.valkey_socket, b"PING\r\n").startswith(b"+PONG")


def create_database(place: Place) -> None:
    """The product's database, if it is not there."""
    with psycopg.connect(database_url(place, name="postgres"), autocommit=True) as connection:
        query = "SELECT 1 FROM pg_database WHERE datname = %s"
        if connection.execute(query, [NAME]).fetchone() is None:
            connection.execute(f'CREATE DATABASE "{NAME}"')
    with psycopg.connect(database_url(place), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")


def clear_leftovers(place: Place) -> None:
    """Servers that outlived a killed supervisor; the caller holds the folder's lock."""
    pid = _old_postmaster(place)
    if pid is not None:
        _end(place, pid)
    if _told(place.valkey_socket, b"PING\r\n"):
        _told(place.valkey_socket, b"SHUTDOWN NOSAVE\r\n")
        _wait_until_gone(lambda: not _told(place.valkey_socket, b"PING\r\n"))
    place.valkey_socket.unlink(missing_ok=True)


def _old_postmaster(place: Place) -> int | None:
    """Its number alone proves nothing: numbers are used again."""
    try:
        pid = int((place.pg / "postmaster.pid").read_text().splitlines()[0])
    except (OSError, ValueError, IndexError):
        return None
    words = _command_line(pid)
    return pid if "postgres" in words and str(place.pg) in words else None


def _command_line(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    said = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True)
    return said.stdout.decode(errors="replace")


def _end(place: Place, pid: int) -> None:
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        if _wait_until_gone(lambda: _old_postmaster(place) is None):
            return
    raise Unusable(f"A PostgreSQL of an earlier start (process {pid}) does not end.")


def _wait_until_gone(gone: Callable[[], bool]) -> bool:
    for _ in range(100):
        if gone():
            return True
        time.sleep(0.1)
    return False


def _told(path: Path, command: bytes) -> bytes:
    """The answer to one command; empty when nobody listens."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            connection.connect(str(path))
            connection.sendall(command)
            return connection.recv(64)
    except OSError:
        return b""
