"""The order list: quick views with counts, urgency, filters, progress, sum, and the preview."""

import re
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client

from tests.builders.alerts import alert, order
from tests.builders.listed_orders import walk_pages
from tests.builders.users import signed_in
from visibility.db.database_time import database_now
from visibility.models import Milestone, Order, OrderLine, Shipment
from visibility.screens.orders.order_views import QUICK_VIEWS
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def now() -> datetime:
    return database_now()


@pytest.fixture
def clerk() -> Client:
    return signed_in(UserRole.CUSTOMER_SERVICE)


def fetch(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200, (address, response.status_code)
    return response.content.decode()


def midnight_utc(moment: datetime) -> datetime:
    """How a promised date without a time is stored."""
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def test_counts_of_quick_views_equal_their_lists(clerk: Client, now: datetime) -> None:
    order("SO-LATE", promised_at=now - HOUR)
    order("SO-TODAY", promised_at=midnight_utc(now))
    order("SO-DONE", promised_at=now - DAY, delivered_at=now - 2 * DAY, status="delivered")
    order("SO-BACK", states=["backordered"], status="backordered")
    order("SO-UNKNOWN", status="unknown", is_open=False)
    page = fetch(clerk, "/orders")
    tabs = re.findall(r'<a href="([^"]+)"[^>]*>[^<]+<span class="count[^"]*">([\d,]+)<', page)
    assert len(tabs) == len(QUICK_VIEWS)
    counts = {address.replace("&amp;", "&"): int(count) for address, count in tabs}
    for address, count in counts.items():
        assert len(walk_pages(clerk, address)) == count, address
    assert counts["/orders?late=1"] == counts["/orders?due_today=1"] == 1
    assert counts["/orders?open=1"] == 4
    assert counts["/orders"] == 5
    assert '<a href="/orders?late=1" data-count-of-list="1"><b>1</b> past promise date</a>' in page


def test_date_without_a_time_is_due_until_the_end_of_the_day(clerk: Client, now: datetime) -> None:
    today = order("SO-TODAY", promised_at=midnight_utc(now))
    assert walk_pages(clerk, "/orders?late=1") == []
    assert walk_pages(clerk, "/orders?due_today=1") == [today.pk]
    Order.objects.update(promised_at=midnight_utc(now) - DAY)
    assert walk_pages(clerk, "/orders?late=1") == [today.pk]


def test_open_orders_are_listed_most_urgent_first(clerk: Client, now: datetime) -> None:
    never = order("SO-NEVER", last_event_at=now)
    delivered = order("SO-DONE", promised_at=now - 9 * DAY, delivered_at=now - 8 * DAY)
    later, late, soon = (order(f"SO-{n}", promised_at=now + n * HOUR) for n in (48, -30, 5))
    page = fetch(clerk, "/orders?open=1")
    listed = [int(pk) for pk in re.findall(r'<tr data-id="(\d+)"', page)]
    assert listed == [late.pk, soon.pk, later.pk, never.pk, delivered.pk]
    assert "most urgent first" in page
    assert re.search(r'slack-urgent tone-late">1 d 6 h late<', page)
    assert re.search(r'slack-urgent tone-risk">\d h( \d+ min)? left<', page)
    assert ">1 d late<" in page
    assert "No promise" in page


def test_filters_by_carrier_alert_and_missing_scan(clerk: Client, now: datetime) -> None:
    scanned, unscanned = order("SO-1", carrier="UPS"), order("SO-2", carrier="FedEx")
    for listed, scan in ((scanned, now), (unscanned, None)):
        Shipment.objects.create(
            order=listed, key="S", tracking=["1Z"], shipped_at=now - DAY, first_scan_at=scan
        )
    assert walk_pages(clerk, "/orders?carrier=UPS") == [scanned.pk]
    assert walk_pages(clerk, "/orders?no_scan=1") == [unscanned.pk]
    assert walk_pages(clerk, "/orders?alert=1") == []
    page = fetch(clerk, "/orders?carrier=UPS")
    assert '<span class="chip-key">Carrier</span> UPS' in page
    assert '<option value="FedEx">FedEx</option>' in page
    empty = clerk.get("/orders?status=&carrier=UPS&customer=")
    assert empty.headers["location"] == "/orders?carrier=UPS"


def test_progress_ends_before_a_milestone_that_is_not_reached(clerk: Client, now: datetime) -> None:
    """Many systems invoice with the shipment: the order is not delivered by that."""
    listed = order("SO-1", status="shipped")
    for code in ("received", "shipped", "invoiced"):
        Milestone.objects.create(order=listed, code=code, reached_at=now)
    assert 'aria-label="Step 6 of 8: Shipped"' in fetch(clerk, "/orders")
    Milestone.objects.create(order=listed, code="delivered", reached_at=now)
    assert 'aria-label="Step 8 of 8: ' in fetch(clerk, "/orders")


def test_sum_of_the_list_needs_the_prices_permission(clerk: Client) -> None:
    for number, total, currency in (("1", "1200", "USD"), ("2", "34", "USD"), ("3", "5", "EUR")):
        order(f"SO-{number}", total=Decimal(total), currency=currency)
    page = fetch(clerk, "/orders")
    assert "1,234 USD · 5 EUR" in page
    assert "1,234 USD" not in fetch(signed_in(UserRole.INTEGRATOR), "/orders")


def test_customers_to_filter_by_need_the_contacts_permission(clerk: Client) -> None:
    order("SO-1", customer_name="Nora Quist", customer_no="C100")
    assert '<option value="Nora Quist">' in fetch(clerk, "/orders")
    page = fetch(signed_in(UserRole.EXECUTIVE), "/orders")
    assert '<option value="C100">' in page
    assert "Nora Quist" not in page


def test_preview_shows_open_lines_with_prices_and_names_by_permission(clerk: Client) -> None:
    shown = order("SO-1", customer_name="Nora Quist", customer_no="C100", currency="USD")
    for position, (sku, state, shipped) in enumerate(
        [("A-1", "ordered", 2), ("A-2", "shipped", 5), ("A-3", "cancelled", 0)]
    ):
        OrderLine.objects.create(
            order=shown,
            key=sku,
            position=position,
            sku=sku,
            state=state,
            ordered=5,
            shipped=shipped,
            price=Decimal(10),
        )
    address = f"/orders/{shown.pk}/preview"
    preview = fetch(clerk, address).partition('id="preview"')[2]
    for text in ("SO-1", "Nora Quist", "A-1", "2 / 5", "30.00 USD", f'href="/orders/{shown.pk}"'):
        assert text in preview, text
    assert "A-2" not in preview
    assert "A-3" not in preview
    other = fetch(signed_in(UserRole.INTEGRATOR), address)
    assert "30.00" not in other
    assert "Nora Quist" not in other
    assert "C100" in other
    assert clerk.get("/orders/999999/preview").status_code == 404
    assert Client().get(address).status_code == 302


def test_preview_says_that_there_are_more_alerts_than_it_counts(clerk: Client) -> None:
    shown = order("SO-1")
    for number in range(4):
        alert(of=shown, subject_key=f"line {number}")
    address = f"/orders/{shown.pk}/preview"
    assert "and 1 more alert<" in fetch(clerk, address)
    for number in range(4, 30):
        alert(of=shown, subject_key=f"line {number}")
    assert "and more than 17 more alerts" in fetch(clerk, address)
