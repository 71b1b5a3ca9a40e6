"""API tests of alerts: inbox, actions, bulk actions and idempotency keys."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from connectors.sdk.event_codec import format_rfc3339
from tests.db.web.api.conftest import HOUR, Installation, create_alert
from visibility.db.database_time import database_now
from visibility.db.lock_keys import LockKey
from visibility.models import Alert, AlertEntry, AuditEntry, IdempotencyKey
from visibility.models.teams import find_or_create_team
from visibility.web.api import alert_actions
from visibility.web.permissions import UserRole


def post(client: Client, path: str, body: Any = None, key: str = "") -> Any:
    """Send a POST request, optionally with an Idempotency-Key."""
    headers = {"Idempotency-Key": key} if key else {}
    return client.post(f"/api/v1/{path}", body or {}, "application/json", headers=headers)


def test_filters_apply_to_the_inbox(installation: Installation, operations: Client) -> None:
    Alert.objects.filter(pk=installation.silent.pk).update(
        subject_kind="source", owner_team=find_or_create_team("Dock crew")
    )
    for params, expected_ids in (
        ({"state": "open"}, {installation.alert.pk, installation.silent.pk}),
        ({"state": "resolved"}, set()),
        ({"severity": "medium"}, {installation.silent.pk}),
        ({"rule": "stuck", "team": "Warehouse"}, {installation.alert.pk}),
        ({"team": "nobody's"}, set()),
        ({"team": "dock-crew"}, {installation.silent.pk}),
        ({"subject_kind": "source"}, {installation.silent.pk}),
        ({"subject_kind": "kpi"}, set()),
    ):
        answer = operations.get("/api/v1/alerts", params)
        assert {item["id"] for item in answer.json()["items"]} == expected_ids, params


def test_pages_contain_each_alert_once_with_constant_query_count(
    installation: Installation, operations: Client
) -> None:
    due = database_now()
    for number in range(9):
        create_alert(installation.order, installation.rule, number + 2, due_at=due)
    operations.get("/api/v1/alerts")
    ids: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        with CaptureQueriesContext(connection) as queries:
            page = operations.get(f"/api/v1/alerts?page_size=2&cursor={cursor}").json()
        assert len(queries) == 4
        ids += [item["id"] for item in page["items"]]
        cursor = page["next"]
    assert len(ids) == len(set(ids)) == 11
    assert ids[-1] == installation.silent.pk


def test_order_alerts_are_hidden_from_integrators(
    installation: Installation, signed_in: Callable[[UserRole], Client]
) -> None:
    client = signed_in(UserRole.INTEGRATOR)
    items = client.get("/api/v1/alerts").json()["items"]
    assert [item["id"] for item in items] == [installation.silent.pk]
    assert client.get(f"/api/v1/alerts/{installation.alert.pk}").status_code == 404
    assert post(client, f"alerts/{installation.alert.pk}/note", {"note": "x"}).status_code == 404
    assert not AlertEntry.objects.filter(action="noted").exists()


def test_each_action_is_applied_recorded_and_broadcast(
    installation: Installation,
    operations: Client,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:
    published: list[list[str]] = []
    monkeypatch.setattr(
        alert_actions, "broadcast_change_number", lambda _, kinds: published.append(kinds)
    )
    path, until = f"alerts/{installation.alert.pk}", format_rfc3339(database_now() + HOUR)
    steps = [
        ("acknowledge", {"note": "mine"}, "acknowledged"),
        ("note", {"note": "called Dallas"}, "acknowledged"),
        ("assign", {"to": None}, "acknowledged"),
        ("snooze", {"until": until}, "snoozed"),
        ("resolve", {"note": "left the dock"}, "resolved"),
    ]
    for action, body, state in steps:
        with django_capture_on_commit_callbacks(execute=True):
            answer = post(operations, f"{path}/{action}", body)
        assert (answer.status_code, answer.json()["state"]) == (200, state), action
    assert answer.json()["owner"] is None
    assert published == [["alert"]] * 5
    entries = operations.get(f"/api/v1/{path}").json()["history"]
    assert [entry["action"] for entry in entries] == [
        "resolved",
        "snoozed",
        "assigned",
        "noted",
        "acknowledged",
    ]
    assert AuditEntry.objects.filter(action__startswith="alert.").count() == 5


def test_action_not_allowed_in_this_state_is_409(
    installation: Installation, operations: Client
) -> None:
    path = f"alerts/{installation.alert.pk}"
    assert post(operations, f"{path}/acknowledge").status_code == 200
    answer = post(operations, f"{path}/acknowledge")
    assert answer.status_code == 409
    assert answer.json()["detail"] == "You have already acknowledged this alert."
    assert post(operations, "alerts/999999/acknowledge").status_code == 404


@pytest.mark.parametrize(
    ("action", "body", "path"),
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
def test_invalid_field_is_reported_without_changes(
    installation: Installation, operations: Client, action: str, body: dict[str, Any], path: str
) -> None:
    answer = post(operations, f"alerts/{installation.alert.pk}/{action}", body)
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["errors"][0]["path"] == path
    assert Alert.objects.get(pk=installation.alert.pk).state == "open"
    assert not AlertEntry.objects.exists()


def test_alert_can_only_be_assigned_to_users_with_permission(
    installation: Installation, operations: Client, person: Callable[[UserRole], User]
) -> None:
    path = f"alerts/{installation.alert.pk}/assign"
    assert post(operations, path, {"to": person(UserRole.CUSTOMER_SERVICE).pk}).status_code == 400
    admin = person(UserRole.ADMIN)
    assert post(operations, path, {"to": admin.pk}).json()["owner"]["id"] == admin.pk


def test_bulk_action_returns_a_result_per_alert(
    installation: Installation, operations: Client
) -> None:
    second = create_alert(installation.order, installation.rule, 2, state="resolved")
    ids = [installation.alert.pk, second.pk, 999_999, installation.alert.pk]
    answer = post(operations, "alerts/bulk", {"ids": ids, "action": "acknowledge", "note": "all"})
    assert answer.status_code == 207
    assert answer.json()["results"] == [
        {"id": installation.alert.pk, "status": 200, "state": "acknowledged"},
        {"id": second.pk, "status": 409, "detail": "This alert is already resolved."},
        {"id": 999_999, "status": 404, "detail": "This alert does not exist."},
    ]
    assert AlertEntry.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "ids"),
        ({"ids": [], "action": "acknowledge"}, "ids"),
        ({"ids": ["x"], "action": "acknowledge"}, "ids.0"),
        ({"ids": [0], "action": "acknowledge"}, "ids.0"),
        ({"ids": [2**70], "action": "acknowledge"}, "ids.0"),
        ({"ids": list(range(1, 202)), "action": "acknowledge"}, "ids"),
        ({"ids": [1], "action": "delete"}, "action"),
        ({"ids": [1], "action": "snooze"}, "until"),
        ({"ids": [1], "action": "assign"}, "to"),
        ({"ids": [1], "action": "resolve"}, "note"),
        ({"ids": [1], "action": "acknowledge", "to": "me"}, "to"),
        ({"ids": [1], "action": "acknowledge", "all": True}, "all"),
    ],
)
def test_invalid_bulk_request_is_rejected_completely(
    installation: Installation, operations: Client, body: dict[str, Any], path: str
) -> None:
    answer = post(operations, "alerts/bulk", body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["path"].startswith(path)


def test_bulk_requires_the_permission_of_its_action(
    installation: Installation, signed_in: Callable[[UserRole], Client]
) -> None:
    client = signed_in(UserRole.CUSTOMER_SERVICE)
    noted = post(
        client, "alerts/bulk", {"ids": [installation.alert.pk], "action": "note", "note": "x"}
    )
    assert noted.status_code == 200
    answer = post(client, "alerts/bulk", {"ids": [installation.alert.pk], "action": "acknowledge"})
    assert answer.status_code == 403
    assert AuditEntry.objects.get(action="denied").detail["permissions"] == ["alerts_manage"]


def test_same_key_replays_the_response_without_repeating_the_action(
    installation: Installation, operations: Client
) -> None:
    path = f"alerts/{installation.alert.pk}/note"
    first = post(operations, path, {"note": "x"}, key="k-1")
    repeated = post(operations, path, {"note": "x"}, key="k-1")
    assert (repeated.status_code, repeated.content) == (200, first.content)
    assert repeated["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first
    assert AlertEntry.objects.count() == 1
    assert post(operations, path, {"note": "y"}, key="k-1").status_code == 422
    assert (
        post(
            operations, f"alerts/{installation.alert.pk}/resolve", {"note": "x"}, key="k-1"
        ).status_code
        == 422
    )
    assert post(operations, path, {"note": "x"}, key="k-2").status_code == 200
    assert AlertEntry.objects.count() == 2


def test_client_errors_are_replayed_too(installation: Installation, operations: Client) -> None:
    path = "alerts/999999/acknowledge"
    first = post(operations, path, key="k")
    assert first.status_code == 404
    assert post(operations, path, key="k").content == first.content


def test_keys_belong_to_one_user(
    installation: Installation, operations: Client, signed_in: Callable[[UserRole], Client]
) -> None:
    path = f"alerts/{installation.alert.pk}/note"
    assert post(operations, path, {"note": "x"}, key="k").status_code == 200
    other = post(signed_in(UserRole.ADMIN), path, {"note": "z"}, key="k")
    assert other.status_code == 200
    assert AlertEntry.objects.count() == 2


@pytest.mark.parametrize("key", [" ", "a b", "x" * 201, "é", "a\tb"])
def test_invalid_keys_are_rejected(
    installation: Installation, operations: Client, key: str
) -> None:
    answer = post(operations, f"alerts/{installation.alert.pk}/note", {"note": "x"}, key=key)
    assert answer.status_code == 400
    assert not AlertEntry.objects.exists()


def test_server_errors_are_not_stored_for_replay(
    installation: Installation, operations: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"alerts/{installation.alert.pk}/note"

    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    with monkeypatch.context() as patch:
        patch.setattr(alert_actions, "serialize", broken)
        answer = post(operations, path, {"note": "x"}, key="k")
    assert answer.status_code == 500
    assert "secret" not in answer.content.decode()
    assert not AlertEntry.objects.exists()
    assert post(operations, path, {"note": "x"}, key="k").status_code == 200


def test_old_keys_are_deleted(installation: Installation, operations: Client) -> None:
    path = f"alerts/{installation.alert.pk}/note"
    post(operations, path, {"note": "x"}, key="old")
    IdempotencyKey.objects.update(created_at=database_now() - 200 * HOUR)
    post(operations, path, {"note": "x"}, key="new")
    assert [key.key for key in IdempotencyKey.objects.all()] == ["new"]


@pytest.fixture
def hold_key_lock(transactional_db: None) -> Iterator[Callable[[int, str], None]]:
    """A function that locks a user's key, as a running request does."""
    released, ready = threading.Event(), threading.Event()
    threads: list[threading.Thread] = []

    def hold(user_id: int, key: str) -> None:
        def run() -> None:
            with connection.cursor() as cursor:
                cursor.execute("BEGIN")
                cursor.execute(
                    "SELECT pg_advisory_xact_lock(hashtextextended(%s, %s))",
                    [f"{user_id} {key}", LockKey.IDEMPOTENCY_KEY],
                )
                ready.set()
                released.wait(20)
                cursor.execute("ROLLBACK")
            connections.close_all()

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        ready.wait(20)

    yield hold
    released.set()
    for thread in threads:
        thread.join()


def test_key_of_a_running_request_is_409(
    hold_key_lock: Callable[[int, str], None],
    person: Callable[[UserRole], User],
    signed_in: Callable[[UserRole], Client],
) -> None:
    client = signed_in(UserRole.OPERATIONS)
    hold_key_lock(person(UserRole.OPERATIONS).pk, "k")
    answer = post(client, "alerts/1/acknowledge", key="k")
    assert answer.status_code == 409
    assert "still running" in answer.json()["detail"]
