"""Run the migrations once: the test database of each process is a copy of one template.

The first process of pytest-xdist that needs a database makes the template; the others wait for it.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

import psycopg
from django.db import connection
from psycopg import sql

RUN_ID = "PYTEST_XDIST_TESTRUNUID"
# The template of the run that started this one, which tests a copy of the repository.
GIVEN = "TEST_DATABASE_TEMPLATE"


def use_template() -> None:
    """Let Django copy the template, which is made first if this run has none yet."""
    if given := os.environ.get(GIVEN):
        connection.settings_dict["TEST"]["TEMPLATE"] = given
        return
    run = os.environ.get(RUN_ID)
    if run is None:  # the only process of the run
        return
    name = template_name()
    with _state_file(name).open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        if file.read() != run:
            _create(name)
            file.truncate(0)
            file.write(run)
    connection.settings_dict["TEST"]["TEMPLATE"] = name


def template_name() -> str:
    """The name is that of the test database without the suffix of a process."""
    name: str = connection.settings_dict["NAME"]
    return f"test_{name}_template"


def _create(name: str) -> None:
    # Django's own steps make the template as they make a test database.
    settings = connection.settings_dict
    before = settings["NAME"], settings["TEST"]["NAME"]
    settings["TEST"]["NAME"] = name
    try:
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        close_connections()  # PostgreSQL copies only a database without connections
    finally:
        settings["NAME"], settings["TEST"]["NAME"] = before


def close_connections() -> None:
    """Close the connection of this thread, and those that the pool holds."""
    connection.close()
    with suppress(AttributeError):
        connection.close_pool()  # type: ignore[attr-defined]  # PostgreSQL's alone


def drop_template() -> None:
    """Remove the template, if this run made it. The controller of pytest-xdist calls it."""
    state = _state_file(template_name())
    if RUN_ID not in os.environ and state.exists():
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as admin:
            name = sql.Identifier(template_name())
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(name))
        state.unlink()


def _state_file(name: str) -> Path:
    return Path(os.environ["DATA_DIR"]) / f"{name}.run"
