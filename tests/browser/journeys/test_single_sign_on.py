"""An administrator enters an identity provider in the browser, and a colleague signs in with it."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect
from pytest_django.plugin import DjangoDbBlocker

from tests.browser.journeys.browser import PageWatch, chromium
from tests.browser.journeys.page_checks import page_problems
from tests.builders.identity_provider import CLIENT_ID, CLIENT_SECRET, LocalIdentityProvider
from tests.builders.users import create_user
from tests.empty_tables import empty_tables
from tests.product import Product
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
PASSWORD = "correct-horse-battery"
SETTINGS = "/people/single-sign-on"


@pytest.fixture(scope="module")
def server() -> Iterator[LocalIdentityProvider]:
    running = LocalIdentityProvider()
    running.person["groups"] = ["staff"]
    yield running
    running.close()


@pytest.fixture(scope="module")
def product(
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
    server: LocalIdentityProvider,
) -> Iterator[Product]:
    """The web server on another site than the provider, with one administrator."""
    folder = tmp_path_factory.mktemp("single-sign-on")
    running = Product(folder, DEMO="0", OUTGOING_ALLOWED=server.address)
    running.url = f"http://localhost:{running.port}"
    running.environment["PUBLIC_URL"] = running.url
    with django_db_blocker.unblock():
        try:
            running.manage("collectstatic", "--noinput")
            create_user(UserRole.ADMIN, "ada", password=PASSWORD, email="ada@example.com")
            running.start("web")
            yield running
        finally:
            running.stop()
            empty_tables()


def enter_provider(page: Page, server: LocalIdentityProvider) -> None:
    page.goto("/people")
    page.get_by_role("link", name="Single sign-on").click()
    expect(page.locator("#redirect-address")).to_contain_text("/signin/single-sign-on/callback")
    page.get_by_label("Name on the button (required)").fill("Acme")
    page.get_by_label("Issuer (required)").fill(server.issuer)
    page.get_by_label("Client ID (required)").fill(CLIENT_ID)
    page.get_by_label("Client secret").fill(CLIENT_SECRET)
    page.get_by_label("Group 1", exact=True).fill("staff")
    page.get_by_label("Role of group 1").select_option("customer_service")
    page.get_by_label("A person without an account").select_option("create")
    page.get_by_role("button", name="Save single sign-on").click()
    expect(page.locator("#flashes")).to_contain_text("Single sign-on with Acme saved. It is off.")


@pytest.mark.slow
def test_administrator_sets_it_up_and_a_colleague_signs_in(
    product: Product, server: LocalIdentityProvider
) -> None:
    watch = PageWatch(product.url.removeprefix("http://"))
    with chromium() as browser:
        admin, colleague = (
            browser.new_context(base_url=product.url, reduced_motion="reduce").new_page()
            for _ in range(2)
        )
        for page in (admin, colleague):
            watch.watch_page(page)
        admin.goto("/signin")
        admin.fill("#username", "ada")
        admin.fill("#password", PASSWORD)
        admin.get_by_role("button", name="Sign in", exact=True).click()
        admin.wait_for_url("**/boards/operations")
        enter_provider(admin, server)
        admin.get_by_role("button", name="Read addresses and keys").click()
        expect(admin.locator("main")).to_contain_text("The addresses and keys of Acme can be read.")
        admin.get_by_role("button", name="Test sign-in").click()
        expect(admin.locator("main")).to_contain_text(
            "a new account would be signed in as Customer service."
        )
        assert User.objects.count() == 1
        problems = page_problems(admin, SETTINGS)
        admin.get_by_label("Show the button on the sign-in page").check()
        admin.get_by_role("button", name="Save single sign-on").click()
        expect(admin.locator("#flashes")).to_contain_text("It is on.")

        problems += page_problems(colleague, "/signin?next=/orders")
        colleague.get_by_role("button", name="Sign in with Acme").click()
        colleague.wait_for_url("**/orders*")
        expect(colleague.locator("h1")).to_have_text("Orders")
        assert User.objects.get(username="grace@example.com").groups.get().name == (
            UserRole.CUSTOMER_SERVICE.value
        )
        colleague.get_by_label("Grace Hopper").click()
        colleague.get_by_role("button", name="Sign out", exact=True).click()
        colleague.wait_for_url("**/signin")
        server.person["groups"] = []
        colleague.get_by_role("button", name="Sign in with Acme").click()
        expect(colleague.locator("#flashes")).to_contain_text(
            "Not signed in. None of your groups at Acme has a role here."
        )
    assert problems == []
    at_provider = f"{server.issuer}/authorize"
    assert [text for text in watch.problems if not text.startswith(at_provider)] == []
