"""The order page while it changes: nothing that is read moves."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.browser.journeys.browser import (
    accessibility_violations,
    chromium,
    horizontal_overflow,
)
from tests.builders.cloudevents import cloudevent
from tests.builders.sla_rules import create_rule
from tests.builders.sources import ERP_NUMBERS, cloudevent_message, create_source
from tests.builders.users import signed_in
from visibility.db.database_time import database_now
from visibility.ingest.insert_messages import store_messages
from visibility.models import Event, Order, SlaClock, Source, WorkCalendar
from visibility.pipeline import job_functions
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db(transaction=True)


def send(source: Source, number: int) -> None:
    """One more scan of the package, an hour after the one before."""
    data = {"order": {"number": "SO-1"}, "tracking": "1Z1"}
    at = f"2026-03-{number // 24 + 1:02}T{number % 24:02}:00:00Z"
    event = cloudevent("shipment.in_transit", data, event_id=f"scan {number}", at=at)
    store_messages([cloudevent_message(source, event)])


@pytest.fixture
def source() -> Source:
    """A source that reported 40 scans of an order."""
    source = create_source("erp", role="erp", config=dict(ERP_NUMBERS))
    for number in range(40):
        send(source, number)
    job_functions.process_messages_and_refold()
    return source


@pytest.fixture
def page(live_server: LiveServer, source: Source) -> Iterator[Page]:
    session = signed_in(UserRole.ADMIN).cookies["sessionid"].value
    with chromium() as browser:
        context = browser.new_context(
            base_url=live_server.url,
            reduced_motion="reduce",
            viewport={"width": 1440, "height": 900},
        )
        context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        page = context.new_page()
        page.goto(f"/orders/{Order.objects.get().pk}")
        yield page


def refresh(page: Page) -> None:
    """Fetch the changed parts, as after a change that the socket reports."""
    # Twice: paused and resumed. A click of the mouse would scroll first.
    page.evaluate("for (const _ of [1, 2]) document.getElementById('freshness').click()")


def test_new_activity_is_counted_while_the_list_is_read_and_shown_on_request(
    page: Page, source: Source
) -> None:
    row = page.locator(".activity-row").nth(20)
    row.scroll_into_view_if_needed()
    page.evaluate("document.querySelectorAll('.activity-row')[20].scrollIntoView()")
    top = row.bounding_box()
    send(source, 50)
    send(source, 51)
    job_functions.process_messages_and_refold()
    refresh(page)
    bar = page.locator("#order-activity-new")
    expect(bar).to_contain_text("Show new activity: 2")
    expect(page.locator(".activity-row")).to_have_count(40)
    assert row.bounding_box() == top
    bar.locator("a").click()
    expect(page.locator(".activity-row")).to_have_count(42)
    expect(bar).to_be_hidden()
    expect(page.locator("#activity-head")).to_be_in_viewport()
    # At the top of the list, new rows come in place.
    page.evaluate("scrollTo(0, 0)")
    send(source, 52)
    job_functions.process_messages_and_refold()
    refresh(page)
    expect(page.locator(".activity-row")).to_have_count(43)
    expect(bar).to_be_hidden()


def test_lanes_are_moved_by_keyboard_and_the_menu_stays_open(page: Page) -> None:
    page.locator("#lane-menu > summary").press("Enter")
    hide = page.locator("#lane-menu button", has_text="Hide ERP")
    expect(hide).to_be_visible()
    assert accessibility_violations(page) == []
    hide.press("Enter")
    expect(page.locator("#lane-menu button", has_text="Show ERP")).to_be_visible()
    expect(page.locator(".lanes-card")).to_contain_text("You hide: ERP")
    assert "lanes=" not in page.url
    page.set_viewport_size({"width": 390, "height": 844})
    assert horizontal_overflow(page) == []


def test_an_order_is_printed_in_portrait_and_a_board_on_one_page_in_landscape(page: Page) -> None:
    def pages() -> tuple[int, bool]:
        """The number of pages, and whether they are wider than high."""
        pdf = page.pdf(prefer_css_page_size=True, format="A4")
        boxes = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf)
        return len(boxes), all(float(width) > float(height) for width, height in boxes)

    assert pages()[1] is False
    page.goto("/boards/operations")
    assert pages() == (1, True)


@pytest.mark.parametrize("width", [1440, 390])
def test_event_panel_is_a_dialog_that_takes_and_returns_the_focus(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    link = page.locator(".activity-title").nth(3)
    link.press("Enter")
    panel = page.get_by_role("dialog", name="In transit")
    expect(panel).to_be_focused()
    expect(panel).to_contain_text("What it changed")
    assert "event=" in page.url
    assert accessibility_violations(page) == []
    assert horizontal_overflow(page) == []
    copied = page.url
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)
    expect(link).to_be_focused()
    assert "event=" not in page.url
    page.goto(copied)
    expect(panel).to_be_focused()


def test_card_of_a_marker_opens_on_hover_and_focus_and_closes_by_escape(page: Page) -> None:
    marker, card = page.locator(".marker[data-card]").first, page.locator("#lane-card")
    marker.scroll_into_view_if_needed()
    marker.hover()
    expect(card).to_contain_text("In transit, ERP")
    expect(card).to_contain_text("Occurred Sun, Mar 1, 00:00")
    expect(card).to_contain_text("Received ")
    card.hover()
    page.wait_for_timeout(400)  # longer than a pointer has to enter it
    expect(card).to_be_visible()
    assert accessibility_violations(page) == []
    page.locator("#lanes-head").hover()
    expect(card).to_be_hidden()
    marker.focus()
    expect(card).to_be_visible()
    expect(marker).to_have_attribute("aria-describedby", "lane-card")
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    expect(marker).to_be_focused()
    # The event panel is closed by the next Escape, not by the one that closes the card.
    marker.press("Enter")
    panel = page.get_by_role("dialog")
    expect(panel).to_be_focused()
    marker.focus()
    expect(card).to_be_visible()
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    expect(panel).to_have_count(1)
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)


@pytest.mark.slow
@pytest.mark.parametrize("width", [1440, 390])
def test_raw_fields_open_in_the_event_panel(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.locator(".activity-title").first.press("Enter")
    panel = page.get_by_role("dialog", name="In transit")
    panel.get_by_role("link", name="Show raw fields").press("Enter")
    fields = panel.locator("#event-fields")
    expect(fields.get_by_role("heading")).to_be_focused(timeout=20_000)
    expect(fields).to_contain_text("All 8 raw fields were tried")
    expect(fields.get_by_role("row", name="tracking number")).to_contain_text("data.tracking 1Z1")
    expect(panel.get_by_role("link", name="Show raw fields")).to_have_count(0)
    assert accessibility_violations(page) == []
    assert horizontal_overflow(page) == []
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)
    # Without a script, the link leads to the page of the fields.
    number = Event.objects.order_by("pk").first()
    assert number is not None
    page.goto(f"/orders/{Order.objects.get().pk}/events/{number.pk}/fields")
    expect(page.locator("h1")).to_have_text("In transit: raw fields")
    assert accessibility_violations(page) == []
    assert horizontal_overflow(page) == []


@pytest.fixture
def billed(source: Source) -> Source:
    """The order has a shipment and an invoice, too, and a timer with working hours."""
    wms = create_source("wms", role="wms", config=dict(ERP_NUMBERS))
    number = {"order": {"number": "SO-1"}}
    for event_id, kind, at, data in (
        ("s", "shipment.confirmed", "2026-03-02T20:00:00Z", {"shipment": "S1"}),
        ("i", "invoice.issued", "2026-03-04T10:00:00Z", {"invoice": {"number": "I1"}}),
    ):
        event = cloudevent(kind, {**number, **data}, event_id=event_id, at=at)
        store_messages([cloudevent_message(wms, event)])
    job_functions.process_messages_and_refold()
    hours = {day: [["08:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
    calendar = WorkCalendar.objects.create(code="dock", title="Dock", hours=hours)
    now = database_now()
    SlaClock.objects.create(
        rule=create_rule(calendar),
        order=Order.objects.get().object,
        subject_key="x",
        started_at=now,
        due_at=now,
        stopped_at=now,
        state="met",
    )
    return wms


def test_links_between_objects_are_switched_by_keyboard_and_stay_in_the_address(
    page: Page, billed: Source
) -> None:
    page.reload()
    lanes = page.locator("#order-lanes")
    switch = lanes.locator('[data-zoom="links"]')
    switch.press("Enter")
    expect(switch).to_have_text("Hide links")
    expect(switch).to_be_focused()
    assert "links=1" in page.url
    lanes.locator("[data-zoom=in]").press("Enter")
    expect(lanes.locator(".lane-arrow")).to_have_count(2)
    lanes.locator("[data-zoom=out]").press("Enter")
    arrow = lanes.locator(".lane-arrow").last.bounding_box()
    target = lanes.locator(".lane").nth(1).bounding_box()
    assert arrow
    assert target
    # It ends at the middle of the markers of the lane.
    assert abs(arrow["y"] + arrow["height"] - target["y"] - 22) < 3
    expect(lanes.locator(".closed").first).to_be_attached()
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        assert accessibility_violations(page) == []
    assert horizontal_overflow(page) == []
    link = lanes.get_by_role("link", name="shipment S1", exact=True)
    link.press("Enter")
    expect(page.get_by_role("dialog", name="Shipment confirmed")).to_be_focused()
    page.reload()
    expect(lanes.locator(".lane-arrow")).to_have_count(2)
