"""Webhooks without data, over real HTTP: the worker reads what changed within seconds."""

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import httpx2
import pytest

from tests.builders.polled_systems import PolledSystem, running_system, send_json, send_order
from tests.product import Product
from visibility.db.database_time import database_now
from visibility.models import Event, InboundMessage, MessageState, Source

SECRET = "the-secret-that-signs-the-notices"
STATE = "the-client-state-of-the-subscription"
# Longer than the pause between polls that notices cause, and the scheduler's own pauses.
SECONDS = 15.0
REASON = "the shop only says that an order changed; the order is polled"
MANIFEST = f"""
connector: notice_shop
version: 1
title: Notice shop
role: shop
description: A shop whose webhooks only say that an order changed.
settings:
  base_url: {{type: url, help: The URL of the shop.}}
receive:
  webhook:
    verify: {{hmac: sha256, encoding: hex, header: x-signature}}
    notice: {{if: {{scope: {{begins: order.}}}}, reason: {REASON}}}
  poll:
    every: 1 h
    get: "{{$base_url}}/orders"
    records: orders
read: {{format: json}}
order: {{numbers: [{{scheme: web_order, value: number}}]}}
events:
  - {{type: order.received, key: "order {{number}}", at: {{value: at, offset: included}}}}
examples:
  - {{text: '{{"number": "1", "at": "2026-03-02T10:00:00Z"}}', gives: [order.received]}}
  - {{text: '{{"scope": "order.changed", "id": 7}}', ignored: {REASON}}}
"""


class NoticeShop:
    """A shop with orders; `throttled`: it refuses every request for a minute."""

    def __init__(self) -> None:
        self.orders: list[dict[str, str]] = []
        self.throttled = False

    def respond(self, handler: BaseHTTPRequestHandler, _system: PolledSystem) -> None:
        if self.throttled:
            send_json(handler, {}, status=429, headers={"retry-after": "60"})
        else:
            send_json(handler, {"orders": self.orders})


@pytest.fixture
def shop() -> NoticeShop:
    return NoticeShop()


@pytest.fixture
def product(
    tmp_path: Path, shop: NoticeShop
) -> Iterator[tuple[Product, PolledSystem, PolledSystem]]:
    """The product with web process and worker, and the two systems that it polls."""
    with ExitStack() as stack:
        systems = [stack.enter_context(running_system(r)) for r in (shop.respond, send_order)]
        allowed = ",".join(system.address for system in systems)
        running = Product(tmp_path, OUTGOING_ALLOWED=allowed)
        (tmp_path / "connectors").mkdir()
        (tmp_path / "connectors" / "notice_shop.yaml").write_text(MANIFEST)
        for slug, connector, secret, system in (
            ("shop", "notice_shop", SECRET, systems[0]),
            ("erp", "business_central", STATE, systems[1]),
        ):
            running.manage(
                *("source", "add", slug, "--connector", connector, "--secret", secret),
                *("--config", f"base_url={system.base_url}"),
            )
        Source.objects.update(poll_every="1:00:00")
        stack.callback(running.stop)
        running.start("web", "worker")
        yield running, systems[0], systems[1]


def wait_until(is_done: Callable[[], object], product: Product, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not is_done():
        assert time.monotonic() < deadline, product.log("worker") + product.log("web")
        time.sleep(0.1)


def send_notice(product: Product, number: int) -> None:
    body = json.dumps({"scope": "order.changed", "id": number}).encode()
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {"x-signature": signature, "content-type": "application/json"}
    answer = httpx2.post(f"{product.url}/hooks/shop", content=body, headers=headers, timeout=15)
    assert answer.status_code == 202, answer.text


def polled(slug: str) -> bool:
    return Source.objects.get(slug=slug).polled_until is not None


def is_waiting() -> bool:
    return InboundMessage.objects.filter(state=MessageState.WAITING).exists()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_notices_are_followed_by_one_poll_within_seconds(
    product: tuple[Product, PolledSystem, PolledSystem], shop: NoticeShop
) -> None:
    running, system, erp = product
    wait_until(lambda: polled("shop") and polled("erp"), running)
    assert Source.objects.filter(next_poll_at__gt=database_now()).count() == 2
    before, erp_before = len(system.requested_at), len(erp.requested_at)

    shop.orders = [{"number": "W-1", "at": "2026-03-02T10:00:00Z"}]
    for number in range(30):
        send_notice(running, number)
    wait_until(lambda: Event.objects.filter(type="order.received").exists(), running, SECONDS)
    wait_until(lambda: not is_waiting(), running)
    time.sleep(6)
    # A notice that arrives while the poll runs is followed by another one.
    assert 1 <= len(system.requested_at) - before <= 3
    assert len(erp.requested_at) == erp_before
    details = InboundMessage.objects.filter(detail__startswith="ignored").values_list(
        "state", "detail"
    )
    assert set(details) == {("applied", f"ignored: {REASON}")}
    assert len(details) == 30

    notification = {"value": [{"subscriptionId": "s1", "clientState": STATE, "resource": "r"}]}
    answer = httpx2.post(f"{running.url}/hooks/erp", json=notification, timeout=15)
    assert answer.status_code == 202, answer.text
    wait_until(lambda: len(erp.requested_at) > erp_before, running, SECONDS)

    shop.throttled = True
    send_notice(running, 100)
    wait_until(lambda: Source.objects.get(slug="shop").throttled_until, running, SECONDS)
    throttled = len(system.requested_at)
    for number in range(101, 105):
        send_notice(running, number)
    wait_until(lambda: not is_waiting(), running)
    time.sleep(6)
    assert len(system.requested_at) == throttled
    row = Source.objects.get(slug="shop")
    assert row.next_poll_at == row.throttled_until
    assert row.failing_since is None
