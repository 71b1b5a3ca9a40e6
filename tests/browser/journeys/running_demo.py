"""A running demo with a few days of history, and with known problems in it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import orjson
from django.db import connection

from tests.builders.cloudevents import authorized_headers, cloudevent
from tests.empty_tables import empty_tables
from tests.product import Product
from visibility.db.database_time import database_now
from visibility.ingest.add_source_and_rotate_secret import add_source
from visibility.models import (
    Alert,
    EventObjectLink,
    Identifier,
    InboundMessage,
    KpiFactChange,
    MessageState,
    Order,
    RefoldRequest,
    Source,
)

# Three days and few live orders; more invalid payloads than usual, so that some are parked.
SIMULATOR_OPTIONS = "--days 3 --orders-per-day 12 --speed 3 --faults bad_payload=0.01,no_scan=0.05"
DESK, YARD, PARTNER, SECRET = "desk", "yard", "partner", "a-secret-of-at-least-24-bytes"
# Sources in the canonical format. Items of the partner must be mapped.
CANONICAL_SOURCES = {
    DESK: ("Order desk", {"role": "erp"}),
    YARD: ("Yard", {"role": "wms"}),
    PARTNER: ("Partner", {"role": "shop", "governed": "item"}),
}
CONTESTED_ORDER, UNMATCHED_TRACKING, UNMAPPED_ITEM = "SO-CONTESTED", "1Z999AA10123456784", "ZX-1"
TRUNCATED_PAYLOAD = (
    b'{"specversion": "1.0", "id": "torn-1", "type": "order.received", "data": {"ord'
)
ORDER_WITH_ALL_NUMBERS = """
WITH RECURSIVE below (root, id) AS (
    SELECT object_id, object_id FROM visibility_order WHERE customer_po <> ''
    UNION
    SELECT below.root, r.child_id
    FROM below JOIN visibility_objectrelation r ON r.parent_id = below.id
), named AS (
    SELECT below.root, i.scheme, min(i.raw) AS number, count(*) AS many FROM below
    JOIN visibility_identifier i ON i.object_id = below.id
    WHERE i.scheme IN ('tracking', 'invoice') GROUP BY 1, 2
)
SELECT o.object_id, o.number, o.customer_po, t.number, i.number
FROM visibility_order o
JOIN named t ON t.root = o.object_id AND t.scheme = 'tracking'
JOIN named i ON i.root = o.object_id AND i.scheme = 'invoice'
ORDER BY t.many DESC, o.object_id LIMIT 1
"""


@dataclass(frozen=True)
class DemoRecords:
    """An order reported by all systems, with its numbers, and IDs of other pages to open."""

    order: int
    number: str
    po: str
    tracking: str
    invoice: str
    alert: int
    parked: int
    event: int
    contested: int
    orphan: int


@dataclass(frozen=True)
class RunningDemo:
    """The running product and the records that the tests use."""

    product: Product
    records: DemoRecords
    started_at: datetime

    def report_stuck_order(self, number: str, *, hours: int) -> None:
        """Report an order that was released `hours` ago and that no warehouse has reported."""
        at = self.started_at - timedelta(hours=hours)
        data = {
            "order": {"number": number, "customer": "C1", "customer_name": "Quist"},
            "lines": [{"line_id": "1", "sku": "A-1", "ordered": 40, "price": "900"}],
            "attributes": {"total": "36000", "currency": "USD"},
        }
        send_event(self.product, DESK, "order.received", at, **data)
        send_event(self.product, DESK, "order.released", at + timedelta(minutes=1), **data)


def send_event(product: Product, slug: str, event_type: str, at: datetime, **data: Any) -> None:
    """Send an event in the canonical format."""
    event = cloudevent(
        event_type, data, event_id=f"{event_type} {at.isoformat()}", at=at, source=f"/{slug}"
    )
    post_message(product, orjson.dumps(event), slug)


def post_message(product: Product, body: bytes, slug: str = DESK) -> None:
    """Send a message and check that it is accepted."""
    answer = httpx2.post(
        f"{product.url}/hooks/{slug}",
        content=body,
        headers=authorized_headers(SECRET),
        timeout=10,
    )
    assert answer.status_code == 202, answer.text


def send_problems(product: Product, now: datetime) -> None:
    """Report a contradiction, an unmapped item, and a package without an order."""
    day = timedelta(days=1)
    line = {"line_id": "1", "sku": "A-1", "price": "2.50"}
    attributes = {"promised_at": (now - day).date().isoformat(), "currency": "USD"}
    ordered = [{**line, "ordered": 12}]
    send_event(
        product,
        DESK,
        "order.received",
        now - 4 * day,
        order=CONTESTED_ORDER,
        lines=ordered,
        attributes=attributes,
    )
    for slug, shipped, at in ((YARD, 8, now - 2 * day), (DESK, 3, now - 2 * day)):
        lines = [{**line, "shipped": shipped}]
        send_event(
            product,
            slug,
            "shipment.confirmed",
            at,
            order=CONTESTED_ORDER,
            shipment=f"{slug} 1",
            lines=lines,
        )
    unmapped = [
        {"line_id": "1", "sku": UNMAPPED_ITEM, "description": "Left-hand lever", "ordered": 5}
    ]
    send_event(product, PARTNER, "order.received", now - day, order="P-1", lines=unmapped)
    send_event(product, YARD, "shipment.in_transit", now - day, tracking=UNMATCHED_TRACKING)


@contextmanager
def run_demo(folder: Path) -> Iterator[RunningDemo]:
    """Run the complete demo with history and problems."""
    product = Product(folder, DEMO="1")
    try:
        product.manage("collectstatic", "--noinput")
        product.manage("demo")
        for slug, (title, config) in CANONICAL_SOURCES.items():
            add_source(
                slug,
                connector="cloudevents",
                config={"order_number": "sales_order@erp", **config},
                secret=SECRET,
                title=title,
                now=database_now(),
            )
        product.start("web", "worker", "beat")
        post_message(product, TRUNCATED_PAYLOAD)
        send_problems(product, database_now())
        product.manage("simulate", *SIMULATOR_OPTIONS.split())
        wait_until(_all_processed, product)
        # The 3PL sends nothing any more: with this interval it counts as silent at once.
        Source.objects.filter(slug="3pl").update(expect_every=timedelta(seconds=1))
        wait_until(_has_expected_alerts, product)
        yield RunningDemo(product, _read_records(), database_now())
    finally:
        product.stop()
        empty_tables()


def wait_until(condition: Callable[[], bool], product: Product, *, seconds: int = 120) -> None:
    """Wait until a condition that the worker fulfills is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, (
            f"timeout while waiting for {condition.__name__}:\n{product.log('worker')}"
        )
        time.sleep(0.2)


def _all_processed() -> bool:
    waiting_messages = InboundMessage.objects.filter(state=MessageState.WAITING)
    return not (
        waiting_messages.exists()
        or RefoldRequest.objects.exists()
        or KpiFactChange.objects.exists()
    )


def _has_expected_alerts() -> bool:
    open_alerts = Alert.objects.filter(state="open")
    return (
        open_alerts.filter(source__slug="3pl").exists()
        and open_alerts.filter(order_id__gt=0).exists()
    )


def _read_records() -> DemoRecords:
    with connection.cursor() as cursor:
        cursor.execute(ORDER_WITH_ALL_NUMBERS)
        order, number, po, tracking, invoice = cursor.fetchone()
    alert = Alert.objects.filter(state="open", order_id__gt=0).latest("pk")
    parked = InboundMessage.objects.get(source__slug=DESK, state=MessageState.PARKED)
    event = EventObjectLink.objects.filter(object_id=order).latest("event_id").event_id
    contested = Order.objects.get(number=CONTESTED_ORDER)
    assert contested.conflict_count
    orphan = Identifier.objects.get(raw=UNMATCHED_TRACKING).object_id
    return DemoRecords(
        order, number, po, tracking, invoice, alert.pk, parked.pk, event, contested.pk, orphan
    )
