"""Who is who over the API: decided once, told as it stands, taken back."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.web.api.conftest import Installation, tell
from tests.web.api.test_alerts import post
from visibility.models import JoinAct, Order
from visibility.pipeline import stages
from visibility.web.permissions import Role

DAY = "2026-03-08T09:00:00Z"


@pytest.fixture
def second(told: Installation, monkeypatch: pytest.MonkeyPatch) -> int:
    """An order of which nobody says that it is the first one."""
    monkeypatch.setattr("visibility.web.api.identity.announce", lambda *_: None)
    given = {"order": {"number": "SO-2", "id": "72"}}
    tell(told.sources["erp"], "order.received", DAY, given, event_id="a")
    tell(told.sources["erp"], "order.released", DAY, {"order": {"id": "72"}}, event_id="b")
    stages.advance()
    return int(Order.objects.get(number="SO-2").pk)


def test_a_join_asked_for_twice_with_one_key_is_made_once(
    told: Installation, operations: Client, second: int
) -> None:
    path = f"orders/{told.order.pk}/join"
    answers = [post(operations, path, {"other": second, "note": "same"}, "k1") for _ in range(2)]
    assert [a.status_code for a in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert JoinAct.objects.get().why == "same"
    assert answers[0].json()["objects"] == [min(told.order.pk, second)]
    assert post(operations, path, {"other": second}, "k1").status_code == 422
    assert Order.objects.count() == 1
    again = operations.get(f"/api/v1/orders/{max(told.order.pk, second)}").json()
    assert again["id"] == min(told.order.pk, second)


def test_a_join_is_undone_and_both_answer_again(
    told: Installation, operations: Client, second: int
) -> None:
    made = post(operations, f"orders/{told.order.pk}/join", {"other": second}).json()
    assert post(operations, f"joins/{made['id']}/undo").status_code == 200
    for order in (told.order.pk, second):
        assert operations.get(f"/api/v1/orders/{order}").json()["id"] == order
    assert post(operations, f"joins/{made['id']}/undo").status_code == 409
    listed = operations.get("/api/v1/joins").json()["items"]
    assert [(one["verdict"], one["undone_by"]["name"]) for one in listed] == [
        ("join", "operations_person")
    ]


def test_a_split_names_numbers_and_what_cant_be_split_is_409(
    told: Installation, operations: Client, second: int
) -> None:
    path = f"orders/{second}/split"
    number = {"scheme": "source_id", "issuer": "erp", "value": "72"}
    assert post(operations, path, {"numbers": [number]}).status_code == 200
    assert Order.objects.count() == 3
    refused = post(operations, path, {"numbers": [number]})
    assert (refused.status_code, refused.json()["detail"]) == (
        409,
        "These are not all numbers of this order.",
    )


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("orders/{id}/join", {}, 400),
        ("orders/{id}/join", {"other": "x"}, 400),
        ("orders/{id}/join", {"other": 5, "made_by": 1}, 400),
        ("orders/{id}/join", {"other": 999_999}, 409),
        ("orders/999999/join", {"other": 1}, 404),
        ("orders/{id}/split", {"numbers": []}, 400),
        ("orders/{id}/split", {"numbers": [{"scheme": "x"}]}, 400),
        ("orders/{id}/split", {"numbers": ["SO-1"]}, 400),
        ("joins/999999/undo", {}, 404),
        ("joins/999999/undo", {"who": 1}, 400),
    ],
)
def test_what_is_wrong_is_said_and_nothing_changes(
    told: Installation, operations: Client, path: str, body: Any, status: int
) -> None:
    answer = post(operations, path.format(id=told.order.pk), body)
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    assert not JoinAct.objects.exists()


def test_a_parcel_of_nobody_is_listed_with_its_number(
    told: Installation, signed_in: Callable[[Role], Client]
) -> None:
    tell(told.sources["carrier"], "shipment.delivered", DAY, {"tracking": "1Z9"}, event_id="d")
    stages.advance()
    client = signed_in(Role.CUSTOMER_SERVICE)
    (one,) = client.get("/api/v1/joins/orphans").json()["items"]
    assert (one["kind"], one["numbers"], one["probable_order"]) == (
        "package",
        ["tracking number 1Z9"],
        None,
    )
    assert post(client, f"orders/{told.order.pk}/join", {"other": one["id"]}).status_code == 403
