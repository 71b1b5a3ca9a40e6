"""Sort orders of lists: stable pages, header cells, and answers to unknown orders."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from tests.builders.listed_orders import create_orders_with_ties_and_gaps, walk_pages
from tests.builders.users import signed_in
from visibility.db.sorted_pages import load_sorted_rows
from visibility.models import Order
from visibility.models.orders import NEVER
from visibility.screens.lists.list_definition import Viewer
from visibility.screens.orders import order_list
from visibility.screens.orders.order_columns import ORDER_LIST
from visibility.web.permissions import Permission, UserRole

pytestmark = pytest.mark.django_db
EVERYTHING = Viewer(0, "", frozenset(Permission))
ORDER_SORTS = sorted(ORDER_LIST.sort_orders(EVERYTHING))


@pytest.fixture
def clerk() -> Client:
    return signed_in(UserRole.CUSTOMER_SERVICE)


@pytest.mark.parametrize("code", ORDER_SORTS)
def test_pages_visit_every_order_once_and_in_order(
    code: str, clerk: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_list, "PAGE_SIZE", 4)
    created = {o.pk: o for o in create_orders_with_ties_and_gaps(13)}
    ids = walk_pages(clerk, f"/orders?sort={code}")
    assert sorted(ids) == sorted(created)
    names = {"customer": "customer_name", "slack": "promised_at"}
    name = code.removeprefix("-")
    values = [getattr(created[pk], names.get(name, name)) for pk in ids]
    if name == "slack":  # an order without a promise is the least urgent
        values = [value or NEVER for value in values]
    present = [value for value in values if value is not None]
    assert values == present + [None] * (len(values) - len(present))
    assert present == sorted(present, reverse=code.startswith("-"))


def test_sort_orders_of_useful_columns_exist() -> None:
    assert {"number", "customer", "status", "promised_at", "total"} <= set(ORDER_SORTS)
    assert {"-ordered_at", "-last_event_at"} <= set(ORDER_SORTS)


@pytest.mark.parametrize("code", ORDER_SORTS)
def test_each_sort_order_reads_an_index(code: str) -> None:
    """Without an index, PostgreSQL sorts all orders for each page."""
    order = ORDER_LIST.sort_orders(EVERYTHING)[code]
    create_orders_with_ties_and_gaps(3)
    plans = []

    def explain(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        plans.append(execute(f"EXPLAIN {sql}", params, many, context) and "")
        plans[-1] = "\n".join(row[0] for row in context["cursor"].fetchall())
        return execute(sql, params, many, context)

    rows = order_list.annotate_source_title(Order.objects.filter(last_event_at__isnull=False))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
    with connection.execute_wrapper(explain):
        load_sorted_rows(rows, order, limit=51)
    assert plans
    for plan in plans:
        assert "Index Scan" in plan
        assert not re.search(r"(?<!Incremental )\bSort  \(", plan), plan


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
