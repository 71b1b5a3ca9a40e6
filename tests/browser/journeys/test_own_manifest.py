"""A hand-made system from a pasted sample to its order on a timeline, in the browser only."""

from collections.abc import Iterator

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.plugin import DjangoDbBlocker

from tests.browser.journeys.browser import PageWatch, chromium
from tests.browser.journeys.new_product import create_administrator, new_product, sign_in
from tests.browser.journeys.page_checks import page_problems
from tests.product import Product

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
PASSWORD = "correct-horse-battery"
SECONDS = 1_000
SAMPLE = """{"order_no": "HL-7001", "status": "new", "created_at": "2026-03-02T08:00:00Z",
 "lines": [{"line": 1, "sku": "BOLT-M8", "qty": 4}]}"""


@pytest.fixture(scope="module")
def product(
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Product]:
    """A web server and a worker, with one administrator and no data."""
    folder = tmp_path_factory.mktemp("manifest")
    with new_product(folder, django_db_blocker, ("web", "worker")) as running:
        create_administrator("ada", PASSWORD)
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for this module."""
    with chromium() as chromium_browser:
        yield chromium_browser


def replace_in_draft(page: Page, before: str, after: str) -> None:
    """Edit the text in the editor."""
    editor = page.get_by_role("textbox", name="Draft")
    text = editor.input_value()
    assert before in text
    editor.fill(text.replace(before, after))


def send(url: str, secret: str, body: str) -> int:
    headers = {"authorization": f"Bearer {secret}"}
    return httpx2.post(url, content=body.encode(), headers=headers, timeout=15).status_code


def test_a_sample_becomes_a_connected_system(browser: Browser, product: Product) -> None:
    watch = PageWatch(product.url.removeprefix("http://"))
    context = browser.new_context(base_url=product.url, reduced_motion="reduce")
    page = context.new_page()
    page.on("dialog", lambda dialog: dialog.dismiss())
    watch.watch_page(page)
    sign_in(page, "ada", PASSWORD)
    page.goto("/sources/new")
    page.get_by_role("link", name="Describe a system yourself").click()
    page.get_by_label("Name of the system").fill("hill_3pl")
    page.get_by_label("Sample", exact=True).fill(SAMPLE)
    page.get_by_role("button", name="Create draft").click()
    expect(page.get_by_role("heading", name="No problems")).to_be_visible()
    expect(page.locator("[data-lines]")).to_contain_text("12")

    replace_in_draft(page, "role: other ", "role: boss ")
    page.get_by_role("textbox", name="Draft").press("Control+Enter")
    expect(page.get_by_role("heading", name="1 problem")).to_be_visible()
    page.get_by_role("button", name="Line 5").click()
    selected = page.evaluate(
        "() => { const t = document.activeElement;"
        " return t.value.slice(t.selectionStart, t.selectionEnd); }"
    )
    assert selected.startswith("role: boss")
    replace_in_draft(page, "role: boss ", "role: 3pl ")
    replace_in_draft(page, "title: Hill 3Pl", "title: Hill logistics")
    page.get_by_role("button", name="Check").first.click()
    expect(page.get_by_role("heading", name="No problems")).to_be_visible()
    expect(page.locator("#result")).to_contain_text("HL-7001 (order_number@hill_3pl)")
    page.get_by_label("Note of the new version").fill("First version")
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Version 1 is live: all processes")).to_be_visible()

    page.goto("/sources/new?q=hill")
    page.get_by_role("link", name="Hill logistics").click()
    page.get_by_label("Name in addresses").fill("north")
    page.get_by_role("button", name="Create source").click()
    url = page.locator("#source-url").inner_text()
    secret = page.locator("#source-secret").inner_text()
    expect(page.get_by_text("Listening.")).to_be_visible()
    page.wait_for_timeout(2.5 * SECONDS)  # the intake reads sources every two seconds
    assert send(url, "another-secret", SAMPLE) == 401
    assert send(url, secret, SAMPLE) == 202
    rows = page.locator("#source-requests tbody tr")
    order = rows.first.get_by_role("link", name="HL-7001")
    expect(order).to_be_visible(timeout=30 * SECONDS)
    order.click()
    expect(page.locator("main h1")).to_contain_text("HL-7001")
    expect(page.locator("main")).to_contain_text("Order received")
    changed = SAMPLE.replace("HL-7001", "HL-7002").replace('"new"', '"confirmed"')
    assert send(url, secret, changed) == 202

    page.goto("/manifests/hill_3pl")
    replace_in_draft(page, "[new]", "[new, confirmed]")
    page.get_by_role("button", name="Check").first.click()
    expect(page.get_by_role("heading", name="No problems")).to_be_visible()
    page.get_by_role("button", name="Compare with today").click()
    expect(page.get_by_text("2 of the newest messages of")).to_be_visible(timeout=30 * SECONDS)
    differing = page.get_by_role("listitem").filter(has_text="only in the draft")
    expect(differing).to_contain_text("order.received")
    expect(differing).to_contain_text("unmapped")
    page.get_by_role("link", name="Back to the draft").click()
    page.get_by_label("Note of the new version").fill("Confirmed orders")
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Version 2 is live: all processes")).to_be_visible()
    versions = page.locator("section", has=page.get_by_role("heading", name="Versions"))
    expect(versions).to_contain_text("Version 2 (live)")
    versions.locator("summary", has_text="Roll back").click()
    versions.get_by_label("Note").fill("Codes to be agreed")
    page.get_by_role("button", name="Roll back to version 1").click()
    expect(versions).to_contain_text("rolled back to version 1: Codes to be agreed")
    expect(page.get_by_text("Version 3 is live, with the text")).to_be_visible()
    context.close()
    assert watch.problems == []


def test_the_pages_are_accessible_and_fit_a_phone(browser: Browser, product: Product) -> None:
    context = browser.new_context(base_url=product.url, reduced_motion="reduce")
    page = context.new_page()
    sign_in(page, "ada", PASSWORD)
    problems = []
    for address in (
        "/manifests",
        "/manifests/new",
        "/manifests/hill_3pl",
        "/manifests/hill_3pl/versions/2",
        "/manifests/hill_3pl/compare?source=north",
    ):
        problems += page_problems(page, address)
    context.close()
    assert problems == []
