"""The simulated distributor in a real product: a few days of history, and what went wrong in it."""

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

from tests.product import Product, empty_tables, signed
from visibility.db.clock import database_now
from visibility.ingest.source_setup import add
from visibility.models import (
    Alert,
    DirtyCell,
    EventObject,
    Identifier,
    InboundMessage,
    MessageState,
    Order,
    Refold,
    Source,
)

# Three days and a quiet start; more torn messages than usual, so that some are parked.
WORLD = "--days 3 --orders-per-day 12 --speed 3 --faults bad_payload=0.01,no_scan=0.05"
DESK, YARD, PARTNER, SECRET = "desk", "yard", "partner", "a-secret-of-at-least-24-bytes"
# Systems that speak our own words; whatever the partner calls its articles must be mapped.
SPEAKERS = {
    DESK: ("Order desk", {"role": "erp"}),
    YARD: ("Yard", {"role": "wms"}),
    PARTNER: ("Partner", {"role": "shop", "governed": "item"}),
}
CONTESTED, NOBODYS, UNMAPPED = "SO-CONTESTED", "1Z999AA10123456784", "ZX-1"
TORN = b'{"specversion": "1.0", "id": "torn-1", "type": "order.received", "data": {"ord'
NUMBERS = """
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
class Known:
    """An order that everybody has spoken of, and all its numbers; what else the tests open."""

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
class Distributor:
    """The running product and what is known of it."""

    product: Product
    known: Known
    began: datetime

    def stuck(self, number: str, *, hours: int) -> None:
        """An order released so many hours ago, of which no warehouse has said a word."""
        at = self.began - timedelta(hours=hours)
        data = {
            "order": {"number": number, "customer": "C1", "customer_name": "Quist"},
            "lines": [{"line_id": "1", "sku": "A-1", "ordered": 40, "price": "900"}],
            "attributes": {"total": "36000", "currency": "USD"},
        }
        say(self.product, DESK, "order.received", at, **data)
        say(self.product, DESK, "order.released", at + timedelta(minutes=1), **data)


def say(product: Product, slug: str, kind: str, at: datetime, **data: Any) -> None:
    """Tell the product something in its own words."""
    body = {"specversion": "1.0", "id": f"{kind} {at.isoformat()}", "source": f"/{slug}"}
    post(product, orjson.dumps({**body, "type": kind, "time": at.isoformat(), "data": data}), slug)


def post(product: Product, body: bytes, slug: str = DESK) -> None:
    """Send a message; it is accepted."""
    answer = httpx2.post(
        f"{product.url}/hooks/{slug}", content=body, headers=signed(SECRET, body), timeout=10
    )
    assert answer.status_code == 202, answer.text


def trouble(product: Product, now: datetime) -> None:
    """Two systems contradict each other, a word is not mapped, a parcel is nobody's."""
    day = timedelta(days=1)
    line = {"line_id": "1", "sku": "A-1", "price": "2.50"}
    told = {"promised_at": (now - day).date().isoformat(), "currency": "USD"}
    ordered = [{**line, "ordered": 12}]
    say(
        product,
        DESK,
        "order.received",
        now - 4 * day,
        order=CONTESTED,
        lines=ordered,
        attributes=told,
    )
    for slug, shipped, at in ((YARD, 8, now - 2 * day), (DESK, 3, now - 2 * day)):
        lines = [{**line, "shipped": shipped}]
        say(
            product,
            slug,
            "shipment.confirmed",
            at,
            order=CONTESTED,
            shipment=f"{slug} 1",
            lines=lines,
        )
    unmapped = [{"line_id": "1", "sku": UNMAPPED, "description": "Left-hand lever", "ordered": 5}]
    say(product, PARTNER, "order.received", now - day, order="P-1", lines=unmapped)
    say(product, YARD, "shipment.in_transit", now - day, tracking=NOBODYS)


@contextmanager
def running(folder: Path) -> Iterator[Distributor]:
    """Everything as it runs in a demonstration, until the tests are over."""
    product = Product(folder, DEMO="1")
    try:
        product.manage("collectstatic", "--noinput")
        product.manage("demo")
        for slug, (title, config) in SPEAKERS.items():
            add(
                slug,
                connector="cloudevents",
                config={"order_number": "sales_order@erp", **config},
                secret=SECRET,
                title=title,
                now=database_now(),
            )
        product.start("web", "worker", "beat")
        post(product, TORN)
        trouble(product, database_now())
        product.manage("simulate", *WORLD.split())
        until(_quiet, product)
        # The 3PL has stopped talking: it is silent as soon as it is expected to have spoken.
        Source.objects.filter(slug="3pl").update(expect_every=timedelta(seconds=1))
        until(_alerted, product)
        yield Distributor(product, _known(), database_now())
    finally:
        product.stop()
        empty_tables()


def until(done: Callable[[], bool], product: Product, *, seconds: int = 120) -> None:
    """Wait for a condition, which the worker brings about."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, f"{done.__name__} is not so:\n{product.log('worker')}"
        time.sleep(0.2)


def _quiet() -> bool:
    waiting = InboundMessage.objects.filter(state=MessageState.WAITING)
    return not (waiting.exists() or Refold.objects.exists() or DirtyCell.objects.exists())


def _alerted() -> bool:
    standing = Alert.objects.filter(state="open")
    return standing.filter(source__slug="3pl").exists() and standing.filter(order_id__gt=0).exists()


def _known() -> Known:
    with connection.cursor() as cursor:
        cursor.execute(NUMBERS)
        order, number, po, tracking, invoice = cursor.fetchone()
    alert = Alert.objects.filter(state="open", order_id__gt=0).latest("pk")
    parked = InboundMessage.objects.get(source__slug=DESK, state=MessageState.PARKED)
    event = EventObject.objects.filter(object_id=order).latest("event_id").event_id
    contested = Order.objects.get(number=CONTESTED)
    assert contested.conflict_count
    orphan = Identifier.objects.get(raw=NOBODYS).object_id
    return Known(
        order, number, po, tracking, invoice, alert.pk, parked.pk, event, contested.pk, orphan
    )
