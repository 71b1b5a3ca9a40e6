"""API tests of query parameters: filters, and rejection on every method."""

from collections.abc import Callable

from django.test import Client

from tests.db.web.api.conftest import Installation
from visibility.models import BusinessObject, Order
from visibility.web.permissions import UserRole


def test_orders_are_filtered_by_one_of_their_states(
    installation: Installation, operations: Client
) -> None:
    for number, states in (("N-1", ["conflict", "returned"]), ("N-2", ["conflict"])):
        row = BusinessObject.objects.create(kind="order")
        Order.objects.create(object=row, key=number, number=number, states=states)
    orders = operations.get("/api/v1/orders?state=returned").json()["items"]
    assert [order["number"] for order in orders] == ["N-1"]


def test_writes_reject_query_parameters(
    installation: Installation, signed_in: Callable[[UserRole], Client]
) -> None:
    admin = signed_in(UserRole.ADMIN)
    for path in (f"alerts/{installation.alert.pk}/note?note=x", "master/item?q=x"):
        answer = admin.post(f"/api/v1/{path}", {"note": "x"}, "application/json")
        assert answer.status_code == 400
        assert answer.json()["detail"].endswith("unknown parameter; the parameters are: none")


def test_other_methods_are_405_whatever_their_parameters(
    installation: Installation, operations: Client
) -> None:
    for method in ("put", "options"):
        assert getattr(operations, method)("/api/v1/orders?x=1").status_code == 405
