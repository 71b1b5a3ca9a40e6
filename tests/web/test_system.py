"""What machines ask: alive, ready, in numbers."""

from datetime import timedelta

import pytest
from django.db import DatabaseError
from django.test import Client

from tests.web.alert_cast import alert, order, rule, source
from tests.web.source_cast import message
from visibility.db.change_feed import change
from visibility.db.clock import database_now
from visibility.models import ClockState, Refusal, SlaClock
from visibility.web.pages import health

pytestmark = pytest.mark.django_db


def figures() -> dict[str, float]:
    answer = Client().get("/metrics")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain")
    rows = [row for row in answer.content.decode().splitlines() if not row.startswith("#")]
    return {name: float(value) for name, value in (row.rsplit(" ", 1) for row in rows)}


def test_a_process_that_answers_is_alive() -> None:
    answer = Client().get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_a_migrated_database_that_can_be_written_is_ready() -> None:
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


def test_a_database_that_does_not_answer_is_unready_and_says_when_to_come_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def gone() -> str:
        raise DatabaseError("no connection")

    monkeypatch.setattr(health, "_problem", gone)
    answer = Client().get("/readyz")
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert "no connection" not in answer.content.decode()


def test_migrations_not_yet_applied_make_it_unready(monkeypatch: pytest.MonkeyPatch) -> None:
    class Pending:
        def __init__(self, *_: object) -> None:
            self.loader = self
            self.graph = self

        def leaf_nodes(self) -> list[str]:
            return ["x"]

        def migration_plan(self, _: object) -> list[str]:
            return ["x"]

    monkeypatch.setattr(health, "MigrationExecutor", Pending)
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["problem"]) == (503, "migrations are not applied")


def test_the_figures_are_those_of_the_rows() -> None:
    now = database_now()
    feed = source()
    message(feed, repeats=2)
    message(feed, state="parked", reason="schema")
    message(feed, state="waiting", received_at=now - timedelta(seconds=90))
    Refusal.objects.create(slug="wms", status=401, hour=now, count=7, last_at=now)
    alert(broken=True)
    SlaClock.objects.create(
        rule=rule(),
        order=order("SO-2").object,
        obligation="next",
        started_at=now,
        due_at=now + timedelta(hours=1),
        state=ClockState.RUNNING,
    )
    head = change({"order": [1]})
    found = figures()
    for fate, count in {
        "accepted": 5,
        "applied": 1,
        "duplicate": 2,
        "parked": 1,
        "waiting": 1,
    }.items():
        assert found[f'throughline_messages_{fate}{{source="wms"}}'] == count
    assert 90 <= found["throughline_oldest_waiting_seconds"] < 100
    assert found['throughline_requests_refused_total{status="401"}'] == 7
    assert found['throughline_clocks{state="breached"}'] == 1
    assert found['throughline_clocks{state="running"}'] == 1
    assert found['throughline_notifications{state="pending"}'] == 0
    assert found["throughline_change_number"] == head


def test_without_rows_every_figure_is_there_and_zero() -> None:
    found = figures()
    assert found["throughline_oldest_waiting_seconds"] == 0
    assert found['throughline_clocks{state="overdue"}'] == 0


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
def test_figures_are_for_this_machine_or_the_token(
    monkeypatch: pytest.MonkeyPatch, address: str, headers: dict[str, str], status: int
) -> None:
    monkeypatch.setattr(health, "METRICS_TOKEN", "right-token")
    answer = Client(REMOTE_ADDR=address).get("/metrics", headers=headers)
    assert answer.status_code == status


def test_without_a_token_set_an_empty_one_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "METRICS_TOKEN", "")
    client = Client(REMOTE_ADDR="10.0.0.7")
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 401
