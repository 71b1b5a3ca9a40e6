"""The product before anything was connected: each page says what will be here, and what to do."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Group, User
from playwright.sync_api import Browser, Page, expect
from pytest_django.plugin import DjangoDbBlocker

from tests.journeys.browser import Watch, chromium
from tests.journeys.looks import faults
from tests.product import Product, empty_tables
from visibility.web.permissions import Role

pytestmark = pytest.mark.django_db
PASSWORD = "correct-horse-battery"
SAYS = {
    "/orders": ("No order yet", "manage.py source add"),
    "/sources": ("No source yet", "manage.py source add"),
    "/alerts": ("Nothing open", "No promise was broken yet"),
    "/boards/operations": ("No source yet", "Connect the first one"),
    "/numbers": ("No order counts in this span yet", "see which sources are connected"),
    "/messages": ("No message",),
    "/search?q=4711": ("No order goes by", "Check for a missing digit"),
}


@pytest.fixture(scope="module")
def product(
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Product]:
    """The web alone, and one administrator."""
    running = Product(tmp_path_factory.mktemp("empty"), DEMO="0")
    with django_db_blocker.unblock():
        try:
            running.manage("collectstatic", "--noinput")
            user = User.objects.create_user("ada", password=PASSWORD)
            user.groups.add(Group.objects.get_or_create(name=Role.ADMIN.value)[0])
            running.start("web")
            yield running
        finally:
            running.stop()
            empty_tables()


@pytest.fixture(scope="module")
def browser(product: Product) -> Iterator[Browser]:
    """A browser of this module's own."""
    with chromium() as found:
        yield found


def test_an_empty_product_says_what_will_be_here_and_the_next_step(
    browser: Browser, product: Product
) -> None:
    watch = Watch(product.url.removeprefix("http://"))
    context = browser.new_context(base_url=product.url, reduced_motion="reduce")
    page = context.new_page()
    watch.over(page)
    wrong = faults(page, "/signin")
    _sign_in(page)
    for url, words in SAYS.items():
        wrong += faults(page, url)
        for said in words:
            expect(page.locator("main")).to_contain_text(said)
    context.close()
    assert wrong == []
    assert watch.said == []


def _sign_in(page: Page) -> None:
    page.fill("#username", "ada")
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("nav.rail")).to_be_visible()
