"""A distributor moves in: from the set-up link to the first true alert, by links and forms only."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.plugin import DjangoDbBlocker

from tests.browser.journeys.browser import PageWatch, chromium
from tests.browser.journeys.moving_in import (
    CLIENT_ID,
    CLIENT_SECRET,
    acknowledge,
    invite,
    report_order,
    restored,
    set_up,
    set_up_channels,
    sign_in,
    view_target,
    watch_a_promise,
)
from tests.browser.journeys.new_product import new_product
from tests.builders.fedex_server import FedExServer
from tests.builders.manifest_systems import (
    odoo_order,
    woocommerce_order,
    woocommerce_signature,
)
from tests.builders.sink import RecordingServer
from tests.builders.smtp_server import RecordingMailServer
from tests.product import Product

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def fedex() -> Iterator[FedExServer]:
    server = FedExServer(CLIENT_ID, CLIENT_SECRET)
    yield server
    server.close()


@pytest.fixture(scope="module")
def mail_server() -> Iterator[RecordingMailServer]:
    server = RecordingMailServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def chat() -> Iterator[RecordingServer]:
    server = RecordingServer(lambda _post: (200, {}))
    server.body = b"ok"
    yield server
    server.close()


@pytest.fixture(scope="module")
def product(
    fedex: FedExServer,
    mail_server: RecordingMailServer,
    chat: RecordingServer,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Product]:
    """An empty installation that requires a second factor."""
    # Only the environment can allow addresses of this machine.
    addresses = (fedex.address, f"127.0.0.1:{mail_server.port}", chat.url.removeprefix("http://"))
    folder = tmp_path_factory.mktemp("moving-in")
    environment = {"OUTGOING_ALLOWED": ",".join(addresses), "REQUIRE_SECOND_FACTOR": "1"}
    processes = ("web", "worker", "beat")
    with new_product(folder, django_db_blocker, processes, **environment) as running:
        yield running


@pytest.fixture(scope="module")
def browser(product: Product) -> Iterator[Browser]:
    with chromium() as chromium_browser:
        yield chromium_browser


@pytest.mark.slow
def test_a_distributor_moves_in(
    browser: Browser,
    product: Product,
    fedex: FedExServer,
    mail_server: RecordingMailServer,
    chat: RecordingServer,
) -> None:
    watch = PageWatch(product.url.removeprefix("http://"))
    ada = new_page(browser, product, watch)
    set_up(ada, product)
    placed_at = datetime.now(UTC) - timedelta(days=3)  # noqa: TID251  # the clock of the systems
    (shop_url, shop_secret), erp_url = report_order(ada, product, fedex, placed_at)
    set_up_channels(ada, mail_server, chat)
    watch_a_promise(ada)
    # A second web order is released and never leaves.
    body = woocommerce_order(placed_at, number="5012")
    headers = woocommerce_signature(body, shop_secret)
    assert httpx2.post(shop_url, content=body, headers=headers).status_code == 202
    body = odoo_order(placed_at + timedelta(minutes=5), number="S00043", web_order="5012")
    assert httpx2.post(erp_url, content=body).status_code == 202
    grace, edith = (new_page(browser, product, watch) for _ in range(2))
    key = invite(ada, grace, username="grace", role="Operations", team="Operations")
    acknowledge(grace, mail_server, chat)
    invite(ada, edith, username="edith", role="Executive")
    view_target(ada, edith)
    for page in (ada, grace, edith):
        page.close()

    with restored(product):
        page = new_page(browser, product, watch)
        sign_in(page, "grace", key)
        page.goto("/alerts?by=one&view=acknowledged")
        page.locator("main").get_by_role("link", name="S00043").first.click()
        expect(page.locator("main")).to_contain_text("Acknowledged by Grace Example")
        page.close()
    assert watch.problems == []


def new_page(browser: Browser, product: Product, watch: PageWatch) -> Page:
    page = browser.new_context(base_url=product.url, reduced_motion="reduce").new_page()
    watch.watch_page(page)
    return page
