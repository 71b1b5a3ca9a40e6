"""Pages of each role, and checks that run on them in all sizes and themes."""

from collections.abc import Mapping, Sequence
from typing import Literal

from playwright.sync_api import Page

from tests.browser.journeys.browser import (
    DESKTOP_WIDTH,
    KIOSK_PROBLEMS,
    KIOSK_SIZES,
    NARROW_WIDTH,
    PHONE_WIDTH,
    accessibility_violations,
    horizontal_overflow,
    vertical_overflow,
)
from tests.browser.journeys.load_meter import without_cache

# axe checks each theme and each size once: colors do not depend on the size.
AXE_VIEWS: tuple[tuple[int, Literal["light", "dark"]], ...] = (
    (DESKTOP_WIDTH, "light"),
    (PHONE_WIDTH, "dark"),
)
# axe only checks the first rows of a list, to save time: all rows have the same markup.
REPEATED_ROWS = "tbody tr:nth-child(n + 6), .activity li:nth-child(n + 4)"
REMOVE_REPEATED_ROWS = f"document.querySelectorAll('{REPEATED_ROWS}').forEach(row => row.remove())"
PAGES: Mapping[str, Sequence[str]] = {
    "clerk": (
        "/orders",
        "/orders?open=1",
        "/orders?status=cancelled&customer=nobody",
        "/search",
        "/search?q=Electric",
        "/search?q=nothing-of-the-kind",
        "/search?q={po}%0A4712%0A{invoice}",
        "/orders/{order}",
        "/orders/{order}?tab=lines",
        "/orders/{order}?tab=shipments",
        "/orders/{order}?tab=money",
        "/orders/{order}?tab=discrepancies",
        "/orders/{contested}?tab=discrepancies",
        "/orders/{order}?tab=lineage",
        "/orders/{order}?event={event}",
        "/orders/{order}?tab=notes",
        "/mentions",
        "/joins",
        "/joins/pair?left={order}&right={orphan}",
        "/numbers",
        "/nothing",
    ),
    "operations": (
        "/boards/operations",
        "/boards/operations?kiosk=1",
        "/boards/operations?arrange=1",
        "/screen-links",
        "/alerts",
        "/alerts?by=one",
        "/alerts?view=snoozed",
        "/alerts/{alert}",
        "/orders/{order}?tab=lineage",
        "/joins",
        "/joins?record={orphan}",
        "/joins?kind=invoice&q=nothing",
        "/joins/orders",
        "/joins/records/{orphan}",
        "/joins/pair?left={order}&right={orphan}",
        "/joins/split/{order}",
        "/mappings",
        "/mappings/item",
        "/mappings/affected?kind=item&source=partner&term=ZX-1",
        "/rules",
        "/rules/stuck-in-released",
        "/rules/unmapped-status",
        "/calendars",
        "/calendars/new",
        "/calendars/warehouses",
    ),
    "executive": (
        "/orders",
        "/orders/{order}?tab=money",
        "/numbers",
        "/numbers/fill_rate",
        "/numbers/order_cycle_time",
        "/numbers/fill_rate/orders",
        "/numbers/fill_rate/orders?part=excluded",
        "/numbers/fill_rate/orders?part=uncountable",
    ),
    "integrator": (
        "/sources",
        "/sources?state=live&q=nothing",
        "/sources/wms",
        "/sources/3pl",
        "/sources/new",
        "/sources/new/x12",
        "/manifests",
        "/manifests/new",
        "/release-checks",
        "/sources/wms?tab=requests",
        "/sources/wms?tab=reading",
        "/sources/wms?tab=messages",
        "/sources/desk?tab=parked",
        "/sources/wms?tab=settings",
        "/messages",
        "/messages/{parked}?body=1",
        "/messages/replay?id={parked}",
        "/mappings",
        "/mappings/item",
        "/mappings/unmapped",
        "/mappings/mapping?kind=item",
        "/mappings/mapping?kind=status&q=nothing",
        "/mappings/location",
        "/mappings/mapping/new?kind=item&source=partner&external=ZX-1",
        "/api/v1/docs",
    ),
}
# Error pages are checked as well: a missing page and a page without permission.
EXPECTED_PROBLEMS = {"clerk": ["/nothing returned 404", "/numbers returned 403"]}


def is_variant(url: str) -> bool:
    """Whether `test_every_page_is_accessible.py` leaves the page to the journeys of the roles."""
    return "?" in url or url in {"/signin", "/nothing", "/api/v1/docs"}


def page_problems(page: Page, url: str, *, axe: bool = True) -> list[str]:
    """Problems of a page in all sizes and both themes."""
    problems: list[str] = []
    for width, theme in AXE_VIEWS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        with without_cache(page) as meter:
            meter.load(url)
            wait_for_scripts(page)
            problems += meter.problems()
        problems += horizontal_overflow(page)
        if axe:
            page.evaluate(REMOVE_REPEATED_ROWS)
            problems += accessibility_violations(page, vendored=url.startswith("/api/"))
    if "kiosk=1" in url:
        for width, height in KIOSK_SIZES:
            page.set_viewport_size({"width": width, "height": height})
            page.goto(url)
            problems += [*vertical_overflow(page), *page.evaluate(KIOSK_PROBLEMS)]
    # 320 px is also the width of a desktop page at 400% zoom (WCAG 1.4.10, Reflow).
    page.set_viewport_size({"width": NARROW_WIDTH, "height": 900})
    return [f"{url}: {fault}" for fault in [*problems, *horizontal_overflow(page)]]


def wait_for_scripts(page: Page) -> None:
    """Wait until scripts have drawn charts and API documentation."""
    if page.locator("#swagger-ui").count():
        page.wait_for_selector(".opblock")
    if page.locator("[data-chart]").count():
        page.wait_for_selector("[data-chart] .main-svg")
