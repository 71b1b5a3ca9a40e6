"""What is wrong with the product itself is said: changes that lag, open sessions, failing rules."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import psycopg
import pytest
from django.test import Client

from tests.product import database_url
from tests.web.alert_cast import alert, order, rule, signed_in
from visibility.db.change_feed import change
from visibility.db.clock import database_now
from visibility.models import FailedClock, Refold
from visibility.operations.metrics import exposition
from visibility.operations.problems import troubles
from visibility.web.permissions import Role

MINUTE = timedelta(minutes=1)


@contextmanager
def stranger(*statements: str) -> Iterator[psycopg.Connection]:
    """Somebody else's transaction in our database that did this and does not end."""
    with psycopg.connect(database_url(), application_name="report builder") as connection:
        for statement in statements:
            connection.execute(statement.encode())
        yield connection
        connection.rollback()


def figures(now: datetime) -> dict[str, float]:
    rows = [row for row in exposition(now).decode().splitlines() if not row.startswith("#")]
    return {name: float(value) for name, value in (row.rsplit(" ", 1) for row in rows)}


def titles(now: datetime) -> list[str]:
    return [trouble.title for trouble in troubles(now)]


@pytest.mark.django_db
def test_where_all_is_well_nothing_is_said(now: datetime) -> None:
    assert troubles(now) == []
    assert figures(now)["throughline_change_lag_seconds"] == 0


@pytest.mark.django_db
def test_changes_that_fall_behind_are_said_and_measured(now: datetime) -> None:
    one = order("SO-1").object
    Refold.objects.create(object=one, touched_at=now + timedelta(hours=1))
    assert figures(now)["throughline_change_lag_seconds"] == 0
    Refold.objects.create(object=one, touched_at=now - timedelta(seconds=59))
    assert troubles(now) == []
    Refold.objects.create(object=one, touched_at=now - timedelta(seconds=95))
    assert titles(now) == ["Changes have been falling behind for 1 min"]
    assert "the worker does not work" in troubles(now)[0].words
    assert figures(now)["throughline_change_lag_seconds"] == 95


@pytest.mark.django_db(transaction=True)
def test_a_long_transaction_is_said_and_measured() -> None:
    with stranger("SELECT pg_current_xact_id()") as connection:
        now = database_now()
        assert titles(now + 4 * MINUTE) == []
        (found,) = troubles(now + 12 * MINUTE)
        assert found.title == "A transaction has been open in the database for 12 min"
        assert f"session {connection.info.backend_pid} (report builder)" in found.words
        seconds = figures(now + 12 * MINUTE)["throughline_longest_transaction_seconds"]
        assert 720 <= seconds < 730
    assert titles(database_now() + 12 * MINUTE) == []


@pytest.mark.django_db(transaction=True)
def test_who_holds_the_change_number_is_named() -> None:
    change({"order": [1]})
    held = "SELECT number FROM visibility_changehead FOR UPDATE"
    with stranger(held) as holder, psycopg.connect(database_url(), autocommit=True) as late:
        waiting = threading.Thread(target=lambda: late.execute(held.encode()))
        waiting.start()
        Refold.objects.create(object=order("SO-1").object)
        now, pid, said = database_now() + 2 * MINUTE, holder.info.backend_pid, ""
        for _ in range(100):
            said = troubles(now)[0].words
            if "wait for" in said:
                break
            time.sleep(0.05)
        holder.rollback()
        waiting.join()
    assert f"wait for session {pid} (report builder)" in said


@pytest.mark.django_db
def test_a_rule_that_fails_is_said_once_with_how_many_orders_it_leaves() -> None:
    for number in range(3):
        FailedClock.objects.create(
            rule=rule(), order=order(f"SO-{number}").object, error="Its <kind> is not known."
        )
    (found,) = troubles(database_now())
    assert found.title == "“Released orders ship within 4 h” is not watched for 3 orders"
    assert found.words.startswith("Its <kind> is not known.")
    assert figures(database_now())['throughline_clocks{state="failed"}'] == 3


@pytest.mark.django_db
def test_the_pages_of_those_who_can_mend_it_say_so() -> None:
    failed = FailedClock.objects.create(
        rule=rule(), order=order("SO-1").object, error="Its <kind> is not known."
    )
    page = f"/orders/{failed.order_id}"
    integrator, clerk = signed_in(Role.INTEGRATOR), signed_in(Role.CUSTOMER_SERVICE)
    told = "is not watched for 1 order.</strong> Its &lt;kind&gt; is not known."
    assert told in text(integrator, "/sources")
    assert told in text(integrator, "/alerts")
    assert told not in text(clerk, "/alerts")
    assert "Not watched: Released orders ship within 4 h.</strong>" in text(clerk, page)
    assert "Its &lt;kind&gt; is not known." in text(clerk, page)


@pytest.mark.django_db
def test_an_alert_whose_rule_fails_does_not_say_how_it_stands() -> None:
    whose = order("SO-1")
    standing = alert(of=whose)
    ops = signed_in(Role.OPERATIONS)
    page = f"/alerts/{standing.pk}"
    assert "and has not come" in text(ops, page)
    FailedClock.objects.create(rule=rule(), order=whose.object, error="Its kind is not known: x.")
    shown = text(ops, page)
    assert "and has not come" not in shown
    assert "How it stands now is not known, as the rule fails: Its kind is not known" in shown


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()
