"""The shifted clock is real: each way to ask PostgreSQL for the time gives the wanted day."""

import threading
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now

from tests.shifted_clock import DAYS
from visibility.db.database_time import database_now
from visibility.models import BusinessObject

pytestmark = pytest.mark.calendar
TIMES = (
    "SELECT now(), clock_timestamp(), statement_timestamp(), transaction_timestamp(),"
    " pg_catalog.clock_timestamp()"
)


def expected(request: pytest.FixtureRequest, true: datetime) -> datetime:
    """Today's time where nothing is shifted."""
    name = request.node.callspec.params["shifted_day"] if hasattr(request.node, "callspec") else ""
    return DAYS.get(name, true)


def assert_shifted(request: pytest.FixtureRequest) -> None:
    with connection.cursor() as cursor:
        cursor.execute(TIMES)
        *times, true = cursor.fetchone()
    for time in (*times, database_now()):
        assert abs(time - expected(request, true)) < timedelta(minutes=1)


@pytest.mark.django_db
def test_a_test_in_a_transaction_sees_the_day(request: pytest.FixtureRequest) -> None:
    assert_shifted(request)
    created = BusinessObject.objects.create(kind="order")
    created.refresh_from_db()
    assert BusinessObject.objects.filter(created_at__lte=Now()).exists()
    assert abs(created.created_at - database_now()) < timedelta(minutes=1)


@pytest.mark.django_db(transaction=True)
def test_every_connection_of_a_test_sees_the_day(request: pytest.FixtureRequest) -> None:
    failures: list[BaseException] = []

    def check() -> None:
        try:
            assert_shifted(request)
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    assert_shifted(request)
    threads = [threading.Thread(target=check) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
