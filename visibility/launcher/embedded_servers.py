"""PostgreSQL and Valkey as child processes, on sockets that only their own account can reach."""

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

from visibility.launcher import detect_obsolete_database
from visibility.launcher.instance_lock_and_environment import write_private
from visibility.launcher.reachable_server_folders import ServerLayout, assign_owner
from visibility.launcher.server_programs_and_account import StartError
from visibility.launcher.start_process_and_rotate_log import ProcessDefinition

DATABASE_NAME = "throughline"
MAX_DATABASE_EXITS = 10
POSTGRES_PARAMETERS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_buffers": "64MB",
    "jit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_connections": "60",
}
# For disposable test servers: twice as fast, but a crash may lose everything. More connections,
# because several test processes and their child processes share one server.
DISPOSABLE_PARAMETERS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "200",
}


def define_initdb_if_needed(
    servers: ServerLayout, *, disposable: bool = False
) -> ProcessDefinition | None:
    """The setup step that creates PostgreSQL's data folder, or None if it exists.

    It writes to `pg.new`, so that a killed initdb leaves no incomplete `pg` behind.
    """
    if servers.postgres_data.is_dir():
        _check_postgres_version_and_password_file(servers)
        return None
    new_folder = servers.state_folder / "pg.new"
    shutil.rmtree(new_folder, ignore_errors=True)
    new_folder.mkdir(mode=0o700)
    assign_owner(new_folder, servers.account)
    _create_password_file_if_missing(servers)
    arguments = ["--pgdata", str(new_folder), "--username", DATABASE_NAME, "--encoding", "UTF8"]
    arguments += ["--pwfile", str(_password_file(servers)), "--auth", "scram-sha-256"]
    arguments += [
        "--no-instructions",
        *_locale_arguments(servers),
        *(["--no-sync"] if disposable else []),
    ]
    return ProcessDefinition(
        "initdb",
        (str(servers.programs.postgres_folder / "initdb"), *arguments),
        account=servers.account,
        folder=servers.state_folder,
        is_setup_step=True,
    )


def rename_initialized_data_folder(servers: ServerLayout) -> None:
    """Rename `pg.new` to `pg` after a successful initdb."""
    (servers.state_folder / "pg.new").rename(servers.postgres_data)


def _locale_arguments(servers: ServerLayout) -> list[str]:
    if servers.programs.postgres_major_version < 17:
        return ["--locale", "C.UTF-8"]
    # The server's built-in locale sorts the same everywhere, whatever the system's C library does.
    return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]


def _check_postgres_version_and_password_file(servers: ServerLayout) -> None:
    version = (servers.postgres_data / "PG_VERSION").read_text().strip()
    major = servers.programs.postgres_major_version
    if version != str(major):
        raise StartError(
            f"{servers.postgres_data} was created by PostgreSQL {version}, but this is {major}. "
            "Move the data with pg_dump and pg_restore, or delete it with `up --fresh`."
        )
    if not _password_file(servers).is_file():
        raise StartError(
            f"{_password_file(servers)} is missing. Restore it, or delete all data with --fresh."
        )


def _password_file(servers: ServerLayout) -> Path:
    return servers.state_folder / "pg.password"


def _create_password_file_if_missing(servers: ServerLayout) -> None:
    path = _password_file(servers)
    if not path.is_file():
        write_private(path, secrets.token_urlsafe(24) + "\n")
    assign_owner(path, servers.account)


def define_postgres_process(
    servers: ServerLayout, *, disposable: bool = False
) -> ProcessDefinition:
    """The database server as a foreground process."""
    settings = POSTGRES_PARAMETERS | {"unix_socket_directories": str(servers.socket_folder)}
    if servers.programs.postgres_major_version >= 18:
        settings["io_method"] = "sync"
    if disposable:
        settings |= DISPOSABLE_PARAMETERS
    arguments = [
        argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")
    ]
    return ProcessDefinition(
        "postgres",
        (
            str(servers.programs.postgres_folder / "postgres"),
            "-D",
            str(servers.postgres_data),
            *arguments,
        ),
        stop_signal=signal.SIGINT,
        stop_timeout=timedelta(seconds=30),
        account=servers.account,
        folder=servers.state_folder,
        # Nothing works without the database: it is soon started again, or everything stops.
        max_restart_pause=5.0,
        max_exits=MAX_DATABASE_EXITS,
    )


def define_valkey_process(servers: ServerLayout) -> ProcessDefinition:
    """The broker as a foreground process. It writes nothing to disk."""
    arguments = [
        "--port",
        "0",
        "--unixsocket",
        str(servers.valkey_socket),
        "--unixsocketperm",
        "700",
    ]
    arguments += ["--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"]
    return ProcessDefinition(
        "valkey",
        (str(servers.programs.valkey_program), *arguments),
        account=servers.account,
        folder=servers.socket_folder,
    )


def database_url(servers: ServerLayout, *, name: str = DATABASE_NAME) -> str:
    """The URL of a database on the embedded server, with the superuser of the cluster."""
    password = _password_file(servers).read_text().strip()
    host = quote(str(servers.socket_folder), safe="/")
    return f"postgresql://{DATABASE_NAME}:{password}@/{name}?host={host}"


def redis_url(servers: ServerLayout) -> str:
    """The URL of the embedded broker."""
    return f"unix://{quote(str(servers.valkey_socket), safe='/')}"


def database_answers(url: str) -> bool:
    """Return whether the database accepts connections."""
    try:
        psycopg.connect(url, connect_timeout=3).close()
    except psycopg.OperationalError:
        return False
    return True


def database_has_obsolete_layout(url: str) -> bool:
    """Return whether a version before 0.2 created the database. Psycopg errors are not caught."""
    with psycopg.connect(url, connect_timeout=3) as connection, connection.cursor() as cursor:
        return detect_obsolete_database.has_obsolete_layout(cursor)


def valkey_answers(servers: ServerLayout) -> bool:
    """Return whether Valkey answers a PING."""
    return _send_valkey_command(servers.valkey_socket, b"PING\r\n").startswith(b"+PONG")


def ensure_database_and_extensions(servers: ServerLayout, *, name: str = DATABASE_NAME) -> None:
    """Create a database of the product and its extensions if they do not exist."""
    with psycopg.connect(database_url(servers, name="postgres"), autocommit=True) as connection:
        query = "SELECT 1 FROM pg_database WHERE datname = %s"
        if connection.execute(query, [name]).fetchone() is None:
            connection.execute(f'CREATE DATABASE "{name}"')
    with psycopg.connect(database_url(servers, name=name), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")


def stop_leftover_servers(servers: ServerLayout) -> None:
    """Stop servers that survived a killed supervisor. The caller must hold the folder's lock."""
    pid = _leftover_postmaster_pid(servers)
    if pid is not None:
        _terminate_postmaster(servers, pid)
    if _send_valkey_command(servers.valkey_socket, b"PING\r\n"):
        _send_valkey_command(servers.valkey_socket, b"SHUTDOWN NOSAVE\r\n")
        _wait_until(lambda: not _send_valkey_command(servers.valkey_socket, b"PING\r\n"))
    servers.valkey_socket.unlink(missing_ok=True)


def _leftover_postmaster_pid(servers: ServerLayout) -> int | None:
    """The process ID of a leftover server. Checks its command line, because IDs are reused."""
    try:
        pid = int((servers.postgres_data / "postmaster.pid").read_text().splitlines()[0])
    except (OSError, ValueError, IndexError):
        return None
    command_line = _read_process_command_line(pid)
    return (
        pid if "postgres" in command_line and str(servers.postgres_data) in command_line else None
    )


def _read_process_command_line(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    result = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True)
    return result.stdout.decode(errors="replace")


def _terminate_postmaster(servers: ServerLayout, pid: int) -> None:
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        if _wait_until(lambda: _leftover_postmaster_pid(servers) is None):
            return
    raise StartError(f"PostgreSQL from an earlier start (process {pid}) does not stop.")


def _wait_until(condition: Callable[[], bool]) -> bool:
    for _ in range(100):
        if condition():
            return True
        time.sleep(0.1)
    return False


def _send_valkey_command(path: Path, command: bytes) -> bytes:
    """Send one command to the socket and return the response, or nothing if no server listens."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            connection.connect(str(path))
            connection.sendall(command)
            return connection.recv(64)
    except OSError:
        return b""
