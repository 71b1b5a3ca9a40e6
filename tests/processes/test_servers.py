"""The servers that `tests.servers` starts for the tests."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import redis

from tests.lanes import needs_servers
from tests.processes.launcher.up_process import SETTINGS_VARIABLES
from tests.servers import NO_SERVERS
from visibility.launcher.instance_lock_and_environment import CHECKOUT

PRINT_ENVIRONMENT = """
import json, os
from tests.servers import prepare
prepare()
print(json.dumps(dict(os.environ)))
"""


def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    environment_without_settings = {
        name: value for name, value in os.environ.items() if name not in SETTINGS_VARIABLES
    }
    environment_without_settings.pop("PYTEST_XDIST_WORKER", None)
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment_without_settings | environment,
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
    )


def test_both_servers_answer() -> None:
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert redis.Redis.from_url(os.environ["REDIS_URL"]).ping()


def test_run_without_servers_starts_its_own_and_removes_them() -> None:
    environment = json.loads(run("-c", PRINT_ENVIRONMENT).stdout)
    assert environment["DATABASE_URL"] != os.environ.get("DATABASE_URL")
    assert environment["DATA_DIR"] in environment["DATABASE_URL"]
    assert not Path(environment["DATA_DIR"]).exists()


def test_each_process_of_a_run_has_its_own_redis_prefix() -> None:
    given = {name: os.environ[name] for name in ("DATABASE_URL", "REDIS_URL", "DATA_DIR")}
    environment = json.loads(
        run("-c", PRINT_ENVIRONMENT, PYTEST_XDIST_WORKER="gw7", **given).stdout
    )
    assert environment["REDIS_PREFIX"] == "tl-gw7"
    assert {name: environment[name] for name in given} == given
    assert Path(given["DATA_DIR"]).exists()


def test_mistyped_option_leaves_no_server(tmp_path: Path) -> None:
    result = run("-m", "pytest", "-p", "tests.servers", "--mistyped", TMPDIR=str(tmp_path))
    assert result.returncode == 4, result.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_unit_lane_starts_no_server_and_reaches_none() -> None:
    environment = json.loads(
        run("-c", PRINT_ENVIRONMENT.replace("prepare()", "prepare(servers=False)")).stdout
    )
    assert {name: environment[name] for name in NO_SERVERS} == NO_SERVERS


@pytest.mark.parametrize(
    ("paths", "needed"),
    [
        ([], True),
        (["tests"], True),
        (["tests/unit"], False),
        (["tests/unit/timeline/test_states.py::test_one"], False),
        (["tests/unit", "tests/unit/sla"], False),
        (["tests/unit", "tests/db"], True),
        (["tests/unit/../db"], True),
    ],
)
def test_only_the_unit_lane_needs_no_server(paths: list[str], needed: bool) -> None:
    assert needs_servers(paths) is needed
