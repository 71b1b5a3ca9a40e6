"""What every test needs: plain static files, and the clock of the database."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from django.db import connection
from pytest_django.fixtures import Settings
from pytest_django.plugin import DjangoDbBlocker

from tests.product import empty_partitions
from visibility.db.clock import database_now


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Tests empty their tables; the audit refuses that, but for those who test just this."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE visibility_auditentry DISABLE TRIGGER audit_is_kept")


@pytest.fixture(autouse=True)
def _plain_static_files(settings: Settings) -> None:
    """Hashed names need a collected folder; the pages under test do not."""
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


@pytest.fixture(autouse=True)
def _empty_partitions(request: pytest.FixtureRequest) -> Iterator[None]:
    """Django empties the tables it manages; the partitioned ones are ours."""
    yield
    marker = request.node.get_closest_marker("django_db")
    if marker and marker.kwargs.get("transaction"):
        empty_partitions()


@pytest.fixture
def now(db: None) -> datetime:
    """The database's time."""
    return database_now()
