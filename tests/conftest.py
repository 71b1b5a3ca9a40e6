"""Fixtures of all tests: static files without hashes, empty tables, the database clock."""

import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import hypothesis
import pytest
from django.db import connection
from django.test import TransactionTestCase
from pytest_django.fixtures import Settings
from pytest_django.plugin import DjangoDbBlocker

from tests import database_template, empty_tables, shifted_clock
from tests.builders.sink import RecordingServer
from tests.effort import FULL
from visibility.db.database_time import database_now
from visibility.web.limited_password_hasher import LimitedArgon2PasswordHasher

# More examples in a full run; a deadline per example would fail on a busy machine.
hypothesis.settings.register_profile("normal", max_examples=100, deadline=None)
hypothesis.settings.register_profile("full", max_examples=1000, deadline=None)
hypothesis.settings.load_profile("full" if FULL else "normal")


def _delete_rows(test_case: TransactionTestCase) -> None:
    """Empty the tables after a test that commits, instead of Django's `flush`."""
    empty_tables.empty_tables()


setattr(TransactionTestCase, "_fixture_teardown", _delete_rows)  # noqa: B010 - it is private


def pytest_sessionfinish() -> None:
    """Leave no template on a server that stays."""
    database_template.drop_template()


@pytest.fixture(scope="session")
def run_seed(request: pytest.FixtureRequest) -> int:
    """The seed of the run, which pytest-randomly prints and `-p randomly_seed=` repeats."""
    return int(request.config.getoption("randomly_seed", 0))


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings: None, django_db_blocker: DjangoDbBlocker
) -> None:
    """The test database has a clock that can be shifted, and is a copy of the run's template."""
    shifted_clock.prepare_database()
    with django_db_blocker.unblock():
        database_template.use_template()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Let tests empty the audit table, which a trigger prevents. Tests of the trigger enable it.

    Most tests run no scheduler and no worker, so that their heartbeats would be out of date.
    """
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE visibility_auditentry DISABLE TRIGGER audit_append_only")
        cursor.execute("TRUNCATE visibility_heartbeat")
        empty_tables.define_function(cursor)


@pytest.fixture(autouse=True)
def _plain_static_files(settings: Settings) -> None:
    """Serve static files under plain names: hashed names need `collectstatic`."""
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


@pytest.fixture(autouse=True)
def _no_organization(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test starts without an organization, and reads it only after it changed it."""
    from visibility.storage import organization

    monkeypatch.setattr(organization, "MAX_AGE", math.inf)
    monkeypatch.setattr(organization, "_latest", organization.StoredOrganization(None, 0.0))


@pytest.fixture(autouse=True)
def _no_demo_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test starts without demo data, and reads it only after it changed it."""
    from visibility.storage import demo_data

    monkeypatch.setattr(demo_data, "MAX_AGE", math.inf)
    monkeypatch.setattr(demo_data, "_latest", demo_data.StoredDemoData(None, 0.0))


@pytest.fixture(autouse=True)
def _no_compared_shapes() -> None:
    """A test starts as a new process, which compared no messages yet."""
    from visibility.ingest.message_shapes import forget_shapes

    forget_shapes()


@pytest.fixture(autouse=True)
def _no_published_manifests(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test starts without published manifests, and reads them only after it published one."""
    from connectors import catalog
    from visibility.storage import published_manifests

    monkeypatch.setattr(catalog, "_published", {})
    monkeypatch.setattr(published_manifests, "MAX_AGE", math.inf)
    monkeypatch.setattr(published_manifests, "_loaded", published_manifests.LoadedVersion())
    monkeypatch.setattr(published_manifests, "_connectors", {})


@pytest.fixture(autouse=True)
def _session_limits_of_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default limits of sessions are known at the start, and not read again by time.

    Otherwise a count of statements depends on how long a test takes.
    """
    from visibility.models.people import DEFAULT_IDLE_MINUTES, DEFAULT_SESSION_HOURS
    from visibility.web.people import session_limits
    from visibility.web.people.session_store import SessionLimits

    defaults = SessionLimits(
        timedelta(minutes=DEFAULT_IDLE_MINUTES), timedelta(hours=DEFAULT_SESSION_HOURS)
    )
    monkeypatch.setattr(session_limits, "_half_minute", lambda: 0)
    session_limits._recent_limits.cache_clear()
    with monkeypatch.context() as at_start:
        at_start.setattr(session_limits, "load_session_limits", lambda: defaults)
        session_limits._recent_limits(0)


@pytest.fixture(autouse=True)
def _cheap_password_hashes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash passwords with Argon2's least memory; the product's takes 0.2 s of CPU each."""
    if not request.node.get_closest_marker("expensive_hashes"):
        monkeypatch.setattr(LimitedArgon2PasswordHasher, "time_cost", 1)
        monkeypatch.setattr(LimitedArgon2PasswordHasher, "memory_cost", 8)


@pytest.fixture
def now(db: None) -> datetime:
    """The current time of the database."""
    return database_now()


@pytest.fixture
def receiver(settings: Settings) -> Iterator[RecordingServer]:
    """A server that the product may send notifications to."""
    server = RecordingServer()
    settings.OUTGOING_ALLOWED = [server.url.removeprefix("http://")]
    yield server
    server.close()
