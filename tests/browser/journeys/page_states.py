"""States of pages that a click or a key opens, checked by axe in both themes."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from django.template.loader import render_to_string
from playwright.sync_api import Page, expect

from tests.browser.journeys.browser import DESKTOP_WIDTH, PHONE_WIDTH, accessibility_violations
from tests.browser.journeys.page_checks import REMOVE_REPEATED_ROWS

# All menus of these pages are opened, one after the other.
PAGES_WITH_MENUS = (
    "/orders",
    "/orders/{order}",
    "/alerts?by=one",
    "/alerts/{alert}",
    "/boards/operations",
    "/numbers",
    "/sources/wms?tab=settings",
)
# Opens the next menu that was not checked yet and returns its title; a live update may replace it
# before, but not while it is open. All tiles have the same menu: the first is checked.
OPEN_NEXT_MENU = """(checked) => {
    const all = [...document.querySelectorAll("details.menu")];
    const tile = all.find((menu) => menu.matches(".tile-menu"));
    const menus = all.filter((menu) => menu.querySelector("summary").checkVisibility()
        && (!menu.matches(".tile-menu") || menu === tile));
    all.forEach((menu) => { menu.open = false; menu.removeAttribute("data-axe"); });
    const menu = menus[checked];
    if (!menu) return null;
    menu.open = true;
    menu.dataset.axe = "";
    return menu.querySelector("summary").textContent.trim();
}"""


def _selected(page: Page) -> None:
    page.locator("#alerts-list input[name=ids]").first.check()


def _palette(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("Electric")
    expect(page.locator("#search-list [role=option]").first).to_be_visible()


def _shortcuts(page: Page) -> None:
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()


def _session_ends(page: Page) -> None:
    page.evaluate("document.getElementById('session').showModal()")


def _preview(page: Page) -> None:
    page.keyboard.press("j")
    page.keyboard.press("Space")
    expect(page.locator("#preview h2").first).to_be_visible()


def _filters(page: Page) -> None:
    page.locator(".filter-menu > summary").click()
    expect(page.locator(".filter-menu > .menu-body")).to_be_in_viewport(ratio=0.9)


def _sections(page: Page) -> None:
    page.locator(".rail-more").click()
    expect(page.locator("#more-sections")).to_be_visible()


def _snooze(page: Page) -> None:
    _selected(page)
    page.locator("#alerts-actions summary[data-key=s]").click()


def _wrong_form(page: Page) -> None:
    """Send the form of the page empty, past the checks of the browser."""
    page.evaluate("[...document.querySelectorAll('main form')].at(-1).noValidate = true")
    page.locator("main form").last.locator("button[type=submit], button:not([type])").last.click()
    expect(page.locator("main [aria-invalid=true]").first).to_be_visible()


def _nothing(page: Page) -> None:
    """The page as it is."""


STATES: Mapping[str, tuple[str, int, Callable[[Page], None]]] = {
    "search with results": ("/orders", DESKTOP_WIDTH, _palette),
    "keyboard shortcuts": ("/orders", DESKTOP_WIDTH, _shortcuts),
    "end of the session": ("/orders", DESKTOP_WIDTH, _session_ends),
    "preview beside orders": ("/orders", DESKTOP_WIDTH, _preview),
    "preview over orders": ("/orders", 1100, _preview),
    "preview of an alert": ("/alerts?by=one", DESKTOP_WIDTH, _preview),
    "filters on a phone": ("/orders", PHONE_WIDTH, _filters),
    "sections on a phone": ("/orders", PHONE_WIDTH, _sections),
    "snooze on a phone": ("/alerts?by=one", PHONE_WIDTH, _snooze),
    "new person with errors": ("/people/new", DESKTOP_WIDTH, _wrong_form),
    "new manifest with errors": ("/manifests/new", DESKTOP_WIDTH, _wrong_form),
    "new calendar with errors": ("/calendars/new", DESKTOP_WIDTH, _wrong_form),
    "outgoing address with errors": ("/outgoing-addresses", DESKTOP_WIDTH, _wrong_form),
    "no orders": ("/orders?status=cancelled&customer=nobody", DESKTOP_WIDTH, _nothing),
    "no alerts": ("/alerts?view=snoozed", DESKTOP_WIDTH, _nothing),
    "no messages": ("/messages?state=nothing", DESKTOP_WIDTH, _nothing),
    "missing page": ("/nothing", DESKTOP_WIDTH, _nothing),
    "server error": ("/fault", DESKTOP_WIDTH, _nothing),
}


@contextmanager
def page_of_server_error(page: Page) -> Iterator[None]:
    """The address `/fault` responds with the page of a server error."""
    body = render_to_string("500.html", {"reference": "c4a1"})
    page.route("**/fault", lambda route: route.fulfill(content_type="text/html", body=body))
    yield
    page.unroute("**/fault")


def menu_violations(page: Page, url: str) -> Iterator[str]:
    """Violations in each menu of a page while it is open."""
    page.set_viewport_size({"width": DESKTOP_WIDTH, "height": 900})
    page.goto(url)
    page.evaluate(REMOVE_REPEATED_ROWS)
    if url.startswith("/alerts?"):
        _selected(page)
    for checked in itertools.count():
        title = page.evaluate(OPEN_NEXT_MENU, checked)
        if title is None:
            assert checked, f"{url} has no menus"
            return
        yield from both_themes(page, f"{url}: menu {title}", "[data-axe]")


def state_violations(page: Page, name: str) -> Iterator[str]:
    """Violations of a page in a state of `STATES`."""
    url, width, open_state = STATES[name]
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(url)
    open_state(page)
    page.evaluate(REMOVE_REPEATED_ROWS)
    # What lies under a preview is partly covered until it is closed.
    yield from both_themes(page, name, "#preview" if name == "preview over orders" else None)


def both_themes(page: Page, name: str, selector: str | None = None) -> Iterator[str]:
    """All violations in light, and those of colors in dark: only colors depend on the theme."""
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    for violation in accessibility_violations(page, selector):
        yield f"{name}: {violation}"
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    for violation in accessibility_violations(page, selector, colors_only=True):
        yield f"{name}, dark: {violation}"
