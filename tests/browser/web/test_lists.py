"""What a person clicks on lists: a header, suggested filters, exports and their notice."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.browser.journeys.browser import accessibility_violations, chromium, horizontal_overflow
from tests.browser.journeys.page_checks import AXE_VIEWS
from tests.builders.alerts import order
from tests.builders.sources import create_source, message
from tests.builders.users import signed_in
from visibility.export.background_exports import write_background_exports
from visibility.web import background_exports
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db(transaction=True)


LISTS = ("/orders?min_value=much&carrier=UPS", "/messages?state=nothing", "/exports")


@pytest.fixture
def page(live_server: LiveServer) -> Iterator[Page]:
    """A page of someone of operations."""
    session = signed_in(UserRole.OPERATIONS, "olga").cookies["sessionid"].value
    with chromium() as browser:
        context = browser.new_context(
            base_url=live_server.url,
            viewport={"width": 1440, "height": 900},
            reduced_motion="reduce",
        )
        context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        yield context.new_page()


def row_links(page: Page) -> list[str]:
    return page.locator("[data-list] .row-link").all_inner_texts()


def test_messages_are_sorted_by_a_click_and_filtered_by_a_suggested_source(page: Page) -> None:
    wms, shop = create_source("wms", title="Warehouse"), create_source("shop", title="Web shop")
    ids = [str(message(source)) for source in (wms, shop, wms)]
    page.goto("/messages")
    assert row_links(page) == ids[::-1]
    page.get_by_role("link", name="Received").click()
    expect(page.locator("thead th[data-column=received_at]")).to_have_attribute(
        "aria-sort", "ascending"
    )
    assert row_links(page) == ids
    page.keyboard.press("f")
    page.locator(".filter-form select[name=source]").select_option(label="Web shop")
    page.get_by_role("button", name="Filter messages").click()
    expect(page.locator("a.chip", has_text="Source Web shop")).to_be_visible()
    assert row_links(page) == [ids[1]]
    assert "sort=received_at" in page.url
    page.keyboard.press("j")
    page.keyboard.press("Space")
    expect(page.locator("#preview")).to_contain_text(f"Message {ids[1]}")
    page.keyboard.press("Escape")
    page.locator("a.chip", has_text="Source Web shop").click()
    expect(page.locator("[data-list] .row-link")).to_have_count(3)


def test_orders_are_filtered_by_dates_and_suggested_values(page: Page) -> None:
    order("SO-1", carrier="UPS", promised_at=datetime(2026, 3, 4, tzinfo=UTC))
    order("SO-2", carrier="FedEx", promised_at=datetime(2026, 3, 9, tzinfo=UTC))
    page.goto("/orders")
    page.keyboard.press("f")
    page.locator(".filter-form select[name=carrier]").select_option("UPS")
    page.get_by_label("Promise date from").fill("2026-03-01")
    page.get_by_label("Order value at least").fill("much")
    page.get_by_role("button", name="Filter orders").click()
    expect(page.locator("a.chip-wrong")).to_contain_text("Order value at least")
    expect(page.locator("a.chip-wrong [role=alert]")).to_contain_text("not applied")
    assert row_links(page) == ["SO-1"]
    page.locator("a.chip-wrong").click()
    expect(page.locator("a.chip-wrong")).to_have_count(0)
    assert row_links(page) == ["SO-1"]
    assert "promise_from=2026-03-01" in page.url


def test_large_export_is_requested_noticed_and_downloaded(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background_exports, "MAX_DIRECT_ROWS", 2)
    for number in range(3):
        order(f"SO-{number}", total=None)
    page.goto("/orders?sort=number")
    page.locator("summary", has_text=re.compile("^Export$")).click()
    page.get_by_role("link", name="CSV, any number of rows").click()
    expect(page).to_have_url(re.compile("/exports$"))
    expect(page.locator("#exports")).to_contain_text("Waiting for a worker")
    write_background_exports()
    page.goto("/orders")
    page.locator("#export-notices").get_by_role("link", name="Download").click()
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("Download CSV")).click()
    text = Path(download.value.path()).read_text()
    assert re.findall(r"^SO-\d", text, re.MULTILINE) == ["SO-0", "SO-1", "SO-2"]
    page.goto("/orders")
    expect(page.locator("#export-notices a")).to_have_count(0)

    page.goto("/exports")
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="No exports")).to_be_visible()


def test_lists_with_open_filters_are_accessible_and_fit(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background_exports, "MAX_DIRECT_ROWS", 0)
    order("SO-1")
    message(create_source(), state="parked", reason="schema", detail="no number")
    page.goto("/orders")
    page.locator("summary", has_text=re.compile("^Export$")).click()
    page.get_by_role("link", name="CSV, any number of rows").click()
    write_background_exports()
    problems: list[str] = []
    for width, theme in AXE_VIEWS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=theme)
        for address in (
            "/orders?min_value=much&carrier=UPS",
            "/messages?state=nothing",
            "/exports",
        ):
            page.goto(address)
            if address != "/exports":
                page.locator(".filter-menu > summary").click()
                # A script moves it if it would leave the screen.
                expect(page.locator(".filter-menu > .menu-body")).to_be_in_viewport(ratio=0.99)
            problems += [*horizontal_overflow(page), *accessibility_violations(page)]
    assert problems == []
