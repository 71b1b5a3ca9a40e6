"""Pytest plugin: run tests on the days where calendars are awkward.

The product takes its time from PostgreSQL alone, so it is enough to shift that clock. The test
database has its own `now()`, `clock_timestamp()`, `statement_timestamp()` and
`transaction_timestamp()`, found before PostgreSQL's; they add the setting `test.clock_offset`.
Nothing is compiled or preloaded, and the offset is read again at each call. What PostgreSQL itself
records, such as the start of a transaction in pg_stat_activity, keeps the true time.

`--days=all` runs every test marked `calendar` that uses the database once today and once on each
of DAYS, with a time zone of the United States; `--days=<name>,<name>` on those alone. `--days=some`
takes today and SOME_DAYS of them, chosen by the seed of the run, so that runs in turn cover all.
`--all-tests` does so with every database test, marked or not.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

OFFSET = "test.clock_offset"
ZONE = "America/Chicago"
# Each in UTC. The comment has the local time: in the evening UTC is already a day ahead.
DAYS = {
    "the-28th": datetime(2026, 11, 28, 18, 0, tzinfo=UTC),  # 12:00; 28 days are the month so far
    "year-end": datetime(2027, 1, 1, 3, 0, tzinfo=UTC),  # 21:00 on 31 December 2026
    "new-year": datetime(2027, 1, 1, 6, 30, tzinfo=UTC),  # 00:30 on 1 January 2027
    "28-february": datetime(2027, 2, 28, 18, 0, tzinfo=UTC),  # 12:00 on the month's last day
    "dst-starts": datetime(2027, 3, 14, 8, 10, tzinfo=UTC),  # 03:10; 02:00 to 03:00 do not exist
    "dst-ends": datetime(2027, 11, 7, 7, 30, tzinfo=UTC),  # 01:30 for the second time
    "leap-day": datetime(2028, 2, 29, 18, 0, tzinfo=UTC),  # 12:00 on 29 February
}
SOME_DAYS = 2
FUNCTIONS = "".join(
    f"""
CREATE OR REPLACE FUNCTION public.{name}() RETURNS timestamptz LANGUAGE sql {kind} AS $$
    SELECT pg_catalog.{name}()
        + coalesce(nullif(current_setting('{OFFSET}', true), ''), '0')::interval $$;
"""
    for name, kind in {
        "now": "STABLE",
        "transaction_timestamp": "STABLE",
        "statement_timestamp": "STABLE",
        "clock_timestamp": "VOLATILE",
    }.items()
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The two options."""
    group = parser.getgroup("shifted clock")
    group.addoption("--days", default="", help=f"all, some, or names of {', '.join(DAYS)}")
    group.addoption("--all-tests", action="store_true", help="shift tests without the mark, too")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One case for each day."""
    wanted: str = metafunc.config.getoption("days")
    marked = metafunc.definition.get_closest_marker
    if not wanted or not (marked("calendar") or metafunc.config.getoption("all_tests")):
        return
    if not marked("django_db") and not {"db", "transactional_db"} & set(metafunc.fixturenames):
        return
    names = chosen_days(wanted, metafunc.config.getoption("randomly_seed", 0))
    metafunc.fixturenames.append("shifted_day")
    metafunc.parametrize("shifted_day", names, indirect=True)


def chosen_days(wanted: str, seed: int) -> list[str]:
    """The names of the days of an option; equal seeds choose equal days."""
    if wanted == "all":
        return ["today", *DAYS]
    if wanted == "some":
        return ["today", *random.Random(seed).sample(list(DAYS), SOME_DAYS)]
    return wanted.split(",")


def pytest_report_header(config: pytest.Config) -> str | None:
    """Name the chosen days: a failure on one of them is repeated by its name."""
    if config.getoption("days") != "some":
        return None
    days = chosen_days("some", config.getoption("randomly_seed", 0))
    return f"days of calendar tests: {', '.join(days)}"


@pytest.fixture(autouse=True)
def _on_its_day(request: pytest.FixtureRequest) -> None:
    """Shift the clock before any other fixture of the test asks for the time."""
    if "shifted_day" in getattr(getattr(request.node, "callspec", None), "params", ()):
        request.getfixturevalue("shifted_day")


@pytest.fixture
def shifted_day(request: pytest.FixtureRequest, db: None, settings: Any) -> Iterator[None]:
    """Shift the database's clock to the chosen day; it keeps running during the test."""
    name: str = request.param
    if name == "today":
        yield
        return
    from django.db import connection

    settings.TIME_ZONE = ZONE
    with connection.cursor() as cursor:
        cursor.execute("SELECT (%s - pg_catalog.clock_timestamp())::text", [DAYS[name]])
        offset = cursor.fetchone()[0]
        cursor.execute("SELECT set_config(%s, %s, false)", [OFFSET, offset])
    if connection.in_atomic_block:
        yield  # The rollback at the test's end takes the setting back.
        return
    # The test's other connections, its threads' for one, must have the same time.
    database = connection.ops.quote_name(connection.settings_dict["NAME"])
    _for_new_connections(f"ALTER DATABASE {database} SET {OFFSET} = '{offset}'")
    yield
    _for_new_connections(f"ALTER DATABASE {database} RESET {OFFSET}")


def _for_new_connections(statement: str) -> None:
    from django.db import connection

    from tests.database_template import close_connections

    with connection.cursor() as cursor:
        cursor.execute(statement)
    close_connections()


def prepare_database() -> None:
    """Make the functions in each new test database before its migrations name them."""
    from django.db.models.signals import pre_migrate

    pre_migrate.connect(_make_functions, dispatch_uid="shifted clock")


def _make_functions(**_: object) -> None:
    from django.db import connection

    from tests.database_template import close_connections

    database = connection.ops.quote_name(connection.settings_dict["NAME"])
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('search_path') LIKE '%pg_catalog%'")
        if cursor.fetchone()[0]:
            return
        cursor.execute(FUNCTIONS)
        # A schema before pg_catalog hides its functions; new tables still go to `public`.
        cursor.execute(f"ALTER DATABASE {database} SET search_path = public, pg_catalog")
    close_connections()  # Those the pool opened before have PostgreSQL's functions.
