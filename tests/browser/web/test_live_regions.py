"""Live updates do not replace what a person began to use."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from tests.browser.journeys.browser import chromium
from tests.builders.users import signed_in
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def page(live_server: LiveServer) -> Iterator[Page]:
    session = signed_in(UserRole.OPERATIONS, "olga").cookies["sessionid"].value
    with chromium() as browser:
        context = browser.new_context(base_url=live_server.url, reduced_motion="reduce")
        context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        yield context.new_page()


def test_menu_that_opens_while_an_update_is_fetched_stays_open(page: Page) -> None:
    waiting: list[Route] = []

    def hold_updates(route: Route) -> None:
        if "x-live" in route.request.headers:
            waiting.append(route)
        else:
            route.continue_()

    def wait_until(condition: Callable[[], bool]) -> None:
        for _ in range(200):
            if condition():
                return
            page.wait_for_timeout(50)
        raise AssertionError("it never happened")

    page.goto("/boards/operations")
    page.route("**/*", hold_updates)
    for _ in range(2):  # pause and go on: everything is fetched
        page.locator("#freshness").click()
    wait_until(lambda: bool(waiting))
    menu = page.locator("details.tile-menu").first
    expect(menu.locator("xpath=ancestor::*[@data-live][1]")).to_be_attached()
    menu.evaluate("(element) => { window.menuBefore = element; }")
    menu.locator("summary").click()
    while waiting:
        with page.expect_response(lambda _: True):
            waiting.pop().continue_()
    page.wait_for_timeout(300)  # the answer is there, and its script has run
    assert page.evaluate("window.menuBefore.isConnected && window.menuBefore.open")

    def is_replaced() -> bool:
        while waiting:
            waiting.pop().continue_()
        return not page.evaluate("window.menuBefore.isConnected")

    menu.locator("summary").click()  # once it is closed, the update follows
    wait_until(is_replaced)
