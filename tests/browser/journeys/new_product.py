"""A product without data, for journeys that begin there."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from django.contrib.auth.models import Group, User
from playwright.sync_api import Locator, Page, expect
from pytest_django.plugin import DjangoDbBlocker

from tests.empty_tables import empty_tables
from tests.product import Product
from visibility.web.permissions import UserRole


@contextmanager
def new_product(
    folder: Path, blocker: DjangoDbBlocker, processes: Sequence[str] = ("web",), **environment: str
) -> Iterator[Product]:
    """These processes outside of the demo; the tables are empty afterwards."""
    product = Product(folder, DEMO="0", **environment)
    with blocker.unblock():
        try:
            product.manage("collectstatic", "--noinput")
            product.start(*processes)
            yield product
        finally:
            product.stop()
            empty_tables()


def create_administrator(username: str, password: str) -> None:
    """Create an administrator who can sign in."""
    user = User.objects.create_user(username, password=password)
    user.groups.add(Group.objects.get_or_create(name=UserRole.ADMIN.value)[0])


def sign_in(page: Page, username: str, password: str) -> None:
    """Sign in by the form, and wait until the page has its navigation."""
    page.goto("/signin")
    page.fill("#username", username)
    page.fill("#password", password)
    page.keyboard.press("Enter")
    expect(page.locator("nav.rail")).to_be_visible()


def reload_until_visible(page: Page, address: str, locator: Locator) -> None:
    """Open a page again until the worker has done what it shows, for half a minute at most."""
    for _ in range(30):
        page.goto(address)
        if locator.first.is_visible():
            return
        page.wait_for_timeout(1_000)
    expect(locator).to_be_visible()
