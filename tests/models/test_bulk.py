"""Rows in bulk: every kind of column as the ORM reads it back, and the errors Django knows."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from visibility.db import bulk
from visibility.models import BusinessObject
from visibility.models.claims import Conflict
from visibility.models.orders import Order, OrderLine

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 1, 8, 30, 0, 123456, tzinfo=UTC)


@pytest.fixture
def order() -> Order:
    made = BusinessObject.objects.create(kind="order")
    return Order.objects.create(object=made, key="sales_order:erp:1", number="1", status="released")


def line(order: Order, key: str, **more: object) -> bulk.Row:
    every = {
        f.attname: f.get_default() for f in OrderLine._meta.concrete_fields if f.attname != "id"
    }
    return every | {"order_id": order.pk, "key": key, "position": 1, "state": "open"} | more


def test_numbers_are_exact_and_words_stay_as_they_are(order: Order) -> None:
    words = 'say "half\\inch", {a,b}; NULL\n✓'
    price = Decimal("12345678901234567890.1234")
    rows = [
        line(order, "1", price=price, ordered=Decimal("0.000001"), flags=["kit", "over"]),
        line(order, "2", description=words),
    ]
    bulk.insert(OrderLine, rows)
    first, second = OrderLine.objects.order_by("key")
    assert (first.price, first.ordered, first.flags) == (
        price,
        Decimal("0.000001"),
        ["kit", "over"],
    )
    assert (second.description, second.flags, second.price) == (words, [], None)


def test_times_and_documents_too(order: Order) -> None:
    claims = [{"source": "erp", "value": None}]
    row = {"order_id": order.pk, "field": "status", "line": "", "since": AT, "opened_at": AT}
    row |= {"money": None, "currency": "", "owner": "", "claims": claims}
    bulk.insert(Conflict, [row])
    found = Conflict.objects.get()
    assert (found.since, found.claims) == (AT, claims)


def test_a_row_that_is_there_is_written_over_where_that_is_meant(order: Order) -> None:
    bulk.insert(OrderLine, [line(order, "1", sku="A")])
    bulk.insert(OrderLine, [line(order, "1", sku="B")], once=["order_id", "key"])
    assert [found.sku for found in OrderLine.objects.all()] == ["B"]
    with pytest.raises(IntegrityError), transaction.atomic():
        bulk.insert(OrderLine, [line(order, "1")])


def test_many_rows_are_one_statement_and_none_is_none(order: Order) -> None:
    with CaptureQueriesContext(connection) as queries:
        bulk.insert(OrderLine, [])
        bulk.insert(OrderLine, [line(order, str(n)) for n in range(500)])
    assert len(queries) == 1
    assert OrderLine.objects.count() == 500
