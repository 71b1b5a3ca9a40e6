"""Copied orders have the rows that the product itself would have written."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction

from tests.bench import dataset, setup
from tests.empty_tables import empty_tables
from visibility.db.database_time import database_now
from visibility.kpi import facts_and_cells
from visibility.operations.canonical_dump import dump_lines
from visibility.pipeline.refold_orders import refold_orders_clocks_alerts_and_kpi_facts
from visibility.storage import refold_queue

pytestmark = pytest.mark.django_db(transaction=True)
TEMPLATES, ORDERS = 12, 36
# Columns that differ after each fold.
IGNORED_COLUMNS = {"id", "folded_at", "known_since"}


@pytest.fixture
def orders(transactional_db: None) -> Iterator[int]:
    """Twelve templates, each copied twice."""
    empty_tables()
    # Copies are far above the templates: ids that other tests used up would leave no room.
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT setval(sequence.oid, 1, false) FROM pg_class sequence "
            "WHERE relkind = 'S' AND relname LIKE 'visibility\\_%'"
        )
    setup.create_sources_and_rules()
    yield dataset.OrderDataset(TEMPLATES).grow(ORDERS)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bench_token")


def rows(table: str, column: str) -> list[tuple[Any, ...]]:
    """The rows of a table without the columns that may differ."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table}")  # noqa: S608  # constant table names
        names = [c.name for c in cursor.description or ()]
        compared = [
            n for n, name in enumerate(names) if name not in IGNORED_COLUMNS or name == column
        ]
        return sorted(tuple(str(row[n]) for n in compared) for row in cursor.fetchall())


DERIVED = {
    "visibility_order": "object_id",
    "visibility_orderline": "order_id",
    "visibility_shipment": "order_id",
    "visibility_milestone": "order_id",
    "visibility_slaclock": "order_id",
    "visibility_kpifact": "order_id",
    "visibility_kpicell": "kpi",
    "visibility_alert": "id",
}


def test_refolding_copied_orders_changes_nothing(orders: int) -> None:
    before = {table: rows(table, column) for table, column in DERIVED.items()}
    assert len(before["visibility_order"]) == orders == ORDERS
    assert all(before.values())
    with connection.cursor() as cursor:
        cursor.execute("SELECT object_id FROM visibility_order")
        ids = [row[0] for row in cursor.fetchall()]
    with transaction.atomic():
        refold_orders_clocks_alerts_and_kpi_facts(refold_queue.lock_orders_of_objects(ids))
    while facts_and_cells.update_cells():
        pass
    for table, column in DERIVED.items():
        assert rows(table, column) == before[table], table


def test_copy_differs_from_its_template_only_in_number_and_microseconds(
    orders: int,
) -> None:
    def normalized_dump(token: int) -> bytes:
        lines = dump_lines(as_of=database_now(), order_key=f"SO-T{token:06}")
        text = b"".join(lines)
        assert text
        return text.replace(b"T%06d" % token, b"T").replace(b".%06dZ" % token, b"Z")

    for template in range(TEMPLATES):
        assert normalized_dump(template + TEMPLATES) == normalized_dump(template)


def test_new_objects_get_higher_ids_than_all_copies(orders: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(id) FROM visibility_businessobject")
        largest = cursor.fetchone()[0]
        cursor.execute("INSERT INTO visibility_businessobject (kind) VALUES ('order') RETURNING id")
        assert cursor.fetchone()[0] > largest + dataset.MAX_ORDERS // TEMPLATES
