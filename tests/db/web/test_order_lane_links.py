"""The lanes of an order: links between its objects, and the time outside working hours."""

import re
from html import unescape

import pytest
from django.test import Client

from tests.builders.alerts import statements
from tests.builders.sla_rules import create_rule
from tests.builders.sources import create_sources, store_story
from tests.builders.users import signed_in
from visibility.db.database_time import database_now
from visibility.models import Event, Order, SlaClock, SlaRule, WorkCalendar
from visibility.pipeline import job_functions
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
ARROW = re.compile(r'<i class="lane-arrow[ "][^>]*>')


@pytest.fixture
def order() -> Order:
    """An order with a shipment and an invoice, received on Friday and shipped on Monday."""
    sources = create_sources({"erp": "erp", "wms": "wms"})
    number = {"order": {"number": "SO-<1>"}}
    lines = [{"line_id": "1", "sku": "A", "ordered": 2}]
    shipped = {**number, "shipment": "S1", "lines": [{"line_id": "1", "sku": "A", "shipped": 2}]}
    billed = {**number, "invoice": {"number": "I1"}}
    store_story(
        sources,
        [
            ("erp", "order.received", "2026-03-06T15:00:00Z", {**number, "lines": lines}),
            ("wms", "shipment.confirmed", "2026-03-09T15:00:00Z", shipped),
            ("erp", "invoice.issued", "2026-03-09T19:00:00Z", billed),
        ],
    )
    job_functions.process_messages_and_refold()
    return Order.objects.get()


@pytest.fixture
def clerk() -> Client:
    return signed_in(UserRole.CUSTOMER_SERVICE)


def lanes(client: Client, order: Order, query: str = "") -> str:
    page = client.get(f"/orders/{order.pk}{query}").content.decode()
    return page.partition('id="order-lanes"')[2].partition("</section>")[0]


def switch(text: str, label: str) -> str:
    (address,) = re.findall(rf'href="([^"]+)" data-zoom="links">{label}<', text)
    return unescape(address).partition("#")[0]


def test_links_are_shown_on_request_and_stay_in_the_addresses(order: Order, clerk: Client) -> None:
    plain = lanes(clerk, order)
    assert not ARROW.search(plain)
    assert "object-links" not in plain
    shown = lanes(clerk, order, switch(plain, "Show links"))
    assert len(ARROW.findall(shown)) == 2
    listed = shown.partition('id="object-links"')[2].partition("</ul>")[0]
    texts = [re.sub("<[^>]+>", "", item) for item in re.findall(r"<li>(.*?)</li>", listed)]
    assert texts == ["Order SO-&lt;1&gt; → shipment S1", "Order SO-&lt;1&gt; → invoice I1"]
    shipped = Event.objects.get(type="shipment.confirmed").pk
    assert f"event={shipped}&amp;links=1#event" in listed
    # Zoom and tabs keep them, and the switch keeps the zoom.
    zoomed = lanes(clerk, order, "?zoom=exceptions&scale=2&links=1")
    assert not ARROW.search(zoomed)
    assert switch(zoomed, "Hide links") == "?zoom=exceptions&scale=2"
    assert all("links=1" in a for a in re.findall(r'href="([^"]+)" data-zoom[ >]', zoomed))
    page = clerk.get(f"/orders/{order.pk}?links=1").content.decode()
    assert 'href="?tab=lines&amp;links=1"' in page
    for wrong in ("2", "yes", "%00"):
        assert "object-links" not in lanes(clerk, order, f"?links={wrong}")


def timer(order: Order, calendar: WorkCalendar) -> None:
    rule = create_rule()
    SlaRule.objects.filter(pk=rule.pk).update(calendar=calendar)
    now = database_now()
    SlaClock.objects.create(
        rule=rule, order=order.object, subject_key="x", started_at=now, due_at=now, state="met"
    )


def calendar(title: str, opens: str, closes: str) -> WorkCalendar:
    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    hours = {day: [[opens, closes]] for day in days}
    return WorkCalendar.objects.create(code=title, title=title, zone="UTC", hours=hours)


def test_time_outside_the_working_hours_of_the_timers_is_shaded(
    order: Order, clerk: Client
) -> None:
    assert "outside the working hours" not in lanes(clerk, order)
    SlaClock.objects.all().delete()
    timer(order, calendar("<Dock>", "08:00", "17:00"))
    shaded = lanes(clerk, order)
    assert len(re.findall('<i class="closed"', shaded)) >= 3  # Friday to Monday
    assert "outside the working hours of “&lt;Dock&gt;”" in shaded
    assert "Shaded: outside the working hours of &lt;Dock&gt;." in shaded


def test_a_calendar_of_24_hours_shades_nothing(order: Order, clerk: Client) -> None:
    SlaClock.objects.all().delete()
    timer(order, calendar("Always", "00:00", "24:00"))
    text = lanes(clerk, order)
    assert 'class="closed' not in text
    assert "working hours" not in text


def test_links_need_no_further_statement(order: Order, clerk: Client) -> None:
    address = f"/orders/{order.pk}"
    clerk.get(address)
    assert statements(clerk, f"{address}?links=1") == statements(clerk, address)
