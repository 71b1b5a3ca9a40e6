"""Four systems connected by manifests report one order: through HTTP, a folder and a poll."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import httpx2
import pytest

from tests.builders.fedex_server import FedExServer
from tests.builders.manifest_systems import (
    TRACKING,
    drop_file,
    odoo_order,
    scan,
    woocommerce_order,
    woocommerce_signature,
)
from tests.product import Product
from visibility.db.database_time import database_now
from visibility.models import BusinessObject, Event, InboundMessage, MessageState, Order, Source

WOO_SECRET, ODOO_TOKEN = "woo-secret-typed-by-a-person", "odoo-token-in-the-webhook-url"
CLIENT_ID, CLIENT_SECRET = "fedex-client", "fedex-client-secret"
OWN_MANIFEST = """
connector: returns_desk
version: 1
title: Returns desk
role: other
description: Our own returns desk.
receive: {webhook: {verify: {token_header: x-desk-token}}}
read: {format: json}
order: {numbers: [{scheme: sales_order, issuer: erp, value: order}]}
return: {numbers: [{scheme: rma, value: rma}]}
events:
  - {type: return.authorized, key: "rma {rma}", at: {value: at, offset: included}}
examples:
  - {text: '{"rma": "R1", "order": "S1", "at": "2026-03-02T10:00:00Z"}', gives: [return.authorized]}
"""


@pytest.fixture
def fedex() -> Iterator[FedExServer]:
    server = FedExServer(CLIENT_ID, CLIENT_SECRET)
    yield server
    server.close()


@pytest.fixture
def product(tmp_path: Path, fedex: FedExServer) -> Iterator[Product]:
    """The product with web process and worker; one of its own manifests is broken."""
    running = Product(tmp_path, OUTGOING_ALLOWED=fedex.address)
    (tmp_path / "connectors").mkdir()
    (tmp_path / "connectors" / "returns_desk.yaml").write_text(OWN_MANIFEST)
    (tmp_path / "connectors" / "broken.yaml").write_text("connector: broken\nversion: [1\n")
    (tmp_path / "drop").mkdir()
    add_source(running, "shop", "woocommerce", WOO_SECRET, "prefix=WS-")
    add_source(running, "erp", "odoo", ODOO_TOKEN)
    add_source(running, "3pl", "northlog_945", "", f"drop={tmp_path / 'drop'}")
    add_source(running, "desk", "returns_desk", "desk-token")
    running.start("web", "worker")
    yield running
    running.stop()


def add_source(product: Product, slug: str, connector: str, secret: str, *config: str) -> None:
    arguments = ["source", "add", slug, "--connector", connector]
    arguments += ["--secret", secret] if secret else []
    product.manage(*arguments, *(("--config", *config) if config else ()))


def wait_until(is_done: Callable[[], bool], product: Product) -> None:
    deadline = time.monotonic() + 60
    while not is_done():
        assert time.monotonic() < deadline, product.log("worker") + product.log("web")
        time.sleep(0.2)


def post_webhooks(product: Product, at: datetime) -> None:
    ping = httpx2.post(f"{product.url}/hooks/shop", content=b"webhook_id=142", timeout=15)
    assert ping.status_code == 200
    body = woocommerce_order(at)
    headers = woocommerce_signature(body, WOO_SECRET)
    forged = httpx2.post(f"{product.url}/hooks/shop", content=body + b" ", headers=headers)
    assert forged.status_code == 401
    accepted = httpx2.post(f"{product.url}/hooks/shop", content=body, headers=headers)
    assert accepted.status_code == 202, accepted.text
    body = odoo_order(at + timedelta(minutes=5))
    assert httpx2.post(f"{product.url}/hooks/erp?token=wrong", content=body).status_code == 401
    accepted = httpx2.post(f"{product.url}/hooks/erp?token={ODOO_TOKEN}", content=body)
    assert accepted.status_code == 202, accepted.text


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_four_systems_report_one_order(product: Product, fedex: FedExServer) -> None:
    placed_at = database_now() - timedelta(days=3)
    post_webhooks(product, placed_at)
    drop_file(product.folder / "drop", placed_at)
    wait_until(lambda: BusinessObject.objects.filter(kind="package").exists(), product)
    fedex.scans = {
        TRACKING: [
            scan("DL", placed_at + timedelta(days=2), "Delivered"),
            scan("PU", placed_at + timedelta(hours=20), "Picked up"),
            scan("OC", placed_at + timedelta(hours=1), "Shipment information sent to FedEx"),
        ]
    }
    config = (f"base_url={fedex.url}", f"client_id={CLIENT_ID}")
    add_source(product, "fedex", "fedex", CLIENT_SECRET, *config)
    wait_until(lambda: Event.objects.filter(type="shipment.delivered").exists(), product)
    wait_until(lambda: not InboundMessage.objects.filter(state=MessageState.WAITING), product)
    wait_until(lambda: Order.objects.filter(delivered_at__isnull=False).exists(), product)
    order = Order.objects.get()
    assert (order.line_count, order.lines_shipped, order.status) == (1, 1, "delivered")
    assert order.carrier == "FedEx"
    assert fedex.asked == [[TRACKING]]
    reported = set(Event.objects.values_list("source__slug", "type"))
    assert reported == {
        ("shop", "order.received"),
        ("shop", "order.accepted"),
        ("erp", "order.accepted"),
        ("erp", "order.released"),
        ("3pl", "shipment.confirmed"),
        ("fedex", "shipment.label_created"),
        ("fedex", "shipment.picked_up"),
        ("fedex", "shipment.delivered"),
    }
    assert not InboundMessage.objects.filter(state=MessageState.PARKED).exists()
    assert Source.objects.get(slug="fedex").poll_error == ""
    drop = product.folder / "drop"
    assert (drop / "archive" / "SHIP_0001.csv").is_file()
    assert (drop / "other.csv").is_file()


@pytest.mark.django_db(transaction=True)
def test_own_manifest_works_beside_a_broken_one(product: Product) -> None:
    body = b'{"rma": "R-1", "order": "S00042", "at": "2026-03-09T10:00:00Z"}'
    url, headers = f"{product.url}/hooks/desk", {"x-desk-token": "desk-token"}
    assert httpx2.post(url, content=body, headers={"x-desk-token": "no"}).status_code == 401
    assert httpx2.post(url, content=body, headers=headers).status_code == 202
    wait_until(lambda: Event.objects.filter(type="return.authorized").exists(), product)
    for name in ("web", "worker"):
        assert "manifest_invalid" in product.log(name)
        assert "broken.yaml" in product.log(name)
