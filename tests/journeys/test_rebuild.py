"""A rebuild is killed in the middle, twice, and then runs to its end: nothing has changed."""

import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from django.db import connection

from tests.product import ROOT, Product
from visibility.db.clock import database_now
from visibility.ingest.inbox import Arrival, keep
from visibility.ingest.source_setup import add
from visibility.models import Order, Source
from visibility.operations.canonical_dump import facts
from visibility.pipeline import stages

ORDERS = 450
KINDS = ("order.received", "order.released", "shipment.confirmed")
DERIVED = {
    "order": "object_id",
    "orderline": "order_id, key",
    "shipment": "order_id, key",
    "milestone": "order_id, code",
    "slaclock": "order_id, obligation",
    "failedclock": "order_id, obligation",
    "conflict": "order_id, field, line",
    "kpifact": "order_id, kpi",
    "kpicell": "kpi, day, channel, warehouse",
    "identifier": "value, scheme, issuer, kind, object_id",
}
# When a row was written is no fact; its own number is none either.
IGNORED = ("id", "folded_at", "heard_at", "failed_at")


def said(source: Source, number: int) -> Arrival:
    order, step = divmod(number, len(KINDS))
    measure = "shipped" if step == 2 else "ordered"
    body = orjson.dumps(
        {
            "specversion": "1.0",
            "id": f"m{number}",
            "source": "/test",
            "type": KINDS[step],
            "time": f"2026-03-02T1{step}:00:00Z",
            "data": {
                "order": {"number": f"SO-{order}"},
                "lines": [{"line_id": "1", "sku": "A", measure: 1 + order % 3}],
                **({"shipment": f"S{order}"} if step == 2 else {}),
            },
        }
    )
    return Arrival(source.pk, f"m{number}", {"content-type": "application/cloudevents+json"}, body)


def derived() -> dict[str, list[str]]:
    """Every derived row, as text."""
    found = {}
    with connection.cursor() as cursor:
        for table, order in DERIVED.items():
            row = "to_jsonb(t)" + "".join(f" - '{name}'" for name in IGNORED)
            cursor.execute(f"SELECT ({row})::text FROM visibility_{table} t ORDER BY {order}, 1")  # noqa: S608
            found[table] = [text for (text,) in cursor.fetchall()]
    return found


def killed_in_the_middle(product: Product) -> None:
    """kill -9 once it says that some orders are done, and others are not."""
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


@pytest.mark.django_db(transaction=True)
def test_a_rebuild_that_is_killed_twice_changes_nothing(tmp_path: Path) -> None:
    now = database_now()
    source = add(
        "generic", connector="cloudevents", config={"order_number": "sales_order@erp"}, now=now
    ).source
    keep([said(source, number) for number in range(ORDERS * len(KINDS))])
    stages.advance()
    assert Order.objects.filter(status="shipped").count() == ORDERS
    before, then = derived(), database_now()
    told = list(facts(as_of=then))
    product = Product(tmp_path)
    for _ in range(2):
        killed_in_the_middle(product)
        assert list(facts(as_of=then)) == told
    assert orjson.loads(product.manage("rebuild")) == {"orders": ORDERS}
    stages.advance()
    assert derived() == before
    assert list(facts(as_of=then)) == told
