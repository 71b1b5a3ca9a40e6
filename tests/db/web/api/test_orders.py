"""API tests of orders: search, detail, timeline and lineage."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.db.web.api.conftest import Installation, create_alert, receive_event
from visibility.db.database_time import database_now
from visibility.models import BusinessObject, Order, OrderLine
from visibility.pipeline import job_functions
from visibility.web.api import find_orders_and_identifiers
from visibility.web.permissions import UserRole


def get(client: Client, path: str, **asked: Any) -> Any:
    """Send a GET request that must succeed; return the JSON content."""
    answer = client.get(f"/api/v1/{path}", asked)
    assert answer.status_code == 200, answer.content
    return answer.json()


def more_orders(count: int) -> None:
    """Create `count` more orders; some have no events."""
    first = Order.objects.get()
    for index in range(count):
        obj = BusinessObject.objects.create(kind="order")
        Order.objects.create(
            object=obj,
            key=f"sales_order:erp:MORE-{index}",
            number=f"MORE-{index}",
            status="released" if index % 2 else "on_hold",
            last_event_at=first.last_event_at if index < 3 else None,
        )


@pytest.mark.parametrize(
    "number",
    ["SO-104711", "so-104711", "PO 4711", "1Z A0000000000000A1", "INV-9001", "9001"],
)
def test_order_is_found_by_any_of_its_numbers(
    installation: Installation, operations: Client, number: str
) -> None:
    orders = get(operations, "orders", q=number)["items"]
    assert [item["number"] for item in orders] == ["SO-104711"]


def test_unknown_number_finds_nothing(installation: Installation, operations: Client) -> None:
    assert get(operations, "orders", q="SO-1") == {"items": [], "next": None}


def test_filters_apply_and_blank_filters_are_ignored(
    installation: Installation, operations: Client
) -> None:
    for params, count in (
        ({"channel": "b2b", "warehouse": "Dallas", "customer": "C1", "status": ""}, 1),
        ({"channel": "shop"}, 0),
        ({"status": installation.order.status}, 1),
        ({"since": "2026-03-06T18:00:00Z"}, 1),
        ({"since": "2026-03-06T20:00:01+02:00"}, 0),
    ):
        assert len(get(operations, "orders", **params)["items"]) == count, params


def test_number_shared_by_too_many_records_is_rejected(
    installation: Installation, operations: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find_orders_and_identifiers, "MAX_OBJECTS", 0)
    answer = operations.get("/api/v1/orders?q=SO-104711")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["path"] == "q"


@pytest.mark.parametrize("size", [1, 2, 3])
def test_pages_contain_each_order_once(
    installation: Installation, operations: Client, size: int
) -> None:
    more_orders(7)
    ids: list[int] = []
    cursor = ""
    while True:
        page = get(operations, "orders", page_size=size, cursor=cursor)
        assert len(page["items"]) <= size
        ids += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(ids) == len(set(ids)) == 8
    assert ids == [item["id"] for item in get(operations, "orders")["items"]]


def test_order_list_query_count_is_constant(installation: Installation, operations: Client) -> None:
    get(operations, "orders")
    more_orders(60)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        get(operations, "orders", q="SO-104711")
    # session, user, roles, number search, page
    assert len(queries) == 5
    with CaptureQueriesContext(connection) as queries:
        assert len(get(operations, "orders", page_size=60)["items"]) == 60
    assert len(queries) == 4


def test_order_detail_has_exact_quantities_and_amounts(
    installation: Installation, operations: Client
) -> None:
    with CaptureQueriesContext(connection) as queries:
        order = get(operations, f"orders/{installation.order.object_id}")
    assert len(queries) <= 16
    assert order["total"] == {"amount": "201.5", "currency": "USD"}
    first, second = order["lines"]["items"]
    assert second["price"] == {"amount": "40", "currency": "USD"}
    assert second["quantities"]["ordered"] == "3.5"
    assert first["quantities"]["shipped"] == "5"
    assert {claim["source"] for claim in order["claims"]} == {"erp", "wms", "carrier", "finance"}
    assert order["shipments"][0]["tracking"] == ["1ZA0000000000000A1"]
    assert {"sales_order", "customer_po", "tracking", "invoice"} <= {
        item["scheme"] for item in order["identifiers"]
    }
    assert order["milestones"][0]["code"] == "received"
    assert order["ordered_at"] == "2026-03-02T15:00:00.000000Z"
    assert order["status_answer"].endswith(".")


def test_lines_are_paginated(installation: Installation, operations: Client) -> None:
    OrderLine.objects.bulk_create(
        OrderLine(order=installation.order, key=f"x{n}", position=n) for n in range(3, 12)
    )
    path = f"orders/{installation.order.object_id}"
    page = get(operations, path, page_size=4)["lines"]
    positions = [line["position"] for line in page["items"]]
    while page["next"]:
        page = get(operations, path, page_size=4, cursor=page["next"])["lines"]
        positions += [line["position"] for line in page["items"]]
    assert positions == list(range(1, 12))


@pytest.mark.parametrize(
    ("role", "prices", "contacts"),
    [
        (UserRole.CUSTOMER_SERVICE, True, True),
        (UserRole.EXECUTIVE, True, False),
        (UserRole.OPERATIONS, True, True),
        (UserRole.INTEGRATOR, False, False),
        (UserRole.ADMIN, True, True),
    ],
)
def test_prices_and_contacts_require_permission(
    installation: Installation,
    signed_in: Callable[[UserRole], Client],
    role: UserRole,
    prices: bool,
    contacts: bool,
) -> None:
    client, order_id = signed_in(role), installation.order.object_id
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
    for fragment in ('"price"', '"total"', '"201.5"', '"12.3"', '"money_at_risk"'):
        assert (fragment in text) is ((prices and fragment != '"money_at_risk"') or prices), (
            fragment
        )
    for fragment in ("Quist", "Nora", '"customer_name"'):
        assert (fragment in text) is contacts, fragment


def test_timeline_as_known_at_excludes_later_messages(
    installation: Installation, operations: Client
) -> None:
    path = f"orders/{installation.order.object_id}/timeline"
    before = database_now()
    receive_event(
        installation.sources["erp"],
        "order.held",
        "2026-03-02T17:00:00Z",
        {"order": "SO-104711"},
        event_id="late",
    )
    job_functions.process_messages_and_refold()
    then = get(operations, path, as_known_at=before.isoformat().replace("+00:00", "Z"))
    now = get(operations, path)
    assert len(now["entries"]["items"]) == len(then["entries"]["items"]) + 1
    assert "order.held" in {entry["type"] for entry in now["entries"]["items"]}
    assert "order.held" not in {entry["type"] for entry in then["entries"]["items"]}
    assert get(operations, path, as_known_at="2026-01-01T00:00:00Z")["entries"]["items"] == []


def test_timeline_pages_share_the_instant_of_the_first_page(
    installation: Installation, operations: Client
) -> None:
    path = f"orders/{installation.order.object_id}/timeline"
    all_entries = get(operations, path)["entries"]["items"]
    page = get(operations, path, page_size=2)
    entries = page["entries"]["items"]
    receive_event(
        installation.sources["erp"],
        "order.held",
        "2026-03-02T15:30:00Z",
        {"order": "SO-104711"},
        event_id="late",
    )
    job_functions.process_messages_and_refold()
    while page["entries"]["next"]:
        page = get(operations, path, page_size=2, cursor=page["entries"]["next"])
        entries += page["entries"]["items"]
    assert entries == all_entries


def test_as_known_at_in_the_future_is_rejected(
    installation: Installation, operations: Client
) -> None:
    path = f"/api/v1/orders/{installation.order.object_id}/timeline"
    assert operations.get(path, {"as_known_at": "2190-01-01T00:00:00Z"}).status_code == 400


def test_lineage_lists_events_messages_and_alerts(
    installation: Installation, operations: Client
) -> None:
    create_alert(installation.order, installation.rule, 2)
    path = f"orders/{installation.order.object_id}/lineage"
    with CaptureQueriesContext(connection) as queries:
        lineage = get(operations, path)
    assert len(queries) == 10
    assert len(lineage["alerts"]) == 2
    assert {item["message"]["state"] for item in lineage["events"]["items"]} == {"applied"}
    page = get(operations, path, page_size=2)["events"]
    events = page["items"]
    while page["next"]:
        page = get(operations, path, page_size=2, cursor=page["next"])["events"]
        events += page["items"]
    assert events == lineage["events"]["items"]
    assert events[0]["type"] == "invoice.issued"


def test_integrators_must_search_by_number_and_see_no_order_alerts(
    installation: Installation, signed_in: Callable[[UserRole], Client]
) -> None:
    client = signed_in(UserRole.INTEGRATOR)
    assert client.get("/api/v1/orders").status_code == 403
    assert get(client, f"orders/{installation.order.object_id}/lineage")["alerts"] == []


def test_merged_order_id_returns_the_surviving_order(
    installation: Installation, operations: Client
) -> None:
    merged = BusinessObject.objects.create(
        kind="order", merged_into_id=installation.order.object_id
    )
    assert get(operations, f"orders/{merged.pk}")["id"] == installation.order.object_id


@pytest.mark.parametrize("number", ["1", "0", str(2**63), "9" * 40, "9" * 5000, "-1", "x", "1/x"])
@pytest.mark.parametrize("path", ["orders/{}", "orders/{}/timeline", "orders/{}/lineage"])
def test_unknown_order_is_404(db: None, operations: Client, number: str, path: str) -> None:
    answer = operations.get(f"/api/v1/{path.format(number)}")
    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"] == "Not found."
