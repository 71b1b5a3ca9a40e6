"""Pytest plugin, loaded before the settings are read: throw-away PostgreSQL and Valkey."""

import atexit
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from visibility.launcher import embedded
from visibility.launcher.layout import Place, settle
from visibility.launcher.process import Child, last_lines, spawn

PREFIX = "throughline-test-"
LIMIT_SECONDS = 60


def prepare() -> None:
    """Give this process and those it starts servers of their own, unless both were given."""
    # Each process of pytest-xdist inherits the servers and keeps to its own keys.
    os.environ["REDIS_PREFIX"] = f"tl-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "visibility.settings")
    os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(48))
    given = {name for name in ("DATABASE_URL", "REDIS_URL") if os.environ.get(name)}
    if len(given) == 2:
        if "DATA_DIR" not in os.environ:
            os.environ["DATA_DIR"] = str(_folder())
        return
    data = _folder()
    os.environ["DATA_DIR"] = str(data)
    place = settle(data, postgres="DATABASE_URL" not in given, valkey="REDIS_URL" not in given)
    atexit.register(_remove, place.state, os.getpid())
    pipe, _ = os.pipe()
    if "DATABASE_URL" not in given:
        os.environ["DATABASE_URL"] = _start_postgres(place, pipe)
    if "REDIS_URL" not in given:
        os.environ["REDIS_URL"] = _start_valkey(place, pipe)


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


def _start_postgres(place: Place, pipe: int) -> str:
    initdb = embedded.initdb(place, careless=True)
    if initdb is not None:
        _spawn(initdb, place, pipe).wait()
        embedded.keep_draft(place)
    url = embedded.database_url(place, name="postgres")
    _serve(
        embedded.postgres(place, careless=True), place, pipe, lambda: embedded.database_answers(url)
    )
    embedded.create_database(place)
    return embedded.database_url(place)


def _start_valkey(place: Place, pipe: int) -> str:
    _serve(embedded.valkey(place), place, pipe, lambda: embedded.valkey_answers(place))
    return embedded.redis_url(place)


def _spawn(child: Child, place: Place, pipe: int) -> "subprocess.Popen[bytes]":
    return spawn(child, log=_log(child, place), pipe=pipe)


def _log(child: Child, place: Place) -> Path:
    return place.state / f"{child.name}.log"


def _serve(child: Child, place: Place, pipe: int, answers: Callable[[], bool]) -> None:
    process = _spawn(child, place, pipe)
    # pytest's own hooks do not run after a usage error.
    atexit.register(_stop, process, child, os.getpid())
    until = time.monotonic() + LIMIT_SECONDS
    while not answers():
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"{child.name} did not start:\n{last_lines(_log(child, place))}")
        time.sleep(0.02)


def _stop(process: "subprocess.Popen[bytes]", child: Child, owner: int) -> None:
    if os.getpid() != owner:
        return
    with suppress(ProcessLookupError):
        process.send_signal(child.stop_signal)
    try:
        process.wait(child.patience.total_seconds())
    except subprocess.TimeoutExpired:
        process.kill()


prepare()
