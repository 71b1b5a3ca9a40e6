"""The servers of the tests themselves."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import redis

from tests.management.starts import GIVEN
from visibility.launcher.instance import CHECKOUT

TELL = "import json, os, tests.servers; print(json.dumps(dict(os.environ)))"


def run(*words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if name not in GIVEN}
    kept.pop("PYTEST_XDIST_WORKER", None)
    return subprocess.run(
        [sys.executable, *words],
        env=kept | environment,
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
    )


def test_both_servers_answer() -> None:
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert redis.Redis.from_url(os.environ["REDIS_URL"]).ping()


def test_a_run_without_servers_gets_its_own_and_leaves_nothing() -> None:
    found = json.loads(run("-c", TELL).stdout)
    assert found["DATABASE_URL"] != os.environ.get("DATABASE_URL")
    assert found["DATA_DIR"] in found["DATABASE_URL"]
    assert not Path(found["DATA_DIR"]).exists()


def test_each_process_of_a_run_keeps_to_its_own_keys() -> None:
    given = {name: os.environ[name] for name in ("DATABASE_URL", "REDIS_URL", "DATA_DIR")}
    found = json.loads(run("-c", TELL, PYTEST_XDIST_WORKER="gw7", **given).stdout)
    assert found["REDIS_PREFIX"] == "tl-gw7"
    assert {name: found[name] for name in given} == given
    assert Path(given["DATA_DIR"]).exists()


def test_a_mistyped_option_leaves_no_server(tmp_path: Path) -> None:
    done = run("-m", "pytest", "-p", "tests.servers", "--mistyped", TMPDIR=str(tmp_path))
    assert done.returncode == 4, done.stderr
    assert list(tmp_path.iterdir()) == []
