"""Browser test of the API documentation page."""

import shutil
from collections.abc import Callable, Iterator

from django.test import Client
from playwright.sync_api import Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from visibility.web.api.schema_and_docs import openapi_document
from visibility.web.permissions import UserRole

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
METHODS = {"get", "post", "put", "patch", "delete"}


def scrolled(page: Page) -> Iterator[list[str]]:
    """The operations on the screen while the page is scrolled: only those near it are rendered."""
    page.evaluate("scrollTo(0, 0)")
    for _ in range(200):
        page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))")
        yield page.locator(".opblock").evaluate_all("all => all.map(each => each.id)")
        end = "scrollY + innerHeight >= document.documentElement.scrollHeight - 1"
        if page.evaluate(end):
            return
        page.evaluate("scrollBy(0, innerHeight / 2)")


def test_docs_page_renders_all_operations_without_errors_or_other_hosts(
    live_server: LiveServer, signed_in: Callable[[UserRole], Client]
) -> None:
    session = signed_in(UserRole.ADMIN).cookies["sessionid"].value
    paths = openapi_document()["paths"].values()
    operations = sum(method in METHODS for path in paths for method in path)
    errors: list[str] = []
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        context = browser.new_context()
        context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        page = context.new_page()
        page.on("console", lambda message: errors.append(message.text))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("requestfailed", lambda request: errors.append(request.url))
        requested_urls: list[str] = []
        page.on("request", lambda request: requested_urls.append(request.url))
        page.goto(f"{live_server.url}/api/v1/docs")
        page.wait_for_selector(".opblock")
        assert len({name for names in scrolled(page) for name in names}) == operations
        assert page.locator("html").get_attribute("lang") == "en"
        next(names for names in scrolled(page) if "operations-kpis-kpis" in names)
        page.click("#operations-kpis-kpis .opblock-summary-control")
        page.click("#operations-kpis-kpis .try-out__btn")
        page.click("#operations-kpis-kpis .execute")
        page.wait_for_selector("#operations-kpis-kpis .live-responses-table")
        assert "200" in page.inner_text("#operations-kpis-kpis .live-responses-table")
        browser.close()
    assert errors == []
    assert [url for url in requested_urls if not url.startswith(live_server.url)] == []
