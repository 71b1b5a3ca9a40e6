"""Discrepancies are suppressed while a source that could resolve them sends no data."""

from datetime import datetime, timedelta

import pytest
from django.db import connection

from tests.builders.users import signed_in
from tests.builders.watched_source import set_received_at_of_waiting_messages
from tests.db.web.test_discrepancies import create_sources, line_items, send_event
from tests.db.web.test_orders import fetch
from visibility.db.database_time import database_now
from visibility.models import Order, Source
from visibility.pipeline import job_functions
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
SENTENCE = "Shipped: NORTH reports 8, ERP reports 0"


@pytest.fixture
def now(db: None) -> datetime:
    return database_now()


@pytest.fixture
def order(now: datetime) -> Order:
    """The 3PL shipped 8 of 12 two days ago; the ERP still reports 0."""
    create_sources()
    send_event("erp", "order.received", now - 96 * HOUR, {"lines": line_items("ordered", A=12)})
    send_event("erp", "order.released", now - 72 * HOUR, {"lines": line_items("shipped", A=0)})
    shipped = {"shipment": "S1", "part": "shipment S1", "lines": line_items("shipped", A=8)}
    send_event("north", "shipment.confirmed", now - 48 * HOUR, shipped)
    job_functions.process_messages_and_refold()
    return Order.objects.get()


def set_last_message(slug: str, at: datetime, *, every: timedelta | None = HOUR) -> None:
    """Set the time of the last message of a source and how often one is expected."""
    Source.objects.filter(slug=slug).update(expect_every=every, created_at=at)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE visibility_inbound_message m SET received_at = %s FROM visibility_source s "
            "WHERE s.id = m.source_id AND s.slug = %s",
            [at, slug],
        )


def add_unprocessed_message(slug: str, *, for_: timedelta) -> None:
    """Store a message of the source that has been waiting this long for processing."""
    at = database_now()
    send_event(slug, "order.changed", at, {"lines": line_items("shipped", A=8)})
    set_received_at_of_waiting_messages(at - for_)


def page(order: Order, tab: str = "timeline") -> str:
    return fetch(signed_in(UserRole.CUSTOMER_SERVICE), f"/orders/{order.pk}?tab={tab}")


def test_discrepancy_is_suppressed_while_a_source_is_silent(order: Order, now: datetime) -> None:
    set_last_message("erp", now - 47 * HOUR)
    shown = page(order)
    assert SENTENCE in shown
    assert "waiting for ERP, no data since " in shown
    assert "Systems disagree on" not in shown
    assert "Systems disagree" not in shown


def test_suppressed_discrepancy_is_not_counted_in_its_tab(order: Order, now: datetime) -> None:
    set_last_message("erp", now - 47 * HOUR)
    shown = page(order, "discrepancies")
    assert "No discrepancies" in shown
    assert "not counted as a discrepancy yet: waiting for ERP, no data since " in shown


def test_discrepancy_is_suppressed_while_messages_are_unprocessed(order: Order) -> None:
    add_unprocessed_message("erp", for_=timedelta(minutes=3))
    assert "waiting for ERP, messages not processed since " in page(order)


@pytest.mark.parametrize(
    ("silent", "since", "every"),
    [
        ("erp", 40, HOUR),  # it has sent messages since, without a correction
        ("north", 47, HOUR),  # it made the newest claim
        ("erp", 47, None),  # it has no expected interval
        ("finance", 47, HOUR),  # it made no claim
    ],
)
def test_discrepancy_is_shown_if_no_claim_is_outdated(
    order: Order, now: datetime, silent: str, since: int, every: timedelta | None
) -> None:
    set_last_message(silent, now - since * HOUR, every=every)
    shown = page(order)
    assert SENTENCE in shown
    assert "waiting for" not in shown
    assert "Systems disagree on: shipped" in shown


def test_message_of_this_moment_suppresses_nothing(order: Order) -> None:
    add_unprocessed_message("erp", for_=timedelta())
    assert "waiting for" not in page(order)


def test_discrepancy_returns_after_the_source_has_caught_up(order: Order, now: datetime) -> None:
    set_last_message("erp", now - 47 * HOUR)
    send_event("erp", "order.changed", now - HOUR, {"attributes": {"channel": "web"}})
    job_functions.process_messages_and_refold()
    shown = page(order)
    assert "waiting for" not in shown
    assert "Systems disagree on: shipped" in shown


def test_as_known_at_does_not_suppress(order: Order, now: datetime) -> None:
    # Whether a source was silent at an earlier time is not evaluated.
    client = signed_in(UserRole.CUSTOMER_SERVICE)
    set_last_message("erp", now - 47 * HOUR)
    at = (database_now()).isoformat().replace("+00:00", "Z")
    shown = fetch(client, f"/orders/{order.pk}?as_known_at={at}")
    assert SENTENCE in shown
    assert "waiting for" not in shown


@pytest.mark.parametrize(("since", "is_listed"), [(40, True), (47, False)])
def test_lists_and_counts_agree_with_the_order_page(
    order: Order, now: datetime, since: int, *, is_listed: bool
) -> None:
    client = signed_in(UserRole.CUSTOMER_SERVICE)
    set_last_message("erp", now - since * HOUR)
    chip = '>Systems disagree <span class="count">1</span>'
    assert (chip in fetch(client, "/orders")) is is_listed
    for query, listed in (("state=conflict", is_listed), ("without=conflict", not is_listed)):
        assert (f'href="/orders/{order.pk}"' in fetch(client, f"/orders?{query}")) is listed
    shipped = fetch(client, "/orders?state=conflict&state=partially_shipped")
    assert f'href="/orders/{order.pk}"' in shipped


def test_api_agrees_with_the_order_page(order: Order, now: datetime) -> None:
    client = signed_in(UserRole.CUSTOMER_SERVICE)
    for address in (f"/api/v1/orders/{order.pk}", f"/api/v1/orders/{order.pk}/timeline"):
        set_last_message("erp", now - 40 * HOUR)
        response = client.get(address).json()
        assert [c["field"] for c in response["conflicts"]] == ["shipped"]
        assert "conflict" in response["states"]
        set_last_message("erp", now - 47 * HOUR)
        response = client.get(address).json()
        assert response["conflicts"] == []
        assert "conflict" not in response["states"]
        assert "contradict" not in response["status_answer"]
        assert response.get("conflict_count", 0) == 0
