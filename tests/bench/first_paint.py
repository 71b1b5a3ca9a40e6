"""Measure the first contentful paint of lists in a real browser without a cache."""

import statistics
import sys
from typing import TYPE_CHECKING

from tests.bench import setup
from tests.bench.dataset import OrderDataset
from tests.bench.environment import BenchEnvironment
from tests.bench.report import ReportLine, Sample
from tests.bench.sizes import BenchSize
from visibility.launcher import find_browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser

LISTS = {"paint_orders": "/orders", "paint_alerts": "/alerts", "paint_messages": "/messages"}
STATIC, STATIC_NAME = "static", "first-paint.html"
# The style sheet and the font of the pages, and nothing that the server must compute.
STATIC_PAGE = """<!doctype html>
<html lang="en"><title>Static page</title><link rel="stylesheet" href="css/throughline.css">
<body><h1>Static page</h1></body></html>
"""
FIRST_PAINT = """new Promise((resolve) => new PerformanceObserver((list, observer) => {
    const [entry] = list.getEntriesByName("first-contentful-paint");
    if (entry) { observer.disconnect(); resolve(entry.startTime); }
}).observe({ type: "paint", buffered: true }))"""


def measure_first_paint(stage: BenchEnvironment, size: BenchSize) -> list[ReportLine]:
    """Milliseconds from the navigation to the first paint, in rounds of one load of each page."""
    path = find_browser.find_browser()
    if path is None:
        print("paint: no browser found on the PATH, not measured", file=sys.stderr)
        return []
    setup.clear_data()
    OrderDataset(size.templates).grow(size.growth[0])
    (stage.servers.folder / "static" / STATIC_NAME).write_text(STATIC_PAGE)
    # The web server looks for static files when it starts.
    stage.product.stop()
    stage.start_web()
    pages = {STATIC: f"/static/{STATIC_NAME}", **LISTS}
    times = _measure_rounds(stage, path, pages, size.paints)
    static = Sample.of(times[STATIC])
    return [
        ReportLine(
            code,
            Sample.of(times[code]),
            note=f"{statistics.median(times[code]) / static.median:.2f}x of a static page "
            f"with the same style sheet, {static} ms",
        )
        for code in LISTS
    ]


def _measure_rounds(
    stage: BenchEnvironment, path: str, pages: dict[str, str], rounds: int
) -> dict[str, list[float]]:
    """Milliseconds by page; the first round warms up the server and is left out."""
    from playwright.sync_api import sync_playwright

    session = setup.signed_in_client().cookies["sessionid"].value
    times: dict[str, list[float]] = {name: [] for name in pages}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=list(find_browser.BROWSER_FLAGS)
        )
        for number in range(rounds + 1):
            for name, page in pages.items():
                paint = _first_paint(browser, stage.environment["PUBLIC_URL"], page, session)
                if number:
                    times[name].append(paint)
        browser.close()
    return times


def _first_paint(browser: "Browser", url: str, path: str, session: str) -> float:
    """Load a page in a new context, which has an empty cache and no connections."""
    context = browser.new_context(base_url=url, viewport={"width": 1440, "height": 900})
    context.add_cookies([{"name": "sessionid", "value": session, "url": url}])
    page = context.new_page()
    response = page.goto(path)
    if response is None or response.status != 200 or not page.url.endswith(path):
        raise RuntimeError(f"GET {path} led to {page.url}")
    paint = float(page.evaluate(FIRST_PAINT))
    context.close()
    return paint
