"""A person is invited, sets a password, adds a passkey and signs in with it, all in the browser."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Page, expect
from pytest_django.plugin import DjangoDbBlocker

from tests.browser.journeys.browser import PageWatch, chromium
from tests.browser.journeys.page_checks import page_problems
from tests.builders.second_factors import code_of, set_up_app
from tests.builders.users import create_user
from tests.empty_tables import empty_tables
from tests.product import Product
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
PASSWORD, NEW = "correct-horse-battery", "a-much-better-passphrase"
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture(scope="module")
def product(
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Product]:
    """The web server, which requires a second factor, with one administrator who has an app."""
    running = Product(tmp_path_factory.mktemp("people"), DEMO="0", REQUIRE_SECOND_FACTOR="1")
    # A host name, because browsers have no passkeys for addresses.
    running.url = f"http://localhost:{running.port}"
    running.environment["PUBLIC_URL"] = running.url
    with django_db_blocker.unblock():
        try:
            running.manage("collectstatic", "--noinput")
            ada = create_user(
                UserRole.ADMIN, "ada", password=PASSWORD, first_name="Ada", last_name="Li"
            )
            set_up_app(ada)
            running.start("web")
            yield running
        finally:
            running.stop()
            empty_tables()


@pytest.fixture(scope="module")
def browser(product: Product) -> Iterator[Browser]:
    """A browser for this module."""
    with chromium() as chromium_browser:
        yield chromium_browser


def new_page(browser: Browser, product: Product, watch: PageWatch) -> Page:
    page = browser.new_context(base_url=product.url, reduced_motion="reduce").new_page()
    watch.watch_page(page)
    return page


def add_authenticator(page: Page) -> None:
    """Give the page a fingerprint reader that always agrees."""
    session: Any = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})


@pytest.mark.slow
def test_an_invited_person_signs_in_with_a_passkey(browser: Browser, product: Product) -> None:
    watch = PageWatch(product.url.removeprefix("http://"))
    admin = new_page(browser, product, watch)
    admin.goto("/signin")
    admin.fill("#username", "ada")
    admin.fill("#password", PASSWORD)
    admin.get_by_role("button", name="Sign in", exact=True).click()
    admin.fill("#code", code_of("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"))
    admin.get_by_role("button", name="Sign in", exact=True).click()
    admin.wait_for_url("**/boards/operations")
    admin.goto("/people/new")
    for name, text in (("username", "grace"), ("first-name", "Grace"), ("last-name", "Hopper")):
        admin.fill(f"#{name}", text)
    admin.select_option("#role", "operations")
    admin.get_by_role("button", name="Create account and link").click()
    link = admin.input_value("#link-text")

    page = new_page(browser, product, watch)
    add_authenticator(page)
    page.goto(link)
    page.fill("#new-password", NEW)
    page.fill("#new-password-again", NEW)
    page.get_by_role("button", name="Set password and sign in").click()
    page.wait_for_url("**/account/second-factor")
    # Nothing else opens before a second factor is set up.
    page.goto("/alerts")
    expect(page.locator("main")).to_contain_text("A second factor is required")
    page.get_by_role("link", name="Add a passkey").click()
    page.fill("#passkey-name", "Laptop")
    page.get_by_role("button", name="Create passkey").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    page.goto("/account/second-factor")
    expect(page.locator("main")).to_contain_text("Laptop")
    problems = page_problems(page, "/account/second-factor")
    problems += page_problems(page, "/account")

    # The passkey instead of the password.
    page.get_by_label("Grace Hopper").click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.wait_for_url("**/signin")
    problems += page_problems(page, "/signin")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url("**/alerts")

    # The passkey after the password.
    page.context.clear_cookies()
    page.goto("/signin?next=/orders")
    page.fill("#username", "grace")
    page.fill("#password", NEW)
    page.get_by_role("button", name="Sign in", exact=True).click()
    problems += page_problems(page, page.url.removeprefix(product.url))
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url("**/orders*")

    # What the administrator decides reaches the open page.
    number = User.objects.get(username="grace").pk
    admin.goto(f"/people/{number}")
    admin.get_by_text("Deactivate…").click()
    admin.get_by_role("button", name="Deactivate Grace Hopper").click()
    page.wait_for_url(re.compile("/signin"))
    for path in ("/people", "/people/new", f"/people/{number}", "/teams", "/people/security"):
        problems += page_problems(admin, path)
    assert problems == []
    assert watch.problems == []


@pytest.mark.slow
def test_a_cancelled_passkey_is_explained(browser: Browser, product: Product) -> None:
    watch = PageWatch(product.url.removeprefix("http://"))
    page = new_page(browser, product, watch)
    session: Any = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    page.goto("/signin")
    page.evaluate(
        "() => { navigator.credentials.get = () => Promise.reject(new DOMException('', "
        "'NotAllowedError')); }"
    )
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("No passkey was used")
    expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_enabled()
