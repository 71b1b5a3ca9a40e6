"""API tests of matching decisions: join, split, undo and unmatched records."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.db.web.api.conftest import Installation, receive_event
from tests.db.web.api.test_alerts import post
from visibility.models import IdentityDecision, Order
from visibility.pipeline import job_functions
from visibility.web.permissions import UserRole

DAY = "2026-03-08T09:00:00Z"


@pytest.fixture
def second_order(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> int:
    """A second, unrelated order."""
    monkeypatch.setattr("visibility.web.api.matching.broadcast_change_number", lambda *_: None)
    data = {"order": {"number": "SO-2", "id": "72"}}
    receive_event(installation.sources["erp"], "order.received", DAY, data, event_id="a")
    receive_event(
        installation.sources["erp"], "order.released", DAY, {"order": {"id": "72"}}, event_id="b"
    )
    job_functions.process_messages_and_refold()
    return int(Order.objects.get(number="SO-2").pk)


def test_join_repeated_with_the_same_key_is_applied_once(
    installation: Installation, operations: Client, second_order: int
) -> None:
    path = f"orders/{installation.order.pk}/join"
    answers = [
        post(operations, path, {"other": second_order, "note": "same"}, "k1") for _ in range(2)
    ]
    assert [a.status_code for a in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert IdentityDecision.objects.get().reason == "same"
    assert answers[0].json()["objects"] == [min(installation.order.pk, second_order)]
    assert post(operations, path, {"other": second_order}, "k1").status_code == 422
    assert Order.objects.count() == 1
    merged = operations.get(f"/api/v1/orders/{max(installation.order.pk, second_order)}").json()
    assert merged["id"] == min(installation.order.pk, second_order)


def test_undone_join_restores_both_orders(
    installation: Installation, operations: Client, second_order: int
) -> None:
    decision = post(
        operations, f"orders/{installation.order.pk}/join", {"other": second_order}
    ).json()
    assert post(operations, f"matching/decisions/{decision['id']}/undo").status_code == 200
    for order in (installation.order.pk, second_order):
        assert operations.get(f"/api/v1/orders/{order}").json()["id"] == order
    assert post(operations, f"matching/decisions/{decision['id']}/undo").status_code == 409
    decisions = operations.get("/api/v1/matching/decisions").json()["items"]
    assert [(item["kind"], item["undone_by"]["name"]) for item in decisions] == [
        ("join", "operations_person")
    ]


def test_split_moves_identifiers_and_impossible_split_is_409(
    installation: Installation, operations: Client, second_order: int
) -> None:
    path = f"orders/{second_order}/split"
    number = {"scheme": "source_id", "issuer": "erp", "value": "72"}
    assert post(operations, path, {"identifiers": [number]}).status_code == 200
    assert Order.objects.count() == 3
    rejected = post(operations, path, {"identifiers": [number]})
    assert (rejected.status_code, rejected.json()["detail"]) == (
        409,
        "Some of these numbers do not belong to this order.",
    )


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("orders/{id}/join", {}, 400),
        ("orders/{id}/join", {"other": "x"}, 400),
        ("orders/{id}/join", {"other": 5, "made_by": 1}, 400),
        ("orders/{id}/join", {"other": 999_999}, 409),
        ("orders/999999/join", {"other": 1}, 404),
        ("orders/{id}/split", {"identifiers": []}, 400),
        ("orders/{id}/split", {"identifiers": [{"scheme": "x"}]}, 400),
        ("orders/{id}/split", {"identifiers": ["SO-1"]}, 400),
        ("matching/decisions/999999/undo", {}, 404),
        ("matching/decisions/999999/undo", {"who": 1}, 400),
    ],
)
def test_invalid_decision_is_rejected_without_changes(
    installation: Installation, operations: Client, path: str, body: Any, status: int
) -> None:
    answer = post(operations, path.format(id=installation.order.pk), body)
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    assert not IdentityDecision.objects.exists()


def test_unmatched_package_is_listed_with_its_identifier(
    installation: Installation, signed_in: Callable[[UserRole], Client]
) -> None:
    receive_event(
        installation.sources["carrier"],
        "shipment.delivered",
        DAY,
        {"tracking": "1Z9"},
        event_id="d",
    )
    job_functions.process_messages_and_refold()
    client = signed_in(UserRole.CUSTOMER_SERVICE)
    (item,) = client.get("/api/v1/matching/unmatched").json()["items"]
    assert (item["kind"], item["identifiers"], item["likely_order"]) == (
        "package",
        ["tracking number 1Z9"],
        None,
    )
    assert (
        post(client, f"orders/{installation.order.pk}/join", {"other": item["id"]}).status_code
        == 403
    )
