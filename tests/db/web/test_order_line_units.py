"""The unit switch of the lines of an order, and where its shipments went."""

import re

import pytest
from django.test import Client

from tests.builders.sources import create_sources, store_story
from tests.builders.users import signed_in
from tests.db.master_data.conftest import put_rows
from visibility.db.database_time import database_now
from visibility.models import Order
from visibility.pipeline import job_functions
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db


@pytest.fixture
def clerk() -> Client:
    return signed_in(UserRole.CUSTOMER_SERVICE)


@pytest.fixture
def order() -> Order:
    sources = create_sources({"erp": "erp", "wms": "wms"})
    number = {"order": {"number": "SO-1"}}
    line = {"line_id": "1", "sku": "A"}
    scan = {"shipment": "S1", "tracking": "1Z1", "attributes": {"location": "Austin, <TX>"}}
    store_story(
        sources,
        [
            (
                "erp",
                "order.received",
                "2026-03-02T15:00:00Z",
                {**number, "lines": [{**line, "unit": "BX", "ordered": 5}]},
            ),
            (
                "wms",
                "shipment.confirmed",
                "2026-03-03T15:00:00Z",
                {
                    **number,
                    "shipment": "S1",
                    "tracking": "1Z1",
                    "attributes": {"warehouse": "Dallas"},
                    "lines": [{**line, "unit": "EA", "shipped": 60}],
                },
            ),
            ("wms", "shipment.delivered", "2026-03-05T15:00:00Z", {**number, **scan}),
        ],
    )
    return _processed()


def _processed() -> Order:
    job_functions.process_messages_and_refold()
    return Order.objects.get()


def table(client: Client, order: Order, query: str = "") -> dict[str, str]:
    page = client.get(f"/orders/{order.pk}?tab=lines{query}").content.decode()
    cells = re.findall(r'<td[^>]* data-title="([^"]+)">([^<]*)</td>', page)
    return {name: text for name, text in cells if name in {"Unit", "Ordered", "Shipped"}}


@pytest.fixture
def boxes() -> None:
    now = database_now()
    put_rows("item", {"number": "A"}, now=now)
    put_rows("unit", {"item": "A", "unit": "BX", "base": "EA", "numerator": 12}, now=now)


@pytest.mark.usefixtures("boxes")
def test_the_unit_is_chosen_and_stays_in_the_addresses(order: Order, clerk: Client) -> None:
    base = {"Unit": "EA", "Ordered": "60", "Shipped": "60"}
    assert table(clerk, order) == table(clerk, order, "&unit=x") == base
    assert table(clerk, order, "&unit=order") == {"Unit": "BX", "Ordered": "5", "Shipped": "5"}
    page = clerk.get(f"/orders/{order.pk}?tab=lines&unit=order").content.decode()
    assert '<a href="?tab=lines&amp;unit=order" aria-current="true">Order unit</a>' in page
    assert '<a href="?tab=lines">Base unit</a>' in page
    assert 'href="?tab=shipments&amp;unit=order"' in page


def test_there_is_no_switch_if_no_other_unit_is_known(order: Order, clerk: Client) -> None:
    for query in ("", "&unit=order"):
        page = clerk.get(f"/orders/{order.pk}?tab=lines{query}").content.decode()
        assert "Order unit" not in page
        assert table(clerk, order, query)["Unit"] == "BX"


def test_a_shipment_says_where_it_was_delivered(order: Order, clerk: Client) -> None:
    page = clerk.get(f"/orders/{order.pk}?tab=shipments").content.decode()
    text = re.sub(r"\s+", " ", re.sub("<[^>]+>", "", page))
    assert "Dallas → Austin, &lt;TX&gt; (delivery scan)" in text
