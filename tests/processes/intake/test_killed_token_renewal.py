"""A worker is killed between the answer with a new refresh token and the first use of it."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.builders.vendor_server import Answer, VendorRequest, VendorServer
from tests.product import Product
from visibility.ingest.source_secrets import decrypt_secrets, secret_setting_values_by_name
from visibility.models import InboundMessage, Source

SECRET = "the-client-secret-of-this-source"
MANIFEST = """
connector: rotating_erp
version: 1
title: Rotating ERP
role: erp
description: An ERP that replaces the refresh token with each renewal.
settings:
  base_url: {type: url, help: The URL.}
  refresh_token: {type: secret, help: The first refresh token.}
receive:
  poll:
    every: 1 h
    get: "{$base_url}/orders"
    auth:
      oauth2_refresh_token:
        token_url: "{$base_url}/token"
        client_id: c1
        client_secret: "{$secret}"
        refresh_token: "{$refresh_token}"
        refresh_token_lasts: 60 days
    records: rows
read: {format: json}
order: {numbers: [{scheme: sales_order, value: number}]}
events:
  - {type: order.received, key: "order {number}", at: {value: changed, offset: included}}
examples:
  - {text: '{"number": "1", "changed": "2026-03-02T10:00:00Z"}', gives: [order.received]}
"""


@pytest.fixture
def vendor() -> Iterator[VendorServer]:
    server = VendorServer([{"number": "S1", "changed": "2026-03-02T10:00:00Z"}])
    server.authorize = server.has_current_token
    yield server
    server.close()


@pytest.fixture
def product(tmp_path: Path, vendor: VendorServer) -> Iterator[Product]:
    running = Product(tmp_path, OUTGOING_ALLOWED=vendor.address)
    (tmp_path / "connectors").mkdir()
    (tmp_path / "connectors" / "rotating_erp.yaml").write_text(MANIFEST)
    running.manage(
        *("source", "add", "erp", "--connector", "rotating_erp", "--secret", SECRET),
        *("--config", f"base_url={vendor.url}", "refresh_token=refresh-1"),
    )
    yield running
    running.stop()


def wait_until(is_done: Callable[[], object], product: Product) -> None:
    deadline = time.monotonic() + 60
    while not is_done():
        assert time.monotonic() < deadline, product.log("worker")
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_new_refresh_token_survives(product: Product, vendor: VendorServer) -> None:
    answer_orders = vendor.answers["/orders"]
    killed = []

    def kill_worker(request: VendorRequest) -> Answer:
        product.kill("worker")
        killed.append(request)
        return answer_orders(request)

    vendor.answers["/orders"] = kill_worker
    product.start("worker")
    wait_until(lambda: killed, product)
    row = Source.objects.get()
    stored = secret_setting_values_by_name(decrypt_secrets(row.sealed_secrets))
    assert stored["refresh_token"] == vendor.refresh_token == "refresh-2"
    assert not InboundMessage.objects.exists()

    vendor.answers["/orders"] = answer_orders
    # The lease of the killed round ends.
    Source.objects.update(next_poll_at=row.created_at)
    product.start("worker")
    wait_until(InboundMessage.objects.exists, product)
    row = Source.objects.get()
    assert row.poll_error == ""
    assert "refresh_token" in row.secret_ends
