"""The page of an event's raw fields: who may see it, what is audited, pages."""

import re
from html import unescape

import pytest
from django.test import Client

from connectors.sdk.events import CanonicalEvent
from tests.builders.sources import create_sources, store_story
from tests.builders.users import signed_in
from visibility.ingest.parse_messages_and_pick_versions import StoredMessage
from visibility.models import AuditEntry, Event, Order, Source
from visibility.pipeline import job_functions
from visibility.screens.messages import field_map
from visibility.web.pages import event_fields
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process for each reading has its own test."""

    def read_here(
        message: StoredMessage, source: Source, event: CanonicalEvent
    ) -> field_map.FieldMap:
        return field_map.build_field_map(message, source, event, 20)

    monkeypatch.setattr(event_fields, "map_fields", read_here)


@pytest.fixture
def order() -> Order:
    lines = [{"line_id": str(n), "sku": f"SKU<{n}>", "ordered": n} for n in range(1, 6)]
    story = [
        (
            "erp",
            "order.received",
            "2026-03-02T15:00:00Z",
            {"order": {"number": "SO-1"}, "lines": lines},
        )
    ]
    store_story(create_sources({"erp": "erp"}), story)
    job_functions.process_messages_and_refold()
    return Order.objects.get()


@pytest.fixture
def integrator() -> Client:
    return signed_in(UserRole.INTEGRATOR, "ines")


def address(order: Order) -> str:
    return f"/orders/{order.pk}/events/{Event.objects.get().pk}/fields"


def rows(page: str) -> list[str]:
    text = [re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", row)) for row in page.split("<tr>")[2:]]
    return [unescape(row).strip() for row in text]


def test_fields_and_their_raw_fields_are_listed_in_pages(
    order: Order, integrator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_fields, "PAGE_SIZE", 15)
    page = integrator.get(address(order)).content.decode()
    assert "data.order.number SO-1" in " ".join(rows(page))
    assert "data.lines[0].sku SKU<1>" in " ".join(rows(page))
    assert "SKU<1>" not in page
    assert "raw fields were tried" in page
    assert len(rows(page)) == event_fields.PAGE_SIZE
    following = integrator.get(f"{address(order)}?page=2").content.decode()
    assert "data.lines[4].ordered 5" in " ".join(rows(following))
    assert len(set(rows(page)) & set(rows(following))) == 0
    for wrong in ("99", "-1", "x"):
        assert integrator.get(f"{address(order)}?page={wrong}").status_code == 200


def test_each_reading_is_audited(order: Order, integrator: Client) -> None:
    integrator.get(address(order))
    entry = AuditEntry.objects.get(action="message.read")
    event = Event.objects.get()
    assert (entry.object, entry.detail) == (
        f"message {event.message_id}",
        {"source": "erp", "event": event.pk},
    )
    assert entry.user is not None
    assert entry.user.username == "ines"


def test_only_who_may_see_messages_sees_raw_fields(order: Order, integrator: Client) -> None:
    panel = f"/orders/{order.pk}?event={Event.objects.get().pk}"
    assert address(order) in integrator.get(panel).content.decode()
    for role in (UserRole.CUSTOMER_SERVICE, UserRole.EXECUTIVE):
        assert signed_in(role).get(address(order)).status_code == 403
        assert address(order) not in signed_in(role).get(panel).content.decode()
    assert not AuditEntry.objects.filter(action="message.read").exists()


def test_events_of_other_orders_and_removed_payloads(
    order: Order, integrator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert integrator.get(f"/orders/{order.pk}/events/999999/fields").status_code == 404
    assert integrator.get(f"/orders/{order.pk + 1000}/events/1/fields").status_code == 404
    monkeypatch.setattr(event_fields, "load_message_body", lambda _message: None)
    page = integrator.get(address(order)).content.decode()
    assert "The payload of the message was removed" in page
    assert rows(page) == []
