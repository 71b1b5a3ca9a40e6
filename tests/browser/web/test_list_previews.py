"""The preview of a row: its role and focus, and the address that names the row and its preview."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.browser.journeys.browser import accessibility_violations, chromium
from tests.builders.alerts import alert, order
from tests.builders.sources import create_source, message
from tests.builders.users import signed_in
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db(transaction=True)

DOCKED, OVER_THE_LIST = 1440, 1100


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as chromium_browser:
        yield chromium_browser


def page_of(browser: Browser, live_server: LiveServer, role: UserRole) -> Page:
    """A new page of someone of a role."""
    session = signed_in(role, role.value).cookies["sessionid"].value
    context = browser.new_context(
        base_url=live_server.url,
        viewport={"width": DOCKED, "height": 900},
        reduced_motion="reduce",
        permissions=["clipboard-read", "clipboard-write"],
    )
    context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
    return context.new_page()


def values_of_address(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query)


def test_copied_link_of_each_list_shows_the_same_row_and_preview(
    browser: Browser, live_server: LiveServer
) -> None:
    for number in range(3):
        alert(f"SO-{number}")
    wms = create_source("wms", title="Warehouse")
    create_source("shop", title="Web shop")
    for _ in range(3):
        message(wms)
    page = page_of(browser, live_server, UserRole.ADMIN)
    for address in ("/orders?open=1", "/alerts?by=one", "/messages", "/sources"):
        page.goto(address)
        page.keyboard.press("j")
        page.keyboard.press("j")
        row = page.locator("tr.current")
        row_id = row.get_attribute("data-id")
        page.keyboard.press("Space")
        expect(page.locator("#preview")).to_be_visible()
        page.keyboard.press("l")
        page.wait_for_function("navigator.clipboard.readText().then(text => text.includes('row='))")
        link = page.evaluate("navigator.clipboard.readText()")
        assert values_of_address(link)["row"] == [row_id], address
        assert values_of_address(link)["preview"] == ["1"], address

        colleague = page_of(browser, live_server, UserRole.OPERATIONS)
        colleague.goto(link)
        expect(colleague.locator("#preview")).to_be_visible()
        name = page.locator("#preview").get_attribute("aria-label")
        assert colleague.locator("#preview").get_attribute("aria-label") == name
        expect(colleague.locator(f"tr[data-id='{row_id}'] .row-link")).to_be_focused()
        colleague.keyboard.press("Escape")
        expect(colleague.locator("#preview")).to_be_hidden()
        assert "preview" not in values_of_address(colleague.url)
        assert values_of_address(colleague.url)["row"] == [row_id]


def test_address_survives_opening_a_row_and_does_not_go_into_other_links(
    browser: Browser, live_server: LiveServer
) -> None:
    for number in range(2):
        order(f"SO-{number}")
    page = page_of(browser, live_server, UserRole.CUSTOMER_SERVICE)
    page.goto("/orders?sort=number")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Space")
    expect(page.locator("#preview h2")).to_have_text("SO-1")
    page.get_by_role("link", name="Copy link").click()
    page.wait_for_function("navigator.clipboard.readText().then(text => text.includes('row='))")
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    page.keyboard.press("k")
    page.keyboard.press("j")
    page.locator("tr.current .row-link").press("Enter")
    expect(page.locator("h1")).to_have_text("SO-1")
    page.go_back()
    expect(page.locator("#preview h2")).to_have_text("SO-1")
    page.reload()
    expect(page.locator("#preview h2")).to_have_text("SO-1")
    hrefs = page.locator("main a:not(.new-bar a)").evaluate_all(
        "links => links.map((each) => each.search)"
    )
    assert [href for href in hrefs if "row=" in href or "preview" in href] == []


def test_row_of_a_group_of_alerts_is_shown_in_its_open_group(
    browser: Browser, live_server: LiveServer
) -> None:
    for number in range(2):
        alert(f"SO-{number}")
    page = page_of(browser, live_server, UserRole.OPERATIONS)
    page.goto("/alerts")
    for key in ("j", "ArrowRight"):
        page.keyboard.press(key)
    expect(page.locator("tr.child").first).to_be_visible()
    for key in ("ArrowRight", "j", "Space"):
        page.keyboard.press(key)
    expect(page.locator("#preview")).to_be_visible()
    child = page.locator("tr.child").nth(1).get_attribute("data-id")
    page.wait_for_url(re.compile(rf"row={child}&in=.+&preview=1"))
    colleague = page_of(browser, live_server, UserRole.OPERATIONS)
    colleague.goto(page.url)
    expect(colleague.locator(f"tr.child[data-id='{child}'] .row-link")).to_be_focused()
    expect(colleague.locator("#preview")).to_contain_text("Why it is open")


def test_link_says_that_its_row_is_on_another_page_or_not_to_be_seen(
    browser: Browser, live_server: LiveServer
) -> None:
    shown = order("SO-1", carrier="UPS")
    other = order("SO-2", carrier="FedEx")
    page = page_of(browser, live_server, UserRole.CUSTOMER_SERVICE)
    page.goto(f"/orders?carrier=UPS&row={other.pk}&preview=1")
    expect(page.locator("#flashes")).to_contain_text("The row of this link is not on this page")
    expect(page.locator("#preview h2")).to_have_text("SO-2")
    page.keyboard.press("Escape")
    assert "row" not in values_of_address(page.url)
    page.goto(f"/orders?row={shown.pk + other.pk + 1000}&preview=1")
    expect(page.locator("#preview")).to_contain_text("does not exist, or you may not see it")
    of_order = alert(of=shown)
    create_source()
    integrator = page_of(browser, live_server, UserRole.INTEGRATOR)
    integrator.goto(f"/alerts?by=one&row={of_order.pk}&preview=1")
    expect(integrator.locator("main")).not_to_contain_text("SO-1")


def test_preview_is_a_region_beside_the_list_and_a_dialog_over_it(
    browser: Browser, live_server: LiveServer
) -> None:
    for number in range(2):
        order(f"SO-{number}")
    page = page_of(browser, live_server, UserRole.CUSTOMER_SERVICE)
    page.goto("/orders?sort=number")
    page.keyboard.press("j")
    page.keyboard.press("Space")
    region = page.get_by_role("complementary", name="Preview of SO-0")
    expect(region).to_be_visible()
    expect(page.locator("tr.current .row-link")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(region).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("tr.current .row-link")).to_be_focused()

    page.set_viewport_size({"width": OVER_THE_LIST, "height": 900})
    dialog = page.get_by_role("dialog", name="Preview of SO-0")
    expect(dialog).to_be_visible()
    page.keyboard.press("j")
    dialog = page.get_by_role("dialog", name="Preview of SO-1")
    expect(dialog).to_be_focused()
    is_inside = "document.getElementById('preview').contains(document.activeElement)"
    stops = page.locator("#preview :is(a[href], button):visible").count()
    for key in ("Tab", "Shift+Tab"):
        for _ in range(stops + 2):
            page.keyboard.press(key)
            assert page.evaluate(is_inside), key
    assert accessibility_violations(page) == []
    page.keyboard.press("Escape")
    expect(page.locator("tr.current .row-link")).to_be_focused()
    expect(page.locator("tr.current .row-link")).to_have_text("SO-1")


def test_count_of_selected_alerts_is_complete_beside_a_docked_preview(
    browser: Browser, live_server: LiveServer
) -> None:
    alert("SO-1")
    page = page_of(browser, live_server, UserRole.ADMIN)
    page.goto("/alerts?by=one")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("Space")
    expect(page.locator("#preview")).to_be_visible()
    count = page.locator("#alerts-selected")
    expect(count).to_have_text("1 alert selected")
    assert count.evaluate("element => element.scrollWidth <= element.clientWidth")
