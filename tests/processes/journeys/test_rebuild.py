"""A rebuild that is killed twice and then completes changes nothing."""

import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from django.db import connection

from tests.builders.cloudevents import cloudevent
from tests.builders.sources import cloudevent_message
from tests.product import ROOT, Product
from visibility.db.database_time import database_now
from visibility.ingest.add_source_and_rotate_secret import add_source
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.kpi import facts_and_cells
from visibility.models import Order, Source
from visibility.operations.canonical_dump import dump_lines
from visibility.pipeline import job_functions, record_and_retention_jobs

ORDERS = 450
KINDS = ("order.received", "order.released", "shipment.confirmed")
DERIVED = {
    "order": "object_id",
    "orderline": "order_id, key",
    "shipment": "order_id, key",
    "milestone": "order_id, code",
    "slaclock": "order_id, subject_key",
    "failedclock": "order_id, subject_key",
    "conflict": "order_id, field, line",
    "kpifact": "order_id, kpi",
    "kpicell": "kpi, day, channel, warehouse",
    "identifier": "value, scheme, issuer, kind, object_id",
}
# Primary keys and times of writing may differ.
IGNORED = ("id", "folded_at", "known_since", "failed_at")


def event_message(source: Source, number: int) -> IncomingMessage:
    order, step = divmod(number, len(KINDS))
    measure = "shipped" if step == 2 else "ordered"
    data = {
        "order": {"number": f"SO-{order}"},
        "lines": [{"line_id": "1", "sku": "A", measure: 1 + order % 3}],
        **({"shipment": f"S{order}"} if step == 2 else {}),
    }
    at = f"2026-03-02T1{step}:00:00Z"
    return cloudevent_message(source, cloudevent(KINDS[step], data, event_id=f"m{number}", at=at))


def derived_rows() -> dict[str, list[str]]:
    """All derived rows as text, by table."""
    rows_by_table = {}
    with connection.cursor() as cursor:
        for table, order in DERIVED.items():
            row = "to_jsonb(t)" + "".join(f" - '{name}'" for name in IGNORED)
            cursor.execute(f"SELECT ({row})::text FROM visibility_{table} t ORDER BY {order}, 1")  # noqa: S608
            rows_by_table[table] = [text for (text,) in cursor.fetchall()]
    return rows_by_table


def kill_during_rebuild(product: Product) -> None:
    """Kill the rebuild after its first progress line, when some orders are left."""
    with subprocess.Popen(
        [sys.executable, "manage.py", "rebuild"],
        cwd=ROOT,
        env=product.environment,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stderr
        assert "rebuild 200/" in next(line for line in running.stderr if "rebuild" in line)
        running.kill()
    assert running.returncode == -9


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_killed_rebuild_changes_nothing(tmp_path: Path) -> None:
    now = database_now()
    source = add_source(
        "generic", connector="cloudevents", config={"order_number": "sales_order@erp"}, now=now
    ).source
    store_messages([event_message(source, number) for number in range(ORDERS * len(KINDS))])
    job_functions.process_messages_and_refold()
    record_and_retention_jobs.measure_records()
    facts_and_cells.update_cells()
    assert Order.objects.filter(status="shipped").count() == ORDERS
    before, then = derived_rows(), database_now()
    dump = list(dump_lines(as_of=then))
    product = Product(tmp_path)
    for _ in range(2):
        kill_during_rebuild(product)
        assert list(dump_lines(as_of=then)) == dump
    assert orjson.loads(product.manage("rebuild")) == {"orders": ORDERS}
    job_functions.process_messages_and_refold()
    assert derived_rows() == before
    assert list(dump_lines(as_of=then)) == dump
