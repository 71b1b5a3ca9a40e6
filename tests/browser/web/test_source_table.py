"""The table of the sources changes its values in place, and its order only by the reader."""

import pytest
from playwright.sync_api import expect
from pytest_django.live_server_helper import LiveServer

from tests.browser.journeys.browser import chromium, horizontal_overflow
from tests.builders.sources import create_source, message
from tests.builders.users import signed_in
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db(transaction=True)
# The test server has no sockets: the page asks every 15 s.
LIVE_MS = 45_000


def test_the_order_changes_only_when_the_reader_sorts(live_server: LiveServer) -> None:
    first, second = create_source("first"), create_source("second")
    for source, parked in ((first, 2), (second, 1)):
        message(source)
        for _ in range(parked):
            message(source, state="parked", reason="syntax")
    session = signed_in(UserRole.INTEGRATOR).cookies["sessionid"].value
    with chromium() as browser:
        context = browser.new_context(reduced_motion="reduce")
        context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        page = context.new_page()
        page.goto(f"{live_server.url}/sources")
        rows = page.locator("#source-table tr[data-id]")
        expect(rows.nth(0)).to_contain_text("FIRST")
        for _ in range(4):
            message(second, state="parked", reason="syntax")
        bar = page.get_by_role("link", name="The order of the sources has changed: sort")
        expect(bar).to_be_visible(timeout=LIVE_MS)
        expect(rows.nth(0)).to_contain_text("FIRST")
        expect(rows.nth(1).get_by_role("link", name="5")).to_be_visible()
        bar.click()
        expect(rows.nth(0)).to_contain_text("SECOND")
        expect(bar).to_be_hidden()


def test_new_messages_of_a_source_are_announced_and_not_inserted(live_server: LiveServer) -> None:
    source = create_source()
    message(source)
    session = signed_in(UserRole.INTEGRATOR).cookies["sessionid"].value
    with chromium() as browser:
        context = browser.new_context(reduced_motion="reduce")
        context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        page = context.new_page()
        page.goto(f"{live_server.url}/sources/wms")
        rows = page.locator("#recent-messages tr[data-id]")
        expect(rows).to_have_count(1)
        message(source)
        bar = page.get_by_role("link", name="Show new messages: 1")
        expect(bar).to_be_visible(timeout=LIVE_MS)
        expect(rows).to_have_count(1)
        bar.click()
        expect(rows).to_have_count(2)


@pytest.mark.parametrize("width", [768, 900, 1024])
def test_the_page_is_not_wider_than_a_tablet(live_server: LiveServer, width: int) -> None:
    for slug in ("warehouse-management-north", "carrier"):
        source = create_source(slug, title=f"A source with a long title {slug}")
        message(source)
        message(source, state="parked", reason="syntax")
    session = signed_in(UserRole.ADMIN).cookies["sessionid"].value
    with chromium() as browser:
        context = browser.new_context(viewport={"width": width, "height": 900})
        context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        page = context.new_page()
        page.goto(f"{live_server.url}/sources")
        expect(page.locator("#source-table tr[data-id]")).to_have_count(2)
        assert horizontal_overflow(page) == []
