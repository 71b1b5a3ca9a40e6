"""The inbox over the API: what stands, acts, acts in bulk, and asking twice."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from connectors.sdk.events import iso
from tests.web.api.conftest import HOUR, Installation, breach
from visibility.db.clock import database_now
from visibility.models import Alert, AlertEntry, AuditEntry, IdempotencyKey
from visibility.web.api import alerts
from visibility.web.permissions import Role


def post(client: Client, path: str, body: Any = None, key: str = "") -> Any:
    """The answer to a write."""
    headers = {"Idempotency-Key": key} if key else {}
    return client.post(f"/api/v1/{path}", body or {}, "application/json", headers=headers)


def test_filters_narrow_the_inbox(told: Installation, operations: Client) -> None:
    for asked, found in (
        ({"state": "open"}, {told.alert.pk, told.silent.pk}),
        ({"state": "resolved"}, set()),
        ({"severity": "medium"}, {told.silent.pk}),
        ({"rule": "stuck", "team": "Warehouse"}, {told.alert.pk}),
        ({"team": "nobody's"}, set()),
    ):
        answer = operations.get("/api/v1/alerts", asked)
        assert {one["id"] for one in answer.json()["items"]} == found, asked


def test_pages_hold_every_alert_once_at_the_same_cost(
    told: Installation, operations: Client
) -> None:
    due = database_now()
    for place in range(9):
        breach(told.order, told.rule, place + 2, due_at=due)
    operations.get("/api/v1/alerts")
    seen: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        with CaptureQueriesContext(connection) as queries:
            page = operations.get(f"/api/v1/alerts?page_size=2&cursor={cursor}").json()
        assert len(queries) == 4
        seen += [one["id"] for one in page["items"]]
        cursor = page["next"]
    assert len(seen) == len(set(seen)) == 11
    assert seen[-1] == told.silent.pk


def test_alerts_of_orders_do_not_exist_for_integrators(
    told: Installation, signed_in: Callable[[Role], Client]
) -> None:
    client = signed_in(Role.INTEGRATOR)
    items = client.get("/api/v1/alerts").json()["items"]
    assert [one["id"] for one in items] == [told.silent.pk]
    assert client.get(f"/api/v1/alerts/{told.alert.pk}").status_code == 404
    assert post(client, f"alerts/{told.alert.pk}/note", {"note": "x"}).status_code == 404
    assert not AlertEntry.objects.filter(what="noted").exists()


def test_each_act_is_done_written_down_and_told(
    told: Installation,
    operations: Client,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:
    rung: list[list[str]] = []
    monkeypatch.setattr(alerts, "announce", lambda _, kinds: rung.append(kinds))
    path, until = f"alerts/{told.alert.pk}", iso(database_now() + HOUR)
    steps = [
        ("acknowledge", {"note": "mine"}, "acknowledged"),
        ("note", {"note": "called Dallas"}, "acknowledged"),
        ("assign", {"to": None}, "acknowledged"),
        ("snooze", {"until": until}, "snoozed"),
        ("resolve", {"note": "left the dock"}, "resolved"),
    ]
    for what, body, state in steps:
        with django_capture_on_commit_callbacks(execute=True):
            answer = post(operations, f"{path}/{what}", body)
        assert (answer.status_code, answer.json()["state"]) == (200, state), what
    assert answer.json()["owner"] is None
    assert rung == [["alert"]] * 5
    entries = operations.get(f"/api/v1/{path}").json()["history"]
    assert [entry["what"] for entry in entries] == [
        "resolved",
        "snoozed",
        "assigned",
        "noted",
        "acknowledged",
    ]
    assert AuditEntry.objects.filter(what__startswith="alert.").count() == 5


def test_what_can_not_be_done_as_things_stand_is_409(
    told: Installation, operations: Client
) -> None:
    path = f"alerts/{told.alert.pk}"
    assert post(operations, f"{path}/acknowledge").status_code == 200
    answer = post(operations, f"{path}/acknowledge")
    assert answer.status_code == 409
    assert answer.json()["detail"] == "You have acknowledged it already."
    assert post(operations, "alerts/999999/acknowledge").status_code == 404


@pytest.mark.parametrize(
    ("what", "body", "path"),
    [
        ("acknowledge", {"state": "resolved"}, "state"),
        ("acknowledge", {"id": 5, "note": "x"}, "id"),
        ("acknowledge", {"note": 5}, "note"),
        ("acknowledge", {"note": "x" * 4001}, "note"),
        ("acknowledge", {"note": "a\u0000b"}, "note"),
        ("acknowledge", {"note": "\ud800"}, "note"),
        ("assign", {}, "to"),
        ("assign", {"to": "somebody"}, "to"),
        ("assign", {"to": True}, "to"),
        ("assign", {"to": 1.5}, "to"),
        ("assign", {"to": 2**70}, "to"),
        ("assign", {"to": 999_999}, "to"),
        ("snooze", {}, "until"),
        ("snooze", {"until": "2020-01-01T00:00:00Z"}, "until"),
        ("snooze", {"until": "2199-01-01T00:00:00Z"}, "until"),
        ("snooze", {"until": "2027-01-01T00:00:00"}, "until"),
        ("snooze", {"until": 1e15}, "until"),
        ("resolve", {}, "note"),
        ("resolve", {"note": "  "}, "note"),
        ("note", {"note": ""}, "note"),
        ("note", {"note": "x", "raised_at": "2026-01-01T00:00:00Z", "is_staff": True}, "raised_at"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_changes(
    told: Installation, operations: Client, what: str, body: dict[str, Any], path: str
) -> None:
    answer = post(operations, f"alerts/{told.alert.pk}/{what}", body)
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["errors"][0]["path"] == path
    assert Alert.objects.get(pk=told.alert.pk).state == "open"
    assert not AlertEntry.objects.exists()


def test_an_alert_goes_only_to_somebody_who_may_act_on_it(
    told: Installation, operations: Client, person: Callable[[Role], User]
) -> None:
    path = f"alerts/{told.alert.pk}/assign"
    assert post(operations, path, {"to": person(Role.CUSTOMER_SERVICE).pk}).status_code == 400
    admin = person(Role.ADMIN)
    assert post(operations, path, {"to": admin.pk}).json()["owner"]["id"] == admin.pk


def test_bulk_answers_for_each(told: Installation, operations: Client) -> None:
    second = breach(told.order, told.rule, 2, state="resolved")
    ids = [told.alert.pk, second.pk, 999_999, told.alert.pk]
    answer = post(operations, "alerts/bulk", {"ids": ids, "act": "acknowledge", "note": "all"})
    assert answer.status_code == 207
    assert answer.json()["results"] == [
        {"id": told.alert.pk, "status": 200, "state": "acknowledged"},
        {"id": second.pk, "status": 409, "detail": "It is already resolved."},
        {"id": 999_999, "status": 404, "detail": "This alert does not exist."},
    ]
    assert AlertEntry.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "ids"),
        ({"ids": [], "act": "acknowledge"}, "ids"),
        ({"ids": ["x"], "act": "acknowledge"}, "ids.0"),
        ({"ids": [0], "act": "acknowledge"}, "ids.0"),
        ({"ids": [2**70], "act": "acknowledge"}, "ids.0"),
        ({"ids": list(range(1, 202)), "act": "acknowledge"}, "ids"),
        ({"ids": [1], "act": "delete"}, "act"),
        ({"ids": [1], "act": "snooze"}, "until"),
        ({"ids": [1], "act": "assign"}, "to"),
        ({"ids": [1], "act": "resolve"}, "note"),
        ({"ids": [1], "act": "acknowledge", "to": "me"}, "to"),
        ({"ids": [1], "act": "acknowledge", "all": True}, "all"),
    ],
)
def test_a_wrong_bulk_is_refused_as_a_whole(
    told: Installation, operations: Client, body: dict[str, Any], path: str
) -> None:
    answer = post(operations, "alerts/bulk", body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["path"].startswith(path)


def test_bulk_asks_for_the_right_of_its_act(
    told: Installation, signed_in: Callable[[Role], Client]
) -> None:
    client = signed_in(Role.CUSTOMER_SERVICE)
    noted = post(client, "alerts/bulk", {"ids": [told.alert.pk], "act": "note", "note": "x"})
    assert noted.status_code == 200
    answer = post(client, "alerts/bulk", {"ids": [told.alert.pk], "act": "acknowledge"})
    assert answer.status_code == 403
    assert AuditEntry.objects.get(what="denied").detail["rights"] == ["alerts_act"]


def test_the_same_key_is_answered_again_and_not_done_again(
    told: Installation, operations: Client
) -> None:
    path = f"alerts/{told.alert.pk}/note"
    first = post(operations, path, {"note": "x"}, key="k-1")
    again = post(operations, path, {"note": "x"}, key="k-1")
    assert (again.status_code, again.content) == (200, first.content)
    assert again["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first
    assert AlertEntry.objects.count() == 1
    assert post(operations, path, {"note": "y"}, key="k-1").status_code == 422
    assert (
        post(operations, f"alerts/{told.alert.pk}/resolve", {"note": "x"}, key="k-1").status_code
        == 422
    )
    assert post(operations, path, {"note": "x"}, key="k-2").status_code == 200
    assert AlertEntry.objects.count() == 2


def test_a_refusal_is_answered_again_too(told: Installation, operations: Client) -> None:
    path = "alerts/999999/acknowledge"
    first = post(operations, path, key="k")
    assert first.status_code == 404
    assert post(operations, path, key="k").content == first.content


def test_keys_are_each_persons_own(
    told: Installation, operations: Client, signed_in: Callable[[Role], Client]
) -> None:
    path = f"alerts/{told.alert.pk}/note"
    assert post(operations, path, {"note": "x"}, key="k").status_code == 200
    other = post(signed_in(Role.ADMIN), path, {"note": "z"}, key="k")
    assert other.status_code == 200
    assert AlertEntry.objects.count() == 2


@pytest.mark.parametrize("key", [" ", "a b", "x" * 201, "é", "a\tb"])
def test_a_key_is_short_and_visible(told: Installation, operations: Client, key: str) -> None:
    answer = post(operations, f"alerts/{told.alert.pk}/note", {"note": "x"}, key=key)
    assert answer.status_code == 400
    assert not AlertEntry.objects.exists()


def test_a_failure_of_ours_is_not_kept(
    told: Installation, operations: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"alerts/{told.alert.pk}/note"

    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    with monkeypatch.context() as patch:
        patch.setattr(alerts, "write", broken)
        answer = post(operations, path, {"note": "x"}, key="k")
    assert answer.status_code == 500
    assert "secret" not in answer.content.decode()
    assert not AlertEntry.objects.exists()
    assert post(operations, path, {"note": "x"}, key="k").status_code == 200


def test_old_keys_go(told: Installation, operations: Client) -> None:
    path = f"alerts/{told.alert.pk}/note"
    post(operations, path, {"note": "x"}, key="old")
    IdempotencyKey.objects.update(created_at=database_now() - 200 * HOUR)
    post(operations, path, {"note": "x"}, key="new")
    assert [key.key for key in IdempotencyKey.objects.all()] == ["new"]


@pytest.fixture
def held(transactional_db: None) -> Iterator[Callable[[int, str], None]]:
    """A function that holds the lock of somebody's key, as a running request would."""
    done, ready = threading.Event(), threading.Event()
    threads: list[threading.Thread] = []

    def hold(user_id: int, key: str) -> None:
        def run() -> None:
            with connection.cursor() as cursor:
                cursor.execute("BEGIN")
                cursor.execute(
                    "SELECT pg_advisory_xact_lock(hashtextextended(%s, 4713))", [f"{user_id} {key}"]
                )
                ready.set()
                done.wait(20)
                cursor.execute("ROLLBACK")
            connections.close_all()

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        ready.wait(20)

    yield hold
    done.set()
    for thread in threads:
        thread.join()


def test_a_key_that_is_still_running_is_409(
    held: Callable[[int, str], None],
    person: Callable[[Role], User],
    signed_in: Callable[[Role], Client],
) -> None:
    client = signed_in(Role.OPERATIONS)
    held(person(Role.OPERATIONS).pk, "k")
    answer = post(client, "alerts/1/acknowledge", key="k")
    assert answer.status_code == 409
    assert "still running" in answer.json()["detail"]
