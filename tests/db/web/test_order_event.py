"""The event panel: what an event changed, and the report to the team that it is wrong."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.builders.alerts import alert
from tests.builders.sla_rules import create_rule
from tests.builders.sources import create_sources, store_story
from tests.builders.users import signed_in, user_of_role
from visibility.models import AuditEntry, Event, Order, OrderMention, OrderNote, SlaClock, Source
from visibility.pipeline import job_functions
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
SHIPPED_AT = datetime(2026, 3, 3, 15, tzinfo=UTC)


@pytest.fixture
def order() -> Order:
    """An order that the warehouse shipped completely."""
    sources = create_sources({"erp": "erp", "wms": "wms"})
    number = {"order": {"number": "SO-1"}}
    lines = [{"line_id": "1", "sku": "A", "ordered": 2}]
    shipped = {**number, "shipment": "S1", "lines": [{"line_id": "1", "sku": "A", "shipped": 2}]}
    story = [
        ("erp", "order.received", "2026-03-02T15:00:00Z", {**number, "lines": lines}),
        ("erp", "order.changed", "2026-03-02T16:00:00Z", {**number, "lines": lines}),
        ("wms", "shipment.confirmed", "2026-03-03T15:00:00Z", shipped),
    ]
    store_story(sources, story)
    job_functions.process_messages_and_refold()
    return Order.objects.get()


def event_id(kind: str) -> int:
    return Event.objects.get(type=kind).pk


def panel(client: Client, order: Order, kind: str, query: str = "") -> str:
    page = client.get(f"/orders/{order.pk}?event={event_id(kind)}{query}").content.decode()
    return unescape(page.partition('id="event-panel"')[2].partition("</section>")[0])


def changes(text: str) -> str:
    listed = text.partition("What it changed")[2].partition("</ul>")[0]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", listed))


def test_panel_says_what_the_event_changed(order: Order) -> None:
    opened = alert(of=order)
    SlaClock.objects.create(
        rule=create_rule(),
        order=order.object,
        subject_key=opened.subject_key,
        started_at=SHIPPED_AT - timedelta(days=1),
        stopped_at=SHIPPED_AT,
        due_at=SHIPPED_AT + timedelta(days=1),
        state="met",
    )
    clerk = signed_in(UserRole.CUSTOMER_SERVICE)
    shown = panel(clerk, order, "shipment.confirmed")
    assert "Milestone completed: shipped" in changes(shown)
    assert f"Stopped SLA timer: {create_rule().title}" in changes(shown)
    assert f'href="/alerts/{opened.pk}"' in shown
    assert "No milestone" in changes(panel(clerk, order, "order.changed"))
    # Alerts of orders are not for integrators.
    hidden = panel(signed_in(UserRole.INTEGRATOR), order, "shipment.confirmed")
    assert "Milestone completed: shipped" in hidden
    assert "SLA timer: " not in hidden
    assert "What it changed" not in panel(
        clerk, order, "shipment.confirmed", "&as_known_at=2099-03-20T00:00:00%2B00:00"
    )


def test_wrong_event_becomes_a_note_that_mentions_the_owner_of_its_source(order: Order) -> None:
    clerk, owner = signed_in(UserRole.CUSTOMER_SERVICE), User.objects.create(username="olga")
    owner.groups.add(*user_of_role(UserRole.OPERATIONS).groups.all())
    Source.objects.filter(slug="wms").update(owner_user=owner)
    shown = panel(clerk, order, "shipment.confirmed")
    assert "mentions olga, who owns WMS" in shown
    address = re.findall(r'action="(/orders/[^"]+/wrong)"', shown)[0]
    before = Event.objects.values_list("data", "superseded")[:]
    answer = clerk.post(address, {"wrong": "<b>Only one</b> piece left"}, follow=True)
    assert answer.redirect_chain == [(f"/orders/{order.pk}?tab=notes", 302)]
    page = answer.content.decode()
    assert "Noted for your team and olga. Nothing was sent to WMS." in page
    assert "&lt;b&gt;Only one&lt;/b&gt; piece left" in page
    note = OrderNote.objects.get()
    number = event_id("shipment.confirmed")
    assert note.text.startswith("@olga Shipment confirmed from WMS, Tue, Mar 3, 15:00 (event ")
    assert f"(event {number}, message " in note.text
    assert OrderMention.objects.get().user == owner
    entry = AuditEntry.objects.get(action="order.event_reported_wrong")
    assert (entry.user, entry.object) == (
        user_of_role(UserRole.CUSTOMER_SERVICE),
        f"order {order.pk}",
    )
    assert entry.detail == {"event": number, "note": note.pk}
    assert list(Event.objects.values_list("data", "superseded")) == list(before)


def test_report_needs_a_text_an_event_of_the_order_and_the_right_to_write_notes(
    order: Order,
) -> None:
    clerk = signed_in(UserRole.CUSTOMER_SERVICE)
    address = f"/orders/{order.pk}/events/{event_id('shipment.confirmed')}/wrong"
    answer = clerk.post(address, {"wrong": "  "}, follow=True)
    assert "Enter what is wrong." in answer.content.decode()
    other = f"/orders/{order.pk}/events/{event_id('shipment.confirmed') + 999}/wrong"
    assert clerk.post(other, {"wrong": "x"}).status_code == 404
    for role in (UserRole.EXECUTIVE, UserRole.INTEGRATOR):
        client = signed_in(role)
        assert "This is wrong" not in panel(client, order, "shipment.confirmed")
        assert client.post(address, {"wrong": "x"}).status_code == 403
    assert not OrderNote.objects.exists()
