"""From the printed link to the checklist, by forms only."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect
from pytest_django.plugin import DjangoDbBlocker

from tests.browser.journeys.browser import PageWatch, chromium
from tests.browser.journeys.new_product import new_product
from tests.browser.journeys.page_checks import page_problems
from tests.product import Product

pytestmark = pytest.mark.django_db
PASSWORD = "correct-horse-battery"


@pytest.fixture(scope="module")
def product(
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Product]:
    """Only the web server, and nobody who can sign in."""
    with new_product(tmp_path_factory.mktemp("first-run"), django_db_blocker) as running:
        yield running


@pytest.fixture(scope="module")
def browser(product: Product) -> Iterator[Browser]:
    """A browser for this module."""
    with chromium() as chromium_browser:
        yield chromium_browser


def test_first_run_from_the_link_to_the_checklist(browser: Browser, product: Product) -> None:
    match = re.search(r"/setup/\S+", product.manage("setup_link"))
    assert match
    link = match[0]
    watch = PageWatch(product.url.removeprefix("http://"))
    context = browser.new_context(base_url=product.url, reduced_motion="reduce")
    page = context.new_page()
    watch.watch_page(page)
    problems = page_problems(page, link)
    page.goto(link)
    page.get_by_label("Username").fill("ada")
    page.get_by_label("New password", exact=True).fill("short")
    page.get_by_label("New password again").fill("short")
    page.get_by_label("Name of the organization").fill("Acme Distribution")
    page.get_by_label("Time zone").fill("America/Chicago")
    page.get_by_label("First day of the week").select_option("Sunday")
    page.get_by_label("Closed on public holidays of").select_option("US")
    page.get_by_role("button", name="Set up Throughline").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was created.")
    expect(page.get_by_label("Name of the organization")).to_have_value("Acme Distribution")
    expect(page.get_by_label("First day of the week")).to_have_value("sunday")
    page.get_by_label("New password", exact=True).fill(PASSWORD)
    page.get_by_label("New password again").fill(PASSWORD)
    page.get_by_role("button", name="Set up Throughline").click()

    page.wait_for_url("**/setup")
    expect(page.locator("main")).to_contain_text("1 of 8 steps are done. Next: connect a source.")
    expect(page.locator(".setup-steps > li").first).to_contain_text("Done")
    expect(page.locator("html")).to_have_attribute("data-zone", "America/Chicago")
    for url in ("/setup", "/organization"):
        problems += page_problems(page, url)
    page.goto("/setup")
    page.get_by_role("link", name="Connect a source").click()
    page.wait_for_url("**/sources/new")

    page.goto("/organization")
    page.get_by_label("Currency").fill("EUR")
    page.get_by_role("button", name="Save organization").click()
    expect(page.locator("#flashes")).to_contain_text("Organization saved.")
    expect(page.locator("main")).to_contain_text("Currency: EUR")
    page.goto("/setup")
    page.get_by_role("button", name="Remove the checklist").click()
    expect(page.locator("#flashes")).to_contain_text("It stays at /setup.")
    expect(page.locator("nav.rail").get_by_role("link", name="Set-up")).to_have_count(0)

    # The page asks from time to time whether its session is still open.
    page.close()
    context.clear_cookies()
    assert context.request.get(link).status == 404
    context.close()
    assert problems == []
    # The form with the short password.
    assert watch.problems == [f"{link} returned 422"]
