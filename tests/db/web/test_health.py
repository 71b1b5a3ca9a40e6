"""Health, readiness and metrics endpoints."""

from datetime import timedelta

import pytest
from django.db import DatabaseError
from django.test import Client

from tests.builders.alerts import alert, order
from tests.builders.sla_rules import create_rule
from tests.builders.sources import create_source, message
from visibility.db.change_feed import append_changes
from visibility.db.database_time import database_now
from visibility.models import ClockState, RejectedRequestCount, SlaClock
from visibility.web.pages import health_and_metrics

pytestmark = pytest.mark.django_db


def metrics() -> dict[str, float]:
    response = Client().get("/metrics")
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain")
    rows = [row for row in response.content.decode().splitlines() if not row.startswith("#")]
    return {name: float(value) for name, value in (row.rsplit(" ", 1) for row in rows)}


def test_healthz_returns_ok() -> None:
    answer = Client().get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_readyz_with_a_migrated_writable_database() -> None:
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


def test_readyz_without_a_database_returns_retry_after(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail_to_connect() -> str:
        raise DatabaseError("no connection")

    monkeypatch.setattr(health_and_metrics, "_readiness_problem", fail_to_connect)
    answer = Client().get("/readyz")
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert "no connection" not in answer.content.decode()


def test_readyz_with_unapplied_migrations(monkeypatch: pytest.MonkeyPatch) -> None:
    class Pending:
        def __init__(self, *_: object) -> None:
            self.loader = self
            self.graph = self

        def leaf_nodes(self) -> list[str]:
            return ["x"]

        def migration_plan(self, _: object) -> list[str]:
            return ["x"]

    monkeypatch.setattr(health_and_metrics, "MigrationExecutor", Pending)
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["problem"]) == (503, "migrations are not applied")


def test_metrics_count_rows() -> None:
    now = database_now()
    feed = create_source()
    message(feed, repeats=2)
    message(feed, state="parked", reason="schema")
    message(feed, state="waiting", received_at=now - timedelta(seconds=90))
    RejectedRequestCount.objects.create(slug="wms", status=401, hour=now, count=7, last_at=now)
    alert(broken=True)
    SlaClock.objects.create(
        rule=create_rule(),
        order=order("SO-2").object,
        subject_key="next",
        started_at=now,
        due_at=now + timedelta(hours=1),
        state=ClockState.RUNNING,
    )
    head = append_changes({"order": [1]})
    values = metrics()
    for state, count in {
        "accepted": 5,
        "applied": 1,
        "duplicate": 2,
        "parked": 1,
        "waiting": 1,
    }.items():
        assert values[f'throughline_messages_{state}{{source="wms"}}'] == count
    assert 90 <= values["throughline_oldest_waiting_seconds"] < 100
    assert values['throughline_source_silent{source="wms"}'] == 0
    assert values['throughline_requests_rejected_total{status="401"}'] == 7
    assert values['throughline_clocks{state="breached"}'] == 1
    assert values['throughline_clocks{state="running"}'] == 1
    assert values['throughline_notifications{state="pending"}'] == 0
    assert values["throughline_change_number"] == head


def test_metrics_say_that_nothing_is_learned_from_a_source() -> None:
    message(create_source(), state="parked", reason="schema")
    assert metrics()['throughline_source_silent{source="wms"}'] == 1


def test_metrics_without_rows_are_zero() -> None:
    values = metrics()
    assert values["throughline_oldest_waiting_seconds"] == 0
    assert values['throughline_clocks{state="overdue"}'] == 0


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("10.0.0.7", {}, 401),
        ("", {}, 401),
        ("127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}, 401),
        ("10.0.0.7", {"Authorization": "Bearer right-token"}, 200),
        ("10.0.0.7", {"Authorization": "Bearer wrong"}, 401),
        ("10.0.0.7", {"Authorization": "Basic right-token"}, 401),
        ("10.0.0.7", {"Authorization": "Bearer r\u00efght"}, 401),
    ],
)
def test_metrics_require_loopback_or_the_token(
    monkeypatch: pytest.MonkeyPatch, address: str, headers: dict[str, str], status: int
) -> None:
    monkeypatch.setattr(health_and_metrics, "METRICS_TOKEN", "right-token")
    answer = Client(REMOTE_ADDR=address).get("/metrics", headers=headers)
    assert answer.status_code == status


def test_empty_token_grants_no_access(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_and_metrics, "METRICS_TOKEN", "")
    client = Client(REMOTE_ADDR="10.0.0.7")
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 401
