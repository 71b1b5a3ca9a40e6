"""The lanes of an order's timeline: each person hides and moves them, on the page and by API."""

import re
from typing import Any

import pytest
from django.test import Client

from tests.builders.sources import create_sources, store_story
from tests.builders.users import signed_in
from visibility.models import Order
from visibility.pipeline import job_functions
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
LANE = re.compile(r'<div class="lane-head"[^>]*><b>([^<]+)</b>')
API = "/api/v1/order-lanes"


@pytest.fixture
def order() -> Order:
    """An order that the ERP, the warehouse and the shop reported, in this order."""
    sources = create_sources({"erp": "erp", "wms": "wms", "shop": "shop"})
    data = {"order": {"number": "SO-1"}, "lines": [{"line_id": "1", "sku": "A", "ordered": 2}]}
    short = {**data, "lines": [{"line_id": "1", "sku": "A", "backordered": 1}]}
    story = [
        ("erp", "order.received", "2026-03-02T08:00:00Z", data),
        ("wms", "line.backordered", "2026-03-02T09:00:00Z", short),
        ("shop", "order.accepted", "2026-03-02T10:00:00Z", data),
    ]
    store_story(sources, story)
    job_functions.process_messages_and_refold()
    return Order.objects.get()


def lanes(client: Client, order: Order) -> list[str]:
    return LANE.findall(client.get(f"/orders/{order.pk}").content.decode())


def press(client: Client, order: Order, action: str) -> Any:
    """Press a button of the menu, with the fields that the page has."""
    page = client.get(f"/orders/{order.pk}").content.decode()
    form = page.split('action="/order-lanes"')[1].split("</form>")[0]
    assert f'value="{action}"' in form
    keys = re.findall(r'name="lane" value="([^"]+)"', form)
    address = re.findall(r'name="next" value="([^"]+)"', form)[0].replace("&amp;", "&")
    return client.post("/order-lanes", {"lane": keys, "do": action, "next": address})


def test_a_person_moves_and_hides_lanes_and_others_see_all_of_them(order: Order) -> None:
    olga, ben = signed_in(UserRole.OPERATIONS, "olga"), signed_in(UserRole.OPERATIONS, "ben")
    assert lanes(olga, order) == ["ERP", "WMS", "SHOP"]
    answer = press(olga, order, "up:shop")
    assert answer.headers["location"].startswith(f"/orders/{order.pk}?lanes=1&")
    assert lanes(olga, order) == ["ERP", "SHOP", "WMS"]
    press(olga, order, "down:erp")
    press(olga, order, "hide:wms")
    assert lanes(olga, order) == ["SHOP", "ERP"]
    page = olga.get(f"/orders/{order.pk}").content.decode()
    # What is hidden is named, with its exceptions.
    assert re.search(r"You hide: WMS <strong[^>]*>\(1 exception\)", page)
    assert lanes(ben, order) == ["ERP", "WMS", "SHOP"]
    press(olga, order, "show:wms")
    assert lanes(olga, order) == ["SHOP", "ERP", "WMS"]
    press(olga, order, "reset")
    assert lanes(olga, order) == ["ERP", "WMS", "SHOP"]


def test_lanes_by_api(order: Order) -> None:
    olga = signed_in(UserRole.OPERATIONS, "olga")
    body = {"lanes": ["shop", "@team"], "hidden": ["erp"]}
    options: Any = {"content_type": "application/json"}
    assert olga.put(API, body, **options).json() == body
    assert olga.get(API).json() == body
    assert lanes(olga, order) == ["SHOP", "WMS"]
    refused = olga.put(API, {"hidden": ["nothing"]}, **options)
    assert refused.status_code == 400
    assert "nothing" in refused.json()["detail"]
    assert olga.delete(API, {}, **options).json() == {"lanes": [], "hidden": []}


def test_unknown_lanes_and_addresses_of_other_sites_are_ignored(order: Order) -> None:
    olga = signed_in(UserRole.OPERATIONS, "olga")
    form = {"lane": ["erp", "nothing"], "do": "hide:erp", "next": "https://example.com/"}
    assert olga.post("/order-lanes", form).headers["location"] == "/orders"
    assert lanes(olga, order) == ["ERP", "WMS", "SHOP"]
    strict = Client(enforce_csrf_checks=True)
    assert strict.post("/order-lanes", form).status_code == 403
