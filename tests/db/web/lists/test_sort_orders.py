"""Sort orders of lists: stable pages, header cells, and answers to unknown orders."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.builders.listed_orders import (
    create_alerts_with_ties_and_gaps,
    create_orders_with_ties_and_gaps,
    walk_pages,
)
from tests.builders.users import signed_in
from visibility.db.database_time import database_now
from visibility.db.sorted_pages import count_rows_up_to, load_sorted_rows
from visibility.models import Alert, Order
from visibility.models.orders import NEVER
from visibility.screens.alerts import inbox
from visibility.screens.alerts.alert_columns import ALERT_LIST
from visibility.screens.alerts.inbox import InboxQuery
from visibility.screens.list_registry import LISTS
from visibility.screens.lists.list_definition import Viewer
from visibility.screens.lists.load_page_and_count import RowCount, count_text
from visibility.screens.orders import order_list
from visibility.screens.orders.order_columns import ORDER_LIST
from visibility.web.permissions import Permission, UserRole

pytestmark = pytest.mark.django_db
EVERYTHING = Viewer(0, "", frozenset(Permission))
ALERT_VALUES: dict[str, Callable[[Alert], Any]] = {
    "severity": lambda alert: inbox.SEVERITY_RANK[alert.severity],
    "due_at": lambda alert: alert.due_at,
    "value": lambda alert: alert.money,
    "owner": lambda alert: alert.owner and alert.owner.username,
    "team": lambda alert: alert.team,
    "opened_at": lambda alert: alert.opened_at,
    "resolved_at": lambda alert: alert.resolved_at,
}
ORDER_SORTS = sorted(ORDER_LIST.sort_orders(EVERYTHING))

# The fields that sort orders with other names compare.
FIELDS = {"customer": "customer_name", "slack": "promised_at"}


@pytest.fixture
def clerk() -> Client:
    return signed_in(UserRole.CUSTOMER_SERVICE)


def assert_sorted_with_gaps_last(code: str, values: list[Any]) -> None:
    present = [value for value in values if value is not None]
    assert values == present + [None] * (len(values) - len(present)), code
    assert present == sorted(present, reverse=code.startswith("-")), code


def test_pages_visit_every_order_once_and_in_order(
    clerk: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_list, "PAGE_SIZE", 4)
    created = {o.pk: o for o in create_orders_with_ties_and_gaps(11)}
    for code in ORDER_SORTS:
        ids = walk_pages(clerk, f"/orders?sort={code}")
        assert sorted(ids) == sorted(created), code
        name = code.removeprefix("-")
        values = [getattr(created[pk], FIELDS.get(name, name)) for pk in ids]
        if name == "slack":  # an order without a promise is the least urgent
            values = [value or NEVER for value in values]
        assert_sorted_with_gaps_last(code, values)


def test_pages_visit_every_alert_once_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox.load_inbox_page_of_view, "__kwdefaults__", {"after": "", "limit": 4})
    created = {a.pk: a for a in create_alerts_with_ties_and_gaps(9)}
    client = signed_in(UserRole.OPERATIONS)
    for asked in ("severity", "-value", "owner", "-owner", *ALERT_LIST.sort_aliases):
        ids = walk_pages(client, f"/alerts?by=one&sort={asked}")
        code = ALERT_LIST.sort_aliases.get(asked, asked)
        assert sorted(ids) == sorted(created), code
        value = ALERT_VALUES[code.removeprefix("-")]
        assert_sorted_with_gaps_last(code, [value(created[pk]) for pk in ids])
    everything = InboxQuery(user_id=0)
    for code, order in ALERT_LIST.sort_orders(EVERYTHING).items():
        ids, cursor = [], ""
        while cursor or not ids:
            page = inbox.load_inbox_page_of_view(
                replace(everything, sort=order), now=database_now(), after=cursor
            )
            ids += [alert.pk for alert in page.alerts]
            cursor = page.next
        assert sorted(ids) == sorted(created), code
        value = ALERT_VALUES[code.removeprefix("-")]
        assert_sorted_with_gaps_last(code, [value(created[pk]) for pk in ids])


@pytest.mark.parametrize("name", ["orders", "alerts"])
def test_api_pages_visit_every_row_once_in_the_order_of_the_page(name: str) -> None:
    definition = LISTS[name]
    create_orders_with_ties_and_gaps(7)
    create_alerts_with_ties_and_gaps(7)
    client = signed_in(UserRole.OPERATIONS)
    codes = sorted(definition.sort_orders(EVERYTHING))
    for code in codes[:: len(codes) // 3]:
        ids, cursor = [], ""
        while cursor is not None:
            path = f"/api/v1/{name}?sort={code}&page_size=3&cursor={cursor}"
            page = client.get(path).json()
            ids += [item["id"] for item in page["items"]]
            cursor = page["next"]
        assert ids == walk_pages(client, f"/{name}?by=one&sort={code}")
    problem = client.get(f"/api/v1/{name}?sort=planet")
    assert (problem.status_code, problem.json()["errors"][0]["path"]) == (400, "sort")


def test_api_refuses_a_sort_order_by_hidden_amounts() -> None:
    answer = signed_in(UserRole.INTEGRATOR).get("/api/v1/orders?q=SO-1&sort=total")
    assert answer.status_code == 400
    assert "Orders cannot be sorted by “total”" in answer.json()["detail"]


def test_count_is_exact_up_to_the_bound_in_one_bounded_statement(
    clerk: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_orders_with_ties_and_gaps(4)
    assert "4 orders" in clerk.get("/orders").content.decode()
    assert "2 orders" in clerk.get("/orders?status=shipped").content.decode()
    with CaptureQueriesContext(connection) as queries:
        assert count_rows_up_to(Order.objects.all(), 4) == 4
        assert count_rows_up_to(Order.objects.all(), 3) is None
    assert [("LIMIT 5" in q["sql"], "LIMIT 4" in q["sql"]) for q in queries] == [
        (True, False),
        (False, True),
    ]
    assert count_text(RowCount(None, 10_000), ("order", "orders")) == "more than 10,000 orders"


def test_sort_orders_of_useful_columns_exist() -> None:
    assert {"number", "customer", "status", "promised_at", "total"} <= set(ORDER_SORTS)
    assert {"-ordered_at", "-last_event_at"} <= set(ORDER_SORTS)


def test_each_sort_order_reads_an_index() -> None:
    """Without an index, PostgreSQL sorts all orders for each page."""
    create_orders_with_ties_and_gaps(3)
    plans: list[str] = []

    def explain(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        execute(f"EXPLAIN {sql}", params, many, context)
        plans.append("\n".join(row[0] for row in context["cursor"].fetchall()))
        return execute(sql, params, many, context)

    rows = order_list.annotate_source_title(Order.objects.filter(last_event_at__isnull=False))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
    with connection.execute_wrapper(explain):
        for code, order in ORDER_LIST.sort_orders(EVERYTHING).items():
            plans.clear()
            load_sorted_rows(rows, order, limit=51)
            assert plans
            for plan in plans:
                assert "Index Scan" in plan, code
                assert not re.search(r"(?<!Incremental )\bSort  \(", plan), (code, plan)


def test_header_cells_sort_and_say_the_direction(clerk: Client) -> None:
    create_orders_with_ties_and_gaps(2)
    page = clerk.get("/orders?status=released&sort=promised_at&after=x").content.decode()
    cell = re.search(r'<th scope="col"[^>]* aria-sort="(\w+)"><a href="([^"]+)">Promise date', page)
    assert cell
    assert cell.groups() == ("ascending", "/orders?status=released&amp;sort=-promised_at")
    assert page.count("aria-sort") == 1
    assert "sorted by promise date" in page
    default = clerk.get("/orders").content.decode()
    assert 'aria-sort="descending"><a href="/orders?sort=last_event_at">Last update' in default
    assert "most recently updated first" in default


def test_unknown_sort_order_is_a_sentence_on_the_page(clerk: Client) -> None:
    create_orders_with_ties_and_gaps(2)
    response = clerk.get("/orders?sort=<b>planet")
    assert response.status_code == 200
    page = response.content.decode()
    assert "Orders cannot be sorted by “&lt;b&gt;planet”. Sort by one of: customer," in page
    assert page.count("data-id=") == 2


def test_role_cannot_sort_by_what_it_may_not_see() -> None:
    """The order of names and amounts tells about the names and amounts."""
    create_orders_with_ties_and_gaps(2)
    integrator, executive = signed_in(UserRole.INTEGRATOR), signed_in(UserRole.EXECUTIVE)
    assert "cannot be sorted by “total”" in integrator.get("/orders?sort=total").content.decode()
    page = executive.get("/orders?sort=customer").content.decode()
    assert "cannot be sorted by “customer”" in page
    assert "sorted by order value" in executive.get("/orders?sort=-total").content.decode()


@pytest.mark.parametrize("cursor", ["x", "W10", "WyJcdTAwMDAiLCIxIl0", "WyJcdWQ4MDAiLCAiMSJd"])
def test_invalid_cursor_is_the_first_page(clerk: Client, cursor: str) -> None:
    create_orders_with_ties_and_gaps(2)
    response = clerk.get("/orders", {"sort": "number", "after": cursor})
    assert response.content.decode().count("data-id=") == 2
