"""From an empty installation to an order on a timeline, by links and forms only."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from playwright.sync_api import Browser, expect
from pytest_django.plugin import DjangoDbBlocker

from connectors.catalog import connectors_by_slug
from tests.browser.journeys.browser import PageWatch, chromium
from tests.browser.journeys.new_product import (
    create_administrator,
    new_product,
    reload_until_visible,
    sign_in,
)
from tests.browser.journeys.page_checks import page_problems
from tests.builders.cloudevents import authorized_headers, cloudevent
from tests.product import Product

pytestmark = pytest.mark.django_db
PASSWORD = "correct-horse-battery"
SECRET = "a-secret-of-more-than-24-bytes-for-wms"  # of a test
SECONDS = 1_000


@pytest.fixture(scope="module")
def product(
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Product]:
    """A web server and a worker, with one administrator and no data."""
    folder = tmp_path_factory.mktemp("connect")
    with new_product(folder, django_db_blocker, ("web", "worker")) as running:
        create_administrator("ada", PASSWORD)
        yield running


@pytest.fixture(scope="module")
def browser(product: Product) -> Iterator[Browser]:
    """A browser for this module."""
    with chromium() as chromium_browser:
        yield chromium_browser


def test_an_integrator_connects_a_shop_and_sees_its_first_order(
    browser: Browser, product: Product
) -> None:
    watch = PageWatch(product.url.removeprefix("http://"))
    context = browser.new_context(base_url=product.url, reduced_motion="reduce")
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    watch.watch_page(page)
    sign_in(page, "ada", PASSWORD)
    page.get_by_role("link", name="Sources", exact=False).first.click()
    page.get_by_role("link", name="Connect a source").first.click()
    page.get_by_role("searchbox", name="Search systems").fill("shopify")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Shopify", exact=True).click()
    page.get_by_label("Name in addresses").fill("web shop")
    page.get_by_role("button", name="Create source").click()
    expect(page.get_by_role("alert")).to_contain_text("Not created.")
    expect(page.get_by_label("Name in addresses")).to_have_value("web shop")
    page.get_by_label("Name in addresses").fill("shop")
    page.get_by_role("button", name="Create source").click()
    expect(page.get_by_text("Listening.")).to_be_visible()
    url = page.locator("#source-url").inner_text()
    secret = page.locator("#source-secret").inner_text()
    page.get_by_role("button", name="Copy secret").click()
    assert page.evaluate("navigator.clipboard.readText()") == secret

    rows = page.locator("#source-requests tbody tr")
    refused = post_order(url, "another-secret-of-more-than-24-bytes")
    assert refused.status_code == 401
    expect(rows.first).to_contain_text("does not match", timeout=15 * SECONDS)
    assert post_order(url, secret).status_code == 202
    expect(rows.first).to_contain_text("Signature valid", timeout=15 * SECONDS)
    expect(rows.first).to_contain_text("Processed", timeout=30 * SECONDS)
    order = rows.first.get_by_role("link", name="#1001")
    expect(order).to_be_visible(timeout=15 * SECONDS)
    order.click()
    expect(page.locator("main h1")).to_contain_text("1001")
    expect(page.locator("main")).to_contain_text("Order received")

    page.goto("/sources/shop?tab=requests")
    page.get_by_role("button", name="Send test event").click()
    expect(page.locator("#source-requests tbody tr").first).to_contain_text("changes no order")
    page.goto("/orders")
    expect(page.locator("main")).to_contain_text("1001")
    context.close()
    expected = [problem for problem in watch.problems if "422" not in problem]
    assert expected == []


def test_the_pages_are_accessible_and_fit_a_phone(browser: Browser, product: Product) -> None:
    product.manage("source", "add", "erp", "--connector", "business_central")
    context = browser.new_context(base_url=product.url, reduced_motion="reduce")
    page = context.new_page()
    sign_in(page, "ada", PASSWORD)
    problems = []
    for address in (
        "/sources/new",
        "/sources/new/business_central",
        "/sources/erp?tab=requests",
        "/sources/erp?tab=settings",
        "/sources/erp/rotate",
        "/outgoing-addresses",
    ):
        problems += page_problems(page, address)
    context.close()
    assert problems == []


def test_the_first_rule_is_created_from_a_starter_and_opens_an_alert(
    browser: Browser, product: Product
) -> None:
    product.manage("source", "add", "wms", "--connector", "cloudevents", "--secret", SECRET)
    released_at = datetime.now(UTC) - timedelta(hours=6)  # noqa: TID251  # a sender's clock
    event = cloudevent(
        "order.released", {"order": {"number": "SO-7"}}, event_id="released", at=released_at
    )
    accepted = httpx2.post(
        f"{product.url}/hooks/wms", json=event, headers=authorized_headers(SECRET)
    )
    assert accepted.status_code == 202
    watch = PageWatch(product.url.removeprefix("http://"))
    context = browser.new_context(base_url=product.url, reduced_motion="reduce")
    page = context.new_page()
    watch.watch_page(page)
    sign_in(page, "ada", PASSWORD)
    starter = page.get_by_role("link", name="Create rule: Stuck in released")
    reload_until_visible(page, "/setup", starter)
    starter.click()
    draft = page.locator("#rule-draft")
    expect(draft).to_contain_text("more than 4 working hours")
    page.get_by_label("Time limit").fill("5")
    expect(draft).to_contain_text("more than 5 working hours")
    page.get_by_label("Owner team").fill("Dock")
    page.get_by_role("button", name="Preview alerts").click()
    expect(draft).to_contain_text("This rule would open 1 alert now")
    expect(draft.get_by_role("link", name="SO-7")).to_be_visible()
    page.get_by_role("button", name="Create rule").click()
    expect(page.get_by_text("Rule created.")).to_be_visible()
    alert = page.locator("main").get_by_text("SO-7").first
    reload_until_visible(page, "/alerts?view=open", alert)
    problems = []
    for address in ("/rules", "/rules/new", "/rules/new?kind=stuck_in_released"):
        problems += page_problems(page, address)
    problems += page_problems(page, "/rules/stuck-in-released")
    context.close()
    assert problems == []
    assert watch.problems == []


def post_order(url: str, secret: str) -> httpx2.Response:
    """Send the example order of Shopify, signed as Shopify does."""
    shopify = connectors_by_slug()["shopify"]({})
    body = shopify.example_payload()
    now = datetime.now(UTC)  # noqa: TID251  # a sender's clock
    headers = shopify.build_signed_headers(body, secret.encode(), now)
    return httpx2.post(url, content=body, headers=dict(headers))
