"""Orders over the API: found by any number, told in full, traced to their messages."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.web.api.conftest import Installation, breach, tell
from visibility.db.clock import database_now
from visibility.models import BusinessObject, Order, OrderLine
from visibility.pipeline import stages
from visibility.web.api import order_queries
from visibility.web.permissions import Role


def get(client: Client, path: str, **asked: Any) -> Any:
    """The content of an answer that must be 200."""
    answer = client.get(f"/api/v1/{path}", asked)
    assert answer.status_code == 200, answer.content
    return answer.json()


def more_orders(count: int) -> None:
    """Rows like the one there is, each later than the one before."""
    first = Order.objects.get()
    for place in range(count):
        thing = BusinessObject.objects.create(kind="order")
        Order.objects.create(
            object=thing,
            key=f"sales_order:erp:MORE-{place}",
            number=f"MORE-{place}",
            status="released" if place % 2 else "held",
            last_event_at=first.last_event_at if place < 3 else None,
        )


@pytest.mark.parametrize(
    "number",
    ["SO-104711", "so-104711", "PO 4711", "1Z A0000000000000A1", "INV-9001", "9001"],
)
def test_any_number_leads_up_to_the_order(
    told: Installation, operations: Client, number: str
) -> None:
    found = get(operations, "orders", q=number)["items"]
    assert [one["number"] for one in found] == ["SO-104711"]


def test_a_number_nobody_knows_finds_nothing(told: Installation, operations: Client) -> None:
    assert get(operations, "orders", q="SO-1") == {"items": [], "next": None}


def test_filters_narrow_and_blank_ones_do_not(told: Installation, operations: Client) -> None:
    for asked, count in (
        ({"channel": "b2b", "warehouse": "Dallas", "customer": "C1", "status": ""}, 1),
        ({"channel": "shop"}, 0),
        ({"status": told.order.status}, 1),
        ({"since": "2026-03-06T18:00:00Z"}, 1),
        ({"since": "2026-03-06T20:00:01+02:00"}, 0),
    ):
        assert len(get(operations, "orders", **asked)["items"]) == count, asked


def test_a_number_that_a_thousand_things_share_is_refused(
    told: Installation, operations: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_queries, "COMMON", 0)
    answer = operations.get("/api/v1/orders?q=SO-104711")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["path"] == "q"


@pytest.mark.parametrize("size", [1, 2, 3])
def test_pages_hold_every_order_once(told: Installation, operations: Client, size: int) -> None:
    more_orders(7)
    seen: list[int] = []
    cursor = ""
    while True:
        page = get(operations, "orders", page_size=size, cursor=cursor)
        assert len(page["items"]) <= size
        seen += [one["id"] for one in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 8
    assert seen == [one["id"] for one in get(operations, "orders")["items"]]


def test_a_list_costs_the_same_however_long_it_is(told: Installation, operations: Client) -> None:
    get(operations, "orders")
    more_orders(60)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        get(operations, "orders", q="SO-104711")
    # session, person, roles, the number, the page
    assert len(queries) == 5
    with CaptureQueriesContext(connection) as queries:
        assert len(get(operations, "orders", page_size=60)["items"]) == 60
    assert len(queries) == 4


def test_an_order_is_told_with_exact_quantities_and_money(
    told: Installation, operations: Client
) -> None:
    with CaptureQueriesContext(connection) as queries:
        order = get(operations, f"orders/{told.order.object_id}")
    assert len(queries) <= 16
    assert order["total"] == {"amount": "201.5", "currency": "USD"}
    first, second = order["lines"]["items"]
    assert second["price"] == {"amount": "40", "currency": "USD"}
    assert second["quantities"]["ordered"] == "3.5"
    assert first["quantities"]["shipped"] == "5"
    assert {claim["source"] for claim in order["claims"]} == {"erp", "wms", "carrier", "finance"}
    assert order["shipments"][0]["tracking"] == ["1ZA0000000000000A1"]
    assert {"sales_order", "customer_po", "tracking", "invoice"} <= {
        one["scheme"] for one in order["identifiers"]
    }
    assert order["milestones"][0]["code"] == "received"
    assert order["ordered_at"] == "2026-03-02T15:00:00.000000Z"
    assert order["answer"].endswith(".")


def test_lines_come_in_pages(told: Installation, operations: Client) -> None:
    OrderLine.objects.bulk_create(
        OrderLine(order=told.order, key=f"x{n}", position=n) for n in range(3, 12)
    )
    path = f"orders/{told.order.object_id}"
    page = get(operations, path, page_size=4)["lines"]
    seen = [line["position"] for line in page["items"]]
    while page["next"]:
        page = get(operations, path, page_size=4, cursor=page["next"])["lines"]
        seen += [line["position"] for line in page["items"]]
    assert seen == list(range(1, 12))


@pytest.mark.parametrize(
    ("role", "prices", "contacts"),
    [
        (Role.CUSTOMER_SERVICE, True, True),
        (Role.EXECUTIVE, True, False),
        (Role.OPERATIONS, True, True),
        (Role.INTEGRATOR, False, False),
        (Role.ADMIN, True, True),
    ],
)
def test_prices_and_contacts_are_absent_without_the_right(
    told: Installation,
    signed_in: Callable[[Role], Client],
    role: Role,
    prices: bool,
    contacts: bool,
) -> None:
    client, order_id = signed_in(role), told.order.object_id
    text = "".join(
        client.get(f"/api/v1/{path}").content.decode()
        for path in (
            "orders?q=SO-104711",
            f"orders/{order_id}",
            f"orders/{order_id}/timeline",
            f"orders/{order_id}/lineage",
            "alerts",
        )
    )
    for word in ('"price"', '"total"', '"201.5"', '"12.3"', '"money_at_risk"'):
        assert (word in text) is ((prices and word != '"money_at_risk"') or prices), word
    for word in ("Quist", "Nora", '"customer_name"'):
        assert (word in text) is contacts, word


def test_the_timeline_can_be_asked_as_known_at(told: Installation, operations: Client) -> None:
    path = f"orders/{told.order.object_id}/timeline"
    before = database_now()
    tell(
        told.sources["erp"],
        "order.held",
        "2026-03-02T17:00:00Z",
        {"order": "SO-104711"},
        event_id="late",
    )
    stages.advance()
    then = get(operations, path, as_known_at=before.isoformat().replace("+00:00", "Z"))
    now = get(operations, path)
    assert len(now["entries"]["items"]) == len(then["entries"]["items"]) + 1
    assert "order.held" in {entry["type"] for entry in now["entries"]["items"]}
    assert "order.held" not in {entry["type"] for entry in then["entries"]["items"]}
    assert get(operations, path, as_known_at="2026-01-01T00:00:00Z")["entries"]["items"] == []


def test_later_pages_of_a_timeline_show_what_the_first_one_saw(
    told: Installation, operations: Client
) -> None:
    path = f"orders/{told.order.object_id}/timeline"
    whole = get(operations, path)["entries"]["items"]
    page = get(operations, path, page_size=2)
    seen = page["entries"]["items"]
    tell(
        told.sources["erp"],
        "order.held",
        "2026-03-02T15:30:00Z",
        {"order": "SO-104711"},
        event_id="late",
    )
    stages.advance()
    while page["entries"]["next"]:
        page = get(operations, path, page_size=2, cursor=page["entries"]["next"])
        seen += page["entries"]["items"]
    assert seen == whole


def test_a_time_that_has_not_come_can_not_be_looked_back_from(
    told: Installation, operations: Client
) -> None:
    path = f"/api/v1/orders/{told.order.object_id}/timeline"
    assert operations.get(path, {"as_known_at": "2190-01-01T00:00:00Z"}).status_code == 400


def test_the_lineage_names_event_message_and_alert(told: Installation, operations: Client) -> None:
    breach(told.order, told.rule, 2)
    path = f"orders/{told.order.object_id}/lineage"
    with CaptureQueriesContext(connection) as queries:
        whole = get(operations, path)
    assert len(queries) == 10
    assert len(whole["alerts"]) == 2
    assert {one["message"]["state"] for one in whole["events"]["items"]} == {"applied"}
    page = get(operations, path, page_size=2)["events"]
    seen = page["items"]
    while page["next"]:
        page = get(operations, path, page_size=2, cursor=page["next"])["events"]
        seen += page["items"]
    assert seen == whole["events"]["items"]
    assert seen[0]["type"] == "invoice.issued"


def test_integrators_find_orders_by_number_only_and_see_no_alerts_of_orders(
    told: Installation, signed_in: Callable[[Role], Client]
) -> None:
    client = signed_in(Role.INTEGRATOR)
    assert client.get("/api/v1/orders").status_code == 403
    assert get(client, f"orders/{told.order.object_id}/lineage")["alerts"] == []


def test_a_merged_order_answers_as_the_one_it_became(
    told: Installation, operations: Client
) -> None:
    gone = BusinessObject.objects.create(kind="order", merged_into_id=told.order.object_id)
    assert get(operations, f"orders/{gone.pk}")["id"] == told.order.object_id


@pytest.mark.parametrize("number", ["1", "0", str(2**63), "9" * 40, "9" * 5000, "-1", "x", "1/x"])
@pytest.mark.parametrize("path", ["orders/{}", "orders/{}/timeline", "orders/{}/lineage"])
def test_what_does_not_exist_is_404_alike(
    db: None, operations: Client, number: str, path: str
) -> None:
    answer = operations.get(f"/api/v1/{path.format(number)}")
    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"] == "There is nothing here."
