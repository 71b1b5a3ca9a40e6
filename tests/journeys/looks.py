"""Every page of every role, and what may not be wrong with any of them in any size and theme."""

from collections.abc import Mapping, Sequence
from typing import Literal

from playwright.sync_api import Page

from tests.journeys.browser import (
    DESK,
    NARROW,
    PHONE,
    WALL,
    too_tall,
    too_wide,
    violations,
)

# Both themes and both sizes are read through once by axe; colours do not depend on the size.
READ: tuple[tuple[int, Literal["light", "dark"]], ...] = ((DESK, "light"), (PHONE, "dark"))
# The rows of a list are alike: axe reads the first ones, or most of its time goes there.
ALIKE = "tbody tr:nth-child(n + 6), .told-list li:nth-child(n + 4)"
THIN = f"document.querySelectorAll('{ALIKE}').forEach(row => row.remove())"
PAGES: Mapping[str, Sequence[str]] = {
    "clerk": (
        "/orders",
        "/orders?status=cancelled&customer=nobody",
        "/search",
        "/search?q=Electric",
        "/search?q=nothing-of-the-kind",
        "/search?q={po}%0A4712%0A{invoice}",
        "/orders/{order}",
        "/orders/{order}?tab=lines",
        "/orders/{order}?tab=shipments",
        "/orders/{order}?tab=money",
        "/orders/{order}?tab=truths",
        "/orders/{contested}?tab=truths",
        "/orders/{order}?tab=lineage",
        "/orders/{order}?event={event}",
        "/joins",
        "/joins/pair?left={order}&right={orphan}",
        "/numbers",
        "/nothing",
    ),
    "operations": (
        "/boards/operations",
        "/boards/operations?kiosk=1",
        "/alerts",
        "/alerts?view=snoozed",
        "/alerts/{alert}",
        "/orders/{order}?tab=lineage",
        "/joins",
        "/joins/pair?left={order}&right={orphan}",
        "/joins/split/{order}",
        "/mappings",
        "/mappings/item",
        "/mappings/hurt?table=item&source=partner&word=ZX-1",
    ),
    "executive": (
        "/orders",
        "/orders/{order}?tab=money",
        "/numbers",
        "/numbers/fill_rate",
        "/numbers/order_cycle_time",
        "/numbers/fill_rate/orders",
        "/numbers/fill_rate/orders?part=excluded",
        "/numbers/fill_rate/orders?part=aside",
    ),
    "integrator": (
        "/sources",
        "/sources/wms",
        "/sources/3pl",
        "/sources/wms?tab=messages",
        "/sources/desk?tab=parked",
        "/sources/wms?tab=settings",
        "/messages",
        "/messages/{parked}?body=1",
        "/mappings",
        "/mappings/item",
        "/mappings/item?tab=item",
        "/mappings/location",
        "/mappings/status",
        "/mappings/mapping/new?table=item&source=partner&theirs=ZX-1",
        "/api/v1/docs",
    ),
}
# What these may not open, or what does not exist, has a page too.
REFUSED = {"clerk": ["/nothing answers 404", "/numbers answers 403"]}


def faults(page: Page, url: str) -> list[str]:
    """What is wrong with a page, in every size and in both themes."""
    found: list[str] = []
    for width, theme in READ:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        page.goto(url)
        settle(page)
        found += too_wide(page)
        page.evaluate(THIN)
        found += violations(page, vendored=url.startswith("/api/"))
    if "kiosk=1" in url:
        page.set_viewport_size({"width": WALL[0], "height": WALL[1]})
        page.goto(url)
        found += too_tall(page)
    # What a phone shows at 320 px is also what a desk shows at four times the size.
    page.set_viewport_size({"width": NARROW, "height": 900})
    return [f"{url}: {fault}" for fault in [*found, *too_wide(page)]]


def settle(page: Page) -> None:
    """Wait until what is drawn by script is there."""
    if page.locator("#swagger-ui").count():
        page.wait_for_selector(".opblock")
    if page.locator("[data-chart]").count():
        page.wait_for_selector("[data-chart] .main-svg")
