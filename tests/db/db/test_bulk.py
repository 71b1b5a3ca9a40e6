"""Bulk inserts: all column types as the ORM reads them, and Django's database errors."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from visibility.db import bulk
from visibility.models import BusinessObject
from visibility.models.open_conflicts import Conflict
from visibility.models.orders import Order, OrderLine

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 1, 8, 30, 0, 123456, tzinfo=UTC)


@pytest.fixture
def order() -> Order:
    business_object = BusinessObject.objects.create(kind="order")
    return Order.objects.create(
        object=business_object, key="sales_order:erp:1", number="1", status="released"
    )


def line(order: Order, key: str, **more: object) -> bulk.Row:
    every = {
        f.attname: f.get_default() for f in OrderLine._meta.concrete_fields if f.attname != "id"
    }
    return every | {"order_id": order.pk, "key": key, "position": 1, "state": "open"} | more


def test_decimals_are_exact_and_text_is_unchanged(order: Order) -> None:
    text = 'a "half\\inch", {a,b}; NULL\n✓'
    price = Decimal("12345678901234567890.1234")
    rows = [
        line(order, "1", price=price, ordered=Decimal("0.000001"), flags=["kit", "over"]),
        line(order, "2", description=text),
    ]
    bulk.insert_or_update_rows(OrderLine, rows)
    first, second = OrderLine.objects.order_by("key")
    assert (first.price, first.ordered, first.flags) == (
        price,
        Decimal("0.000001"),
        ["kit", "over"],
    )
    assert (second.description, second.flags, second.price) == (text, [], None)


def test_timestamps_and_json_are_unchanged(order: Order) -> None:
    claims = [{"source": "erp", "value": None}]
    row = {"order_id": order.pk, "field": "status", "line": "", "since": AT, "opened_at": AT}
    row |= {"money": None, "currency": "", "owner": "", "claims": claims}
    bulk.insert_or_update_rows(Conflict, [row])
    conflict = Conflict.objects.get()
    assert (conflict.since, conflict.claims) == (AT, claims)


def test_existing_row_is_updated_only_with_conflict_columns(order: Order) -> None:
    bulk.insert_or_update_rows(OrderLine, [line(order, "1", sku="A")])
    bulk.insert_or_update_rows(
        OrderLine, [line(order, "1", sku="B")], conflict_columns=["order_id", "key"]
    )
    assert [row.sku for row in OrderLine.objects.all()] == ["B"]
    with pytest.raises(IntegrityError), transaction.atomic():
        bulk.insert_or_update_rows(OrderLine, [line(order, "1")])


def test_any_number_of_rows_takes_at_most_a_single_statement(order: Order) -> None:
    with CaptureQueriesContext(connection) as queries:
        bulk.insert_or_update_rows(OrderLine, [])
        bulk.insert_or_update_rows(OrderLine, [line(order, str(n)) for n in range(500)])
    assert len(queries) == 1
    assert OrderLine.objects.count() == 500
