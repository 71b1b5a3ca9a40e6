"""What every process knows of loaded demo data, and which orders are demo data alone."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db import Error

from visibility.db import bulk
from visibility.models.demo_data import DemoData
from visibility.models.orders import Order

MAX_AGE = 1.0  # seconds
# An order is demo data if no event of another source names it.
ORDERS_OF_DEMO_SOURCES = """
SELECT o.id FROM visibility_businessobject o
WHERE o.id = ANY(%s) AND NOT EXISTS (
    SELECT FROM visibility_eventobjectlink link
    JOIN visibility_event event
        ON event.id = link.event_id AND event.occurred_at = link.occurred_at
    JOIN visibility_source source ON source.id = event.source_id
    WHERE link.object_id = o.id AND NOT source.is_demo)
"""

OWN_ORDER_EXISTS = """
SELECT EXISTS (SELECT FROM visibility_order o
    JOIN visibility_eventobjectlink link ON link.object_id = o.object_id
    JOIN visibility_event event
        ON event.id = link.event_id AND event.occurred_at = link.occurred_at
    JOIN visibility_source source ON source.id = event.source_id
    WHERE NOT source.is_demo)
"""


@dataclass(frozen=True, slots=True)
class StoredDemoData:
    """The row, or None without demo data, and when it was read."""

    row: DemoData | None
    read_at: float


_latest: StoredDemoData | None = None


def demo_data_state() -> str:
    """A `DemoDataState` up to `MAX_AGE` seconds old; empty without demo data."""
    row = _load_demo_data()
    return row.state if row else ""


def demo_rule_ids() -> Sequence[int]:
    """The rules that came with demo data."""
    row = _load_demo_data()
    return row.rule_ids if row else ()


def _load_demo_data() -> DemoData | None:
    global _latest
    latest, now = _latest, time.monotonic()
    if latest is None or now - latest.read_at >= MAX_AGE:
        latest = _latest = StoredDemoData(DemoData.objects.first(), now)
    return latest.row


def demo_data_state_or_latest_known() -> str:
    """The same for pages that must be shown while the database fails."""
    try:
        return demo_data_state()
    except Error:
        return _latest.row.state if _latest and _latest.row else ""


def is_own_order_known() -> bool:
    """Whether a source that is no demo source reports on an order. One or two statements."""
    if not demo_data_state():
        return Order.objects.exists()
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(OWN_ORDER_EXISTS)
        ((exists,),) = cursor.fetchall()
    return bool(exists)


def forget_demo_data() -> None:
    """Read it again when it is needed next, because this process changed it."""
    global _latest
    _latest = None


def orders_of_demo_sources(order_ids: Collection[int]) -> set[int]:
    """Which of these orders only demo sources report. One statement."""
    if not order_ids:
        return set()
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(ORDERS_OF_DEMO_SOURCES, [sorted(order_ids)])
        return {row[0] for row in cursor.fetchall()}
