"""Pages of a new product without sources explain themselves and name the next step."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.plugin import DjangoDbBlocker

from tests.browser.journeys.browser import (
    KIOSK_PROBLEMS,
    KIOSK_SIZES,
    PageWatch,
    chromium,
    vertical_overflow,
)
from tests.browser.journeys.new_product import create_administrator, new_product
from tests.browser.journeys.page_checks import page_problems
from tests.product import Product

pytestmark = pytest.mark.django_db
PASSWORD = "correct-horse-battery"
EXPECTED_TEXTS = {
    "/orders": ("No orders yet", "Connect a source"),
    "/sources": ("No sources yet", "Connect a source"),
    "/sources/new": ("Connect a source", "Shopify"),
    "/alerts": ("No alerts can open yet", "No source is connected yet"),
    "/boards/operations": (
        "No source yet. Connect the first one",
        "No sources yet",
        "Connect the first source",
    ),
    "/numbers": ("No orders in this date range yet", "No source is connected yet"),
    "/messages": ("No message", "No source is connected yet"),
    "/search?q=4711": ("No order found for", "No source is connected yet"),
}


@pytest.fixture(scope="module")
def product(
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Product]:
    """Only the web server, with one administrator."""
    with new_product(tmp_path_factory.mktemp("empty"), django_db_blocker) as running:
        create_administrator("ada", PASSWORD)
        yield running


@pytest.fixture(scope="module")
def browser(product: Product) -> Iterator[Browser]:
    """A browser for this module."""
    with chromium() as chromium_browser:
        yield chromium_browser


def test_empty_pages_explain_themselves_and_name_the_next_step(
    browser: Browser, product: Product
) -> None:
    watch = PageWatch(product.url.removeprefix("http://"))
    context = browser.new_context(base_url=product.url, reduced_motion="reduce")
    page = context.new_page()
    watch.watch_page(page)
    problems = page_problems(page, "/signin")
    _sign_in(page)
    for url, texts in EXPECTED_TEXTS.items():
        problems += page_problems(page, url)
        for text in texts:
            expect(page.locator("main")).to_contain_text(text)
    context.close()
    assert problems == []
    assert watch.problems == []


def test_board_is_arranged_by_keyboard_and_the_kiosk_turns_gray_when_its_data_is_old(
    browser: Browser, product: Product
) -> None:
    context = browser.new_context(base_url=product.url, reduced_motion="reduce")
    page = context.new_page()
    page.goto("/signin")
    _sign_in(page)
    page.goto("/boards/operations?arrange=1")
    titles = page.locator(".tile > header h2")
    expect(titles.nth(3)).to_have_text("Top alerts")
    page.get_by_role("button", name="Move up Top alerts").focus()
    page.keyboard.press("Enter")
    expect(titles.nth(2)).to_have_text("Top alerts")
    expect(page.get_by_role("button", name="Move up Top alerts")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.locator(".tile-w1 h2", has_text="Top alerts")).to_be_visible()
    expect(page.get_by_role("button", name="Narrower Top alerts")).to_be_focused()

    page.clock.install()
    page.goto("/boards/operations")
    page.get_by_role("link", name="Kiosk").click()
    for width, height in KIOSK_SIZES:
        page.set_viewport_size({"width": width, "height": height})
        assert vertical_overflow(page) + page.evaluate(KIOSK_PROBLEMS) == []
    body = page.locator("body")
    expect(page.locator("#freshness")).to_contain_text("Live")
    context.set_offline(True)
    page.route("**/*", lambda route: route.abort())
    page.clock.fast_forward(95_000)
    page.clock.run_for(3_000)
    expect(body).to_have_class(re.compile("kiosk-stale"))
    expect(page.locator("#kiosk-old")).to_contain_text("No connection: the data is 1 min old")
    expect(page.locator("main")).to_have_css("filter", re.compile("grayscale"))
    page.unroute_all()
    context.set_offline(False)
    page.keyboard.press("Escape")
    page.wait_for_url("**/boards/operations")
    context.close()


def _sign_in(page: Page) -> None:
    page.fill("#username", "ada")
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("nav.rail")).to_be_visible()
