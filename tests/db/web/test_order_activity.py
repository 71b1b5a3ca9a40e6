"""The activity of an order: oldest or newest first, by line and object, without a silent cut."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.builders.alerts import alert
from tests.builders.sources import StoryEvent, create_sources, store_story
from tests.builders.users import signed_in
from visibility.models import AlertEntry, Order, OrderNote
from visibility.pipeline import job_functions
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
START = datetime(2026, 3, 2, 8, tzinfo=UTC)
SCANS = 1_000


def line(sku: str, **quantities: int) -> dict[str, Any]:
    return {"line_id": sku, "sku": sku, **quantities}


def story() -> list[StoryEvent]:
    """Two lines, of which one ships in a shipment of its own."""
    order = {"number": "SO-1"}
    both = [line("A", ordered=2), line("B", ordered=1)]
    shipped = {
        "order": order,
        "shipment": {"number": "SH-7"},
        "packages": [{"tracking": "1Z7", "lines": [line("B", shipped=1)]}],
    }
    return [
        ("erp", "order.received", "2026-03-02T08:00:00Z", {"order": order, "lines": both}),
        (
            "wms",
            "line.backordered",
            "2026-03-02T09:00:00Z",
            {"order": order, "lines": [line("A", backordered=2)]},
        ),
        ("wms", "shipment.confirmed", "2026-03-02T10:00:00Z", shipped),
    ]


def invoiced() -> list[StoryEvent]:
    """Two systems report an invoice, each with a number range of its own."""
    bill = {"order": {"number": "SO-1"}, "invoice": "INV-9"}
    at = "2026-03-03T10:00:00Z"
    return [(slug, "invoice.issued", at, bill) for slug in ("erp", "wms")]


def create_order(events: list[StoryEvent]) -> Order:
    store_story(create_sources({"erp": "erp", "wms": "wms", "carrier": "carrier"}), events)
    job_functions.process_messages_and_refold()
    return Order.objects.get()


@pytest.fixture
def olga() -> Client:
    return signed_in(UserRole.OPERATIONS, "olga")


def fetch(client: Client, order: Order, query: str = "") -> str:
    response = client.get(f"/orders/{order.pk}{query}")
    assert response.status_code == 200
    return unescape(response.content.decode())


def titles(page: str) -> list[str]:
    activity = page.partition('id="order-activity"')[2].partition('id="order-side"')[0]
    return re.findall(r'class="activity-title"[^>]*>([^<]+)<', activity)


def press(client: Client, page: str, sort: str) -> str:
    form = page.partition('action="/order-activity"')[2].partition("</form>")[0]
    address = re.findall(r'name="next" value="([^"]+)"', form)[0]
    assert f'name="sort" value="{sort}"' in form
    return client.post("/order-activity", {"sort": sort, "next": address}).headers["location"]


def test_order_of_the_activity_is_in_the_address_and_remembered(olga: Client) -> None:
    order = create_order(story())
    newest_first = ["Shipment confirmed", "Line back-ordered", "Order received"]
    page = fetch(olga, order, "?tab=timeline&only=status")
    assert titles(page) == newest_first
    target = press(olga, page, "oldest")
    assert target == f"/orders/{order.pk}?tab=timeline&only=status&sort=oldest#activity-head"
    assert titles(olga.get(target).content.decode()) == newest_first[::-1]
    assert titles(fetch(olga, order)) == newest_first[::-1]
    # The address of somebody else wins over one's own choice; others keep theirs.
    assert titles(fetch(olga, order, "?sort=newest")) == newest_first
    assert titles(fetch(signed_in(UserRole.OPERATIONS, "ben"), order)) == newest_first
    press(olga, fetch(olga, order), "newest")
    assert titles(fetch(olga, order)) == newest_first
    # The lanes have their own choice: to reset it keeps the order.
    press(olga, fetch(olga, order), "oldest")
    olga.post("/order-lanes", {"do": "reset"})
    assert titles(fetch(olga, order)) == newest_first[::-1]


def test_activity_is_filtered_by_line_and_object(olga: Client) -> None:
    order = create_order(story())
    page = fetch(olga, order, "?tab=lines")
    link = re.findall(r'href="(\?tab=timeline&line=A[^"]*)"', page)[0]
    page = fetch(olga, order, link)
    assert titles(page) == ["Line back-ordered", "Order received"]
    chip = re.findall(r'href="([^"]+)"><span class="chip-key">Line</span>', page)[0]
    assert len(titles(fetch(olga, order, chip))) == 3
    menu = page.partition('id="activity-object-menu"')[2].partition("</details>")[0]
    addresses = {label: url for url, label in re.findall(r'<a href="([^"]+)">([^<]+)<', menu)}
    assert set(addresses) == {"Shipment SH-7", "Package 1Z7"}
    assert menu.count("<a ") == 2
    page = fetch(olga, order, addresses["Shipment SH-7"])
    # Line A is not in the shipment; without the line, its confirmation is left.
    assert titles(page) == []
    assert "No activity matches this filter." in page
    without_line = re.sub(r"&line=[^&#]*", "", addresses["Shipment SH-7"])
    page = fetch(olga, order, without_line)
    assert titles(page) == ["Shipment confirmed"]
    assert (
        '<span class="chip-key">Object</span> <span class="chip-value">Shipment SH-7</span>' in page
    )
    assert len(titles(fetch(olga, order, "?line=NO-SUCH&object=NO-SUCH&page=x"))) == 3


def test_invoice_of_several_systems_is_one_object(olga: Client) -> None:
    order = create_order([*story(), *invoiced()])
    page = fetch(olga, order)
    menu = page.partition('id="activity-object-menu"')[2].partition("</details>")[0]
    assert menu.count(">Invoice INV-9<") == 1
    address = re.findall(r'<a href="([^"]+)">Invoice INV-9<', menu)[0]
    page = fetch(olga, order, address)
    assert titles(page) == ["Invoice issued"]
    assert "2 reports" in page


@pytest.mark.slow
def test_every_event_is_on_one_of_the_pages(olga: Client) -> None:
    scans: list[StoryEvent] = [
        (
            "carrier",
            "shipment.in_transit",
            (START + timedelta(days=1, minutes=number)).isoformat(),
            {"tracking": "1Z7", "attributes": {"location": f"Stop {number}"}},
        )
        for number in range(SCANS)
    ]
    order = create_order([*story(), *scans])
    page = fetch(olga, order)
    assert "Showing 400 of 1,003 events (1 to 400, newest first)" in page
    stops: list[str] = []
    for shown in ("1 to 400", "401 to 800", "801 to 1,003"):
        assert f"({shown}, newest first)" in page
        stops += re.findall(r'class="activity-detail">[^<]*Stop (\d+)<', page)
        following = re.findall(r'href="([^"]+)">Earlier events<', page)
        page = fetch(olga, order, following[0]) if following else page
    assert [int(stop) for stop in stops] == list(range(SCANS))[::-1]
    assert not re.findall(r">Earlier events<", page)
    assert titles(page)[-1] == "Order received"
    page = fetch(olga, order, "?sort=oldest&page=99")
    assert "Showing 203 of 1,003 events (801 to 1,003, oldest first)" in page
    assert "Showing" not in fetch(olga, order, "?source=wms")


def test_every_note_is_on_one_of_the_pages(olga: Client) -> None:
    order = create_order(story())
    author = User.objects.get(username="olga")
    notes = [
        OrderNote(
            order=order.object, user=author, at=START + timedelta(minutes=n), text=f"Call {n}"
        )
        for n in range(450)
    ]
    OrderNote.objects.bulk_create(notes)
    page = fetch(olga, order, "?tab=notes")
    assert re.findall(r'>Notes <span class="count">([^<]+)<', page) == ["450"]
    assert "Showing 200 of 450 notes (1 to 200, newest first)" in page
    listed: list[str] = []
    for _ in range(3):
        listed += re.findall(r'class="note-text">Call (\d+)<', page)
        following = re.findall(r'href="([^"]+)">Earlier notes<', page)
        page = fetch(olga, order, following[0]) if following else page
    assert [int(number) for number in listed] == list(range(450))[::-1]
    assert not re.findall(r">Earlier notes<", page)


def test_alerts_and_their_history_say_what_is_not_shown(olga: Client) -> None:
    order = create_order(story())
    opened = alert(of=order)
    for number in range(21):
        alert(of=order, rule=None, kind=f"kind {number}", title=f"Alert {number}")
    AlertEntry.objects.bulk_create(
        [
            AlertEntry(alert=opened, action="noted", at=START + timedelta(minutes=n), text=f"N {n}")
            for n in range(250)
        ]
    )
    page = fetch(olga, order)
    assert "More alerts are open on this order: only the first 20 are shown." in page
    assert page.count('class="activity-title" href="/alerts/') == 201
    assert "Earlier alert history is on the pages of the alerts" in page


def test_order_with_many_numbers_has_all_of_them(olga: Client) -> None:
    packages = [{"tracking": f"1Z{n:05}"} for n in range(120)]
    shipped = {"order": {"number": "SO-1"}, "packages": packages}
    order = create_order(
        [*story()[:2], ("wms", "shipment.confirmed", "2026-03-02T10:00:00Z", shipped)]
    )
    page = fetch(olga, order)
    copied = set(re.findall(r'data-copy-text="(1Z\d{5})"', page))
    assert copied == {f"1Z{n:05}" for n in range(120)}
    numbers = page.partition('id="numbers-head"')[2].partition("</section>")[0]
    hidden = numbers.partition('<details class="card-body" id="more-numbers">')[2]
    assert f"{hidden.count('data-copy-text')} more numbers" in hidden
