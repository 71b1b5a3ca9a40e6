"""`make test-systems`: a Vendure 3 shop pushes orders and fulfillments to the product.

Not a part of the suite: pytest collects this file only by name. It installs Vendure from npm, and
fails where that is impossible. Orders are placed, shipped, cancelled and refunded through the APIs
of the shop; afterwards the product must say what Vendure says.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.browser.journeys.new_product import new_product
from tests.product import Product, free_port
from tests.systems.vendure_shop import ADMIN_PASSWORD, VendureShop, running_vendure
from visibility.models import (
    Event,
    Identifier,
    InboundMessage,
    MessageState,
    ObjectRelation,
    Order,
    OrderLine,
    Shipment,
    Source,
)

pytestmark = pytest.mark.django_db
SECRET = "a-secret-of-more-than-24-bytes-for-vendure"  # of a test
TRACKING = ("1Z999AA10123456784", "1Z999AA10123456793", "1Z999AA10123456800")
WAIT_SECONDS = 90


@dataclass(frozen=True)
class ConnectedShop:
    """A shop, and the product that its webhooks reach."""

    vendure: VendureShop
    product: Product


@pytest.fixture(scope="module", params=["order", "notice"])
def shop(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[ConnectedShop]:
    """A shop whose plugin sends orders, or notices after which the product polls the shop."""
    folder = tmp_path_factory.mktemp("shop")
    port = free_port()
    address = f"127.0.0.1:{port}"
    settings = [f"base_url=http://{address}", "username=admin", f"password={ADMIN_PASSWORD}"]
    with new_product(
        folder, django_db_blocker, ("web", "worker"), OUTGOING_ALLOWED=address
    ) as product:
        webhook = {"url": f"{product.url}/hooks/shop", "secret": SECRET, "sends": request.param}
        with running_vendure(folder, port, [webhook]) as vendure:
            config = ["--config", *settings] if request.param == "notice" else []
            product.manage(
                "source", "add", "shop", "--connector", "vendure", "--secret", SECRET, *config
            )
            yield ConnectedShop(vendure, product)


def test_timelines_say_what_vendure_says(shop: ConnectedShop) -> None:
    vendure = shop.vendure
    sold = vendure.buy({"BOLT-M8": 10, "VLV-20": 4}, "Harbor Supply")
    refunded = vendure.buy({"BOLT-M8": 5}, "Marsh Roofing")
    cancelled = vendure.buy({"VLV-20": 1}, "Harbor Supply")
    ids = (sold, refunded, cancelled)
    wait_until(lambda: Order.objects.count() == len(ids), shop)

    vendure.cancel(cancelled, {})
    vendure.cancel(refunded, {"BOLT-M8": 1})
    first = vendure.ship(sold, {"BOLT-M8": 4, "VLV-20": 4}, TRACKING[0])
    assert vendure.records(sold)["state"] == "PartiallyShipped"
    wait_until(lambda: Shipment.objects.count() == 1, shop)
    vendure.ship(sold, {"BOLT-M8": 6}, TRACKING[1])
    third = vendure.ship(refunded, {"BOLT-M8": 4}, TRACKING[2])
    shipped_at = history_times([vendure.records(order_id) for order_id in ids], "Shipped")
    wait_until(lambda: Shipment.objects.filter(shipped_at__isnull=False).count() == 3, shop)

    vendure.move_fulfillment(first, "Delivered")
    vendure.move_fulfillment(third, "Delivered")
    wait_until(lambda: Shipment.objects.filter(delivered_at__isnull=False).count() == 2, shop)
    assert (vendure.records(sold)["state"], vendure.records(refunded)["state"]) == (
        "PartiallyDelivered",
        "Delivered",
    )
    # These change no field of the order itself.
    vendure.refund(refunded, {"BOLT-M8": 2}, 900)
    wait_until(lambda: credited_units() == 2, shop)
    vendure.refund(refunded, {"BOLT-M8": 1}, 450)
    wait_until(lambda: credited_units() == 3, shop)

    for order_id in ids:
        check_order(vendure.records(order_id), shipped_at)
    assert Order.objects.count() == len(ids)
    parked = InboundMessage.objects.filter(state=MessageState.PARKED)
    assert [(message.reason, message.detail, message.body) for message in parked] == []
    assert not Event.objects.filter(type="unmapped").exists()
    assert Source.objects.get().poll_error == ""


def credited_units() -> int:
    return sum(int(line.credited or 0) for line in OrderLine.objects.all())


def check_order(record: dict[str, Any], shipped_at: dict[str, datetime]) -> None:
    """Compare an order of the product with Vendure's own records."""
    order = Order.objects.get(number=record["code"])
    assert order.ordered_at == parse(record["orderPlacedAt"])
    if record["state"] != "Cancelled":  # Vendure sets its total to 0 after the event of the state
        assert order.total == Decimal(record["totalWithTax"]) / 100
    assert order.currency == record["currencyCode"]
    state = record["state"]
    expected_status = {
        "Cancelled": "cancelled",
        "PartiallyDelivered": "partially_delivered",
        "Delivered": "delivered",
    }
    assert order.status == expected_status[state], (state, order.status)
    skus = {line["id"]: line["productVariant"]["sku"] for line in record["lines"]}
    shipped, delivered, credited = Counter[str](), Counter[str](), Counter[str]()
    for fulfillment in record["fulfillments"]:
        units = Counter({skus[r["orderLineId"]]: r["quantity"] for r in fulfillment["lines"]})
        shipped.update(units)
        if fulfillment["state"] == "Delivered":
            delivered.update(units)
    for payment in record["payments"]:
        for refund in payment["refunds"]:
            assert refund["state"] == "Settled"
            credited.update({skus[r["orderLineId"]]: r["quantity"] for r in refund["lines"]})
    ordered = {skus[row["id"]]: row["orderPlacedQuantity"] for row in record["lines"]}
    left = {skus[row["id"]]: row["quantity"] for row in record["lines"]}
    expected = {
        "ordered": ordered,
        "cancelled": {sku: units - left[sku] for sku, units in ordered.items()},
        "shipped": shipped,
        "delivered": delivered,
        "credited": credited,
    }
    for measure, quantities in expected.items():
        shown = {line.sku: getattr(line, measure) or 0 for line in order.lines.all()}
        assert shown == {sku: quantities.get(sku, 0) for sku in ordered}, (state, measure)
    check_shipments(order, record, shipped_at)


def check_shipments(order: Order, record: dict[str, Any], shipped_at: dict[str, datetime]) -> None:
    """Compare shipments with their states, tracking codes and the times of their transitions."""
    delivered_at = history_times([record], "Delivered")
    expected = {}
    for row in record["fulfillments"]:
        expected[row["trackingCode"]] = (
            row["method"],
            seconds(shipped_at[row["id"]]),
            seconds(delivered_at[row["id"]]) if row["state"] == "Delivered" else None,
        )
    shown = {}
    for shipment in order.shipments.all():
        (tracking_code,) = tracking_codes(shipment)
        shown[tracking_code] = (
            shipment.carrier,
            seconds(shipment.shipped_at),
            seconds(shipment.delivered_at),
        )
    assert shown == expected


def tracking_codes(shipment: Shipment) -> list[str]:
    """The numbers of the packages of a shipment."""
    number = Identifier.objects.get(kind="shipment", value=shipment.key.rpartition(":")[2])
    packages = ObjectRelation.objects.filter(parent=number.object).values("child")
    return list(
        Identifier.objects.filter(kind="package", object__in=packages).values_list("raw", flat=True)
    )


def history_times(records: list[dict[str, Any]], state: str) -> dict[str, datetime]:
    """When fulfillments reached this state, by their ids, as the history of their orders says."""
    return {
        str(entry["data"]["fulfillmentId"]): parse(entry["createdAt"])
        for record in records
        for entry in record["history"]["items"]
        if entry["type"] == "ORDER_FULFILLMENT_TRANSITION" and entry["data"]["to"] == state
    }


def parse(text: str) -> datetime:
    return datetime.fromisoformat(text)


def seconds(at: datetime | None) -> int | None:
    """A time in seconds: the history is written some milliseconds after the fulfillment."""
    return None if at is None else round(at.timestamp())


def wait_until(condition: Callable[[], bool], shop: ConnectedShop) -> None:
    until = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < until, describe(shop.product)
        time.sleep(0.2)


def describe(product: Product) -> str:
    """What the product did so far, for the message of a failure."""
    source = Source.objects.values(
        "poll_error", "poll_ended_at", "next_poll_at", "poll_requested_at"
    )
    messages = InboundMessage.objects.order_by("id").values_list(
        "received_at", "state", "dedupe_key"
    )
    rows = [" ".join(map(str, row)) for row in messages]
    return "\n".join([str(source.get()), *rows, product.log("worker"), product.log("web")])
