"""The page of the API's document in a real browser."""

import shutil
from collections.abc import Callable

from django.test import Client
from playwright.sync_api import sync_playwright
from pytest_django.live_server_helper import LiveServer

from visibility.web.permissions import Role

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))


def test_the_page_draws_every_call_without_an_error_or_another_host(
    live_server: LiveServer, signed_in: Callable[[Role], Client]
) -> None:
    session = signed_in(Role.ADMIN).cookies["sessionid"].value
    said: list[str] = []
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        context = browser.new_context()
        context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("requestfailed", lambda request: said.append(request.url))
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{live_server.url}/api/v1/docs")
        page.wait_for_selector(".opblock")
        assert page.locator(".opblock").count() == 43
        assert page.locator("html").get_attribute("lang") == "en"
        page.click("#operations-kpis-kpis .opblock-summary-control")
        page.click("#operations-kpis-kpis .try-out__btn")
        page.click("#operations-kpis-kpis .execute")
        page.wait_for_selector("#operations-kpis-kpis .live-responses-table")
        assert "200" in page.inner_text("#operations-kpis-kpis .live-responses-table")
        browser.close()
    assert said == []
    assert [url for url in asked if not url.startswith(live_server.url)] == []
