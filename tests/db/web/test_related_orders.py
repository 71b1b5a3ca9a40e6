"""Related orders: of one PO, in one shipment, duplicates, of the customer, in pages, by rights."""

import re
from datetime import timedelta
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.test import Client

from tests.builders.alerts import order
from tests.builders.listed_orders import walk_pages
from tests.builders.sources import ERP_NUMBERS, StoryEvent, create_source, store_story
from tests.builders.users import signed_in
from visibility.db.database_time import database_now
from visibility.models import BusinessObject, Identifier, ObjectRelation, Order
from visibility.pipeline import job_functions
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db


@pytest.fixture
def clerk() -> Client:
    return signed_in(UserRole.CUSTOMER_SERVICE)


def with_po(number: str, po: str, **fields: Any) -> Order:
    created = order(number, customer_po=po, **fields)
    Identifier.objects.create(
        object=created.object,
        kind="order",
        scheme="customer_po",
        issuer="C1",
        value=po,
        raw=po,
        is_identity=False,
    )
    return created


def groups(client: Client, of: Order, query: str = "") -> dict[str, tuple[int, list[str]]]:
    """By title: the count, and the orders of the page."""
    page = client.get(f"/orders/{of.pk}{query}").content.decode()
    related = page.partition('id="related-head"')[2].partition("</section>")[0]
    return {
        title.strip(): (int(count.replace(",", "")), re.findall(r"<b>([^<]+)</b>", rows))
        for title, count, rows in re.findall(
            r'<h3>([^<]+)<span class="count">([^<]+)</span></h3>(.*?)</ul>', related, re.DOTALL
        )
    }


def test_each_group_has_its_orders_and_their_count(clerk: Client) -> None:
    now = database_now()
    same = {"total": Decimal(90), "currency": "USD", "ordered_at": now}
    own = with_po("SO-1", "PO-7", customer_no="C1", **same)
    with_po("SO-2", "PO-7", customer_no="C1", ordered_at=now - timedelta(days=9))
    with_po("SO-3", "PO-7", customer_no="C1", **same | {"ordered_at": now - timedelta(hours=1)})
    with_po("SO-4", "PO-8", customer_no="C1", is_open=False)
    shared = order("SO-5", customer_no="C2")
    package = BusinessObject.objects.create(kind="shipment")
    for parent in (own, shared):
        ObjectRelation.objects.create(parent=parent.object, child=package, event_id=1)
    assert groups(clerk, own) == {
        "Same purchase order": (2, ["SO-3", "SO-2"]),
        "In the same shipment": (1, ["SO-5"]),
        "Possible duplicates": (1, ["SO-3"]),
        "Other open orders of the customer": (2, ["SO-3", "SO-2"]),
    }
    # Integrators see no lists of orders.
    assert "Other open orders of the customer" not in groups(signed_in(UserRole.INTEGRATOR), own)
    page = clerk.get(f"/orders/{own.pk}").content.decode()
    assert "90.00 USD" in page.partition('id="related-head"')[2]
    page = signed_in(UserRole.INTEGRATOR).get(f"/orders/{own.pk}").content.decode()
    assert "90.00 USD" not in page.partition('id="related-head"')[2]


def test_large_groups_have_pages_and_lead_to_the_list(clerk: Client) -> None:
    now = database_now()
    orders = [
        with_po(f"SO-{n}", "PO-7", customer_no="C1", ordered_at=now - timedelta(hours=n))
        for n in range(15)
    ]
    listed, query = [], ""
    for shown in ("1 to 6 of 14", "7 to 12 of 14", "13 to 14 of 14"):
        page = unescape(clerk.get(f"/orders/{orders[0].pk}{query}").content.decode())
        group = page.partition('id="related-po"')[2].partition('id="related-customer"')[0]
        assert shown in group
        listed += re.findall(r"<b>([^<]+)</b>", group)
        following = re.findall(r'href="(\?[^"#]+)[^"]*">Older<', group)
        query = following[0] if following else query
    assert listed == [f"SO-{n}" for n in range(1, 15)]
    address = re.findall(r'href="(/orders\?[^"]+)">All in the list', page)[0]
    assert set(walk_pages(clerk, address)) == {each.pk for each in orders}


def test_returns_lead_to_their_activity(clerk: Client) -> None:
    source = create_source("erp", role="erp", config=dict(ERP_NUMBERS))
    number: dict[str, Any] = {"order": {"number": "SO-1"}}
    story: list[StoryEvent] = [
        ("erp", "order.received", "2026-03-02T08:00:00Z", number),
        ("erp", "return.received", "2026-03-09T08:00:00Z", {**number, "return": "RMA-4"}),
    ]
    store_story({"erp": source}, story)
    job_functions.process_messages_and_refold()
    page = unescape(clerk.get(f"/orders/{Order.objects.get().pk}").content.decode())
    related = page.partition('id="related-head"')[2].partition("</section>")[0]
    address, label = re.findall(r'<a href="([^"]+)">(Return [^<]+)<', related)[0]
    assert label == "Return RMA-4"
    page = clerk.get(f"/orders/{Order.objects.get().pk}{address}").content.decode()
    assert "Return received" in page.partition('id="order-activity"')[2]
    assert "Order received" not in page.partition('id="order-activity"')[2]
