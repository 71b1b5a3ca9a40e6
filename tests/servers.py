"""Pytest plugin: throw-away PostgreSQL and Valkey, started only if the selected tests need them.

The controller decides before the settings are read, from the paths it was called with: `tests/unit`
needs no server. The workers of pytest-xdist inherit its environment.
"""

import atexit
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.lanes import needs_servers
from visibility.launcher import embedded_servers
from visibility.launcher.reachable_server_folders import ServerLayout, prepare_layout
from visibility.launcher.start_process_and_rotate_log import (
    ProcessDefinition,
    last_lines,
    start_process,
)

PREFIX = "throughline-test-"
LIMIT_SECONDS = 60
# Nothing answers at these addresses: a unit test that needs a server fails at once.
NO_SERVERS = {
    "DATABASE_URL": "postgresql:///none?host=/the-unit-lane-has-no-database",
    "REDIS_URL": "redis://127.0.0.1:1/0",
}


# A wrapper runs before the other plugins' own hooks, of which pytest-django's reads the settings.
@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    """Start the servers, or block them."""
    known = early_config.known_args_namespace
    prepare(servers=not known.collectonly and needs_servers(known.file_or_dir))
    return (yield)


def prepare(*, servers: bool = True) -> None:
    """Give this process and those it starts servers of their own, unless both were given."""
    # Each process of pytest-xdist inherits the servers and keeps to its own keys.
    os.environ["REDIS_PREFIX"] = f"tl-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "visibility.settings")
    os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(48))
    # Tests of the second factor turn it on.
    os.environ.setdefault("REQUIRE_SECOND_FACTOR", "false")
    if not servers:
        os.environ.update(NO_SERVERS)
    given = {name for name in NO_SERVERS if os.environ.get(name)}
    if len(given) == 2:
        if "DATA_DIR" not in os.environ:
            os.environ["DATA_DIR"] = str(_folder())
        return
    data = _folder()
    os.environ["DATA_DIR"] = str(data)
    layout = prepare_layout(
        data, postgres="DATABASE_URL" not in given, valkey="REDIS_URL" not in given
    )
    atexit.register(_remove, layout.state_folder, os.getpid())
    pipe, _ = os.pipe()
    if "DATABASE_URL" not in given:
        os.environ["DATABASE_URL"] = _start_postgres(layout, pipe)
    if "REDIS_URL" not in given:
        os.environ["REDIS_URL"] = _start_valkey(layout, pipe)


def _folder() -> Path:
    """A folder of this run; those of killed runs are cleared away."""
    parent = Path(tempfile.gettempdir())
    for stale in parent.glob(f"{PREFIX}*"):
        number = stale.name.removeprefix(PREFIX).partition("-")[0]
        if number.isdigit() and not _alive(int(number)):
            shutil.rmtree(stale, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    # The servers' account passes through, when root runs the tests.
    folder.chmod(0o711)
    atexit.register(_remove, folder, os.getpid())
    return folder


def _remove(folder: Path, owner: int) -> None:
    """A forked process must not clear away what its parent still uses."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def _alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _start_postgres(layout: ServerLayout, pipe: int) -> str:
    initdb = embedded_servers.define_initdb_if_needed(layout, disposable=True)
    if initdb is not None:
        _spawn(initdb, layout, pipe).wait()
        embedded_servers.rename_initialized_data_folder(layout)
    url = embedded_servers.database_url(layout, name="postgres")
    _serve(
        embedded_servers.define_postgres_process(layout, disposable=True),
        layout,
        pipe,
        lambda: embedded_servers.database_answers(url),
    )
    embedded_servers.ensure_database_and_extensions(layout)
    return embedded_servers.database_url(layout)


def _start_valkey(layout: ServerLayout, pipe: int) -> str:
    _serve(
        embedded_servers.define_valkey_process(layout),
        layout,
        pipe,
        lambda: embedded_servers.valkey_answers(layout),
    )
    return embedded_servers.redis_url(layout)


def _spawn(child: ProcessDefinition, layout: ServerLayout, pipe: int) -> "subprocess.Popen[bytes]":
    return start_process(child, log=_log(child, layout), pipe=pipe)


def _log(child: ProcessDefinition, layout: ServerLayout) -> Path:
    return layout.state_folder / f"{child.name}.log"


def _serve(
    child: ProcessDefinition, layout: ServerLayout, pipe: int, answers: Callable[[], bool]
) -> None:
    process = _spawn(child, layout, pipe)
    # pytest's own hooks do not run after a usage error.
    atexit.register(_stop, process, child, os.getpid())
    until = time.monotonic() + LIMIT_SECONDS
    while not answers():
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"{child.name} did not start:\n{last_lines(_log(child, layout))}")
        time.sleep(0.02)


def _stop(process: "subprocess.Popen[bytes]", child: ProcessDefinition, owner: int) -> None:
    if os.getpid() != owner:
        return
    with suppress(ProcessLookupError):
        process.send_signal(child.stop_signal)
    try:
        process.wait(child.stop_timeout.total_seconds())
    except subprocess.TimeoutExpired:
        process.kill()
