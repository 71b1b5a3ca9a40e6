"""`up` and `migrate` refuse data from before version 0.2 with a message and do not change it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import psycopg
import pytest
from django.core.management import call_command

from tests.processes.launcher.up_process import UpProcess
from visibility.launcher.detect_obsolete_database import OBSOLETE_LAYOUT
from visibility.launcher.instance_lock_and_environment import CHECKOUT

OLD_MIGRATIONS = """
CREATE TABLE django_migrations (
    id bigserial PRIMARY KEY, app text NOT NULL, name text NOT NULL, applied timestamptz NOT NULL
);
INSERT INTO django_migrations (app, name, applied) VALUES
    ('visibility', '0001_first', now()), ('visibility', '0016_lighter_ways', now());
CREATE TABLE visibility_refold (id bigserial PRIMARY KEY);
"""
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
OLD_TABLES = [("django_migrations",), ("visibility_refold",)]

Start = Callable[..., UpProcess]


def migrate(url: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "manage.py", "migrate", "--noinput"],
        cwd=CHECKOUT,
        env={**os.environ, "DATABASE_URL": url, "SECRET_KEY": "x" * 40},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def started(up: Start) -> UpProcess:
    return up().wait_until_ready()


@pytest.fixture
def old_database(started: UpProcess, data: Path) -> str:
    """The URL of a database with old migrations, served by a running `up`."""
    url: str = json.loads((data / "run" / "instance.json").read_text())["DATABASE_URL"]
    with psycopg.connect(url) as connection:
        connection.execute(OLD_MIGRATIONS)
    return url


def test_migrate_refuses_an_old_database_and_changes_nothing(old_database: str) -> None:
    finished = migrate(old_database)
    assert finished.returncode == 1
    assert finished.stderr.strip() == f"CommandError: {OBSOLETE_LAYOUT}"
    with psycopg.connect(old_database) as connection:
        assert connection.execute(TABLES).fetchall() == OLD_TABLES


@pytest.mark.usefixtures("old_database")
def test_up_refuses_an_old_data_folder_but_starts_with_fresh(up: Start, started: UpProcess) -> None:
    started.stop()
    refused = up()
    assert refused.wait_for_exit() == 1
    assert refused.lines[-1] == OBSOLETE_LAYOUT
    up("--fresh").wait_until_ready().stop()


def test_up_refuses_an_old_external_database(up: Start, data: Path, old_database: str) -> None:
    running = json.loads((data / "run" / "instance.json").read_text())
    given = {name: running[name] for name in ("DATABASE_URL", "REDIS_URL")}
    refused = up(data=data.with_name("other"), environment=given)
    assert refused.wait_for_exit() == 1
    assert refused.lines[-1] == OBSOLETE_LAYOUT
    with psycopg.connect(old_database) as connection:
        assert connection.execute(TABLES).fetchall() == OLD_TABLES


@pytest.mark.django_db
def test_current_database_can_be_migrated_twice() -> None:
    output = StringIO()
    call_command("migrate", stdout=output)
    assert "No migrations to apply." in output.getvalue()
