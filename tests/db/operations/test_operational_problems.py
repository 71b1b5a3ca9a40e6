"""Operational problems: change lag, long transactions and failing rules."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import psycopg
import pytest
from django.test import Client

from tests.builders.alerts import alert, order
from tests.builders.sla_rules import create_rule
from tests.builders.users import signed_in
from tests.product import database_url
from visibility.db.change_feed import append_changes
from visibility.db.database_time import database_now
from visibility.models import FailedClock, RefoldRequest
from visibility.operations.metrics import render_metrics
from visibility.operations.operational_problems import current_problems
from visibility.web.permissions import UserRole

MINUTE = timedelta(minutes=1)


@contextmanager
def open_transaction(*statements: str) -> Iterator[psycopg.Connection]:
    """An open transaction of another application that ran these statements."""
    with psycopg.connect(database_url(), application_name="report builder") as connection:
        for statement in statements:
            connection.execute(statement.encode())
        yield connection
        connection.rollback()


def figures(now: datetime) -> dict[str, float]:
    rows = [row for row in render_metrics(now).decode().splitlines() if not row.startswith("#")]
    return {name: float(value) for name, value in (row.rsplit(" ", 1) for row in rows)}


def titles(now: datetime) -> list[str]:
    return [problem.title for problem in current_problems(now)]


@pytest.mark.django_db
def test_healthy_system_reports_no_problems(now: datetime) -> None:
    assert current_problems(now) == []
    assert figures(now)["throughline_change_lag_seconds"] == 0


@pytest.mark.django_db
def test_change_lag_is_reported_and_measured(now: datetime) -> None:
    changed = order("SO-1").object
    RefoldRequest.objects.create(object=changed, due_at=now + timedelta(hours=1))
    assert figures(now)["throughline_change_lag_seconds"] == 0
    RefoldRequest.objects.create(object=changed, due_at=now - timedelta(seconds=59))
    assert current_problems(now) == []
    RefoldRequest.objects.create(object=changed, due_at=now - timedelta(seconds=95))
    assert titles(now) == ["Processing has been behind for 1 min"]
    assert "the worker is down" in current_problems(now)[0].text
    assert figures(now)["throughline_change_lag_seconds"] == 95


@pytest.mark.django_db(transaction=True)
def test_long_transaction_is_reported_and_measured() -> None:
    with open_transaction("SELECT pg_current_xact_id()") as connection:
        now = database_now()
        assert titles(now + 4 * MINUTE) == []
        (problem,) = current_problems(now + 12 * MINUTE)
        assert problem.title == "A database transaction has been open for 12 min"
        assert f"session {connection.info.backend_pid} (report builder)" in problem.text
        seconds = figures(now + 12 * MINUTE)["throughline_longest_transaction_seconds"]
        assert 720 <= seconds < 730
    assert titles(database_now() + 12 * MINUTE) == []


@pytest.mark.django_db(transaction=True)
def test_session_that_blocks_changes_is_named() -> None:
    append_changes({"order": [1]})
    lock = "SELECT number FROM visibility_changehead FOR UPDATE"
    with open_transaction(lock) as holder, psycopg.connect(database_url(), autocommit=True) as late:
        waiting = threading.Thread(target=lambda: late.execute(lock.encode()))
        waiting.start()
        RefoldRequest.objects.create(object=order("SO-1").object)
        now, pid, text = database_now() + 2 * MINUTE, holder.info.backend_pid, ""
        for _ in range(100):
            text = current_problems(now)[0].text
            if "held by" in text:
                break
            time.sleep(0.05)
        holder.rollback()
        waiting.join()
    assert f"held by session {pid} (report builder)" in text


@pytest.mark.django_db
def test_failing_rule_is_reported_once_with_order_count() -> None:
    for number in range(3):
        FailedClock.objects.create(
            rule=create_rule(), order=order(f"SO-{number}").object, error="Its <kind> is not known."
        )
    (problem,) = current_problems(database_now())
    assert problem.title == "Rule “Released orders ship within 4 h” fails for 3 orders"
    assert problem.text.startswith("Its <kind> is not known.")
    assert figures(database_now())['throughline_clocks{state="failed"}'] == 3


@pytest.mark.django_db
def test_problems_are_shown_to_permitted_roles_only() -> None:
    failed = FailedClock.objects.create(
        rule=create_rule(), order=order("SO-1").object, error="Its <kind> is not known."
    )
    page = f"/orders/{failed.order_id}"
    integrator, clerk = signed_in(UserRole.INTEGRATOR), signed_in(UserRole.CUSTOMER_SERVICE)
    expected = "fails for 1 order.</strong> Its &lt;kind&gt; is not known."
    assert expected in text(integrator, "/sources")
    assert expected in text(integrator, "/alerts")
    assert expected not in text(clerk, "/alerts")
    assert "SLA not monitored: Released orders ship within 4 h.</strong>" in text(clerk, page)
    assert "Its &lt;kind&gt; is not known." in text(clerk, page)


@pytest.mark.django_db
def test_alert_of_failing_rule_shows_unknown_status() -> None:
    failing_order = order("SO-1")
    open_alert = alert(of=failing_order)
    ops = signed_in(UserRole.OPERATIONS)
    page = f"/alerts/{open_alert.pk}"
    assert "the next step was due" in text(ops, page)
    FailedClock.objects.create(
        rule=create_rule(), order=failing_order.object, error="Its kind is not known: x."
    )
    shown = text(ops, page)
    assert "the next step was due" not in shown
    assert "The current status is unknown because the rule fails: Its kind is not known" in shown


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()
