"""What loading a page costs: bytes on the wire without a cache, and layout shift."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Page

# The sum of the layout shifts since the first paint that no key press or click caused.
LAYOUT_SHIFT = """async () => {
    let total = 0;
    const moved = new Set();
    const add = (entries) => entries.filter((entry) => !entry.hadRecentInput).forEach((entry) => {
        total += entry.value;
        entry.sources.forEach(({ node }) => moved.add(
            [node?.nodeName, node?.id, node?.className].filter(Boolean).join(" ")
        ));
    });
    const observer = new PerformanceObserver((list) => add(list.getEntries()));
    observer.observe({ type: "layout-shift", buffered: true });
    await document.fonts.ready;
    for (const _ of [1, 2, 3]) await new Promise(requestAnimationFrame);
    add(observer.takeRecords());
    observer.disconnect();
    return [total, [...moved].slice(0, 4).join(", ")];
}"""
# A chart needs Plotly, and the API documentation is Swagger UI: each is larger than a page.
DRAWN_BY_LIBRARY = "[data-chart], #swagger-ui"
MAX_BYTES = 120_000
MAX_LAYOUT_SHIFT = 0.05


@dataclass
class LoadMeter:
    """Measures loads of pages; see `without_cache`."""

    page: Page
    # The bytes of each request that began with the load: None until they are known.
    received: dict[str, int | None] = field(default_factory=dict)

    def load(self, url: str) -> None:
        """Load a page."""
        self.received.clear()
        self.page.goto(url)

    def problems(self) -> list[str]:
        """What of the loaded page is above a limit."""
        problems = []
        number = sum(filter(None, self.received.values()))
        if number > MAX_BYTES and not self.page.locator(DRAWN_BY_LIBRARY).count():
            problems.append(f"{number:,} bytes")
        shift, moved = self.page.evaluate(LAYOUT_SHIFT)
        if shift >= MAX_LAYOUT_SHIFT:
            problems.append(f"layout shift {shift:.3f} at {self.page.viewport_size}: {moved}")
        return problems

    def begin(self, event: dict[str, Any]) -> None:
        """A request is sent. Live updates do not belong to the load."""
        if "X-Live" not in event["request"]["headers"]:
            self.received[event["requestId"]] = None

    def finish(self, event: dict[str, Any]) -> None:
        """A response has arrived. Those to requests of the page before do not count."""
        if event["requestId"] in self.received:
            self.received[event["requestId"]] = int(event["encodedDataLength"])


@contextmanager
def without_cache(page: Page) -> Iterator[LoadMeter]:
    """Turn off the browser's cache for this page and measure what it loads."""
    meter = LoadMeter(page)
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    session.on("Network.requestWillBeSent", meter.begin)
    session.on("Network.loadingFinished", meter.finish)
    yield meter
    session.send("Network.setCacheDisabled", {"cacheDisabled": False})
    # To detach the session would also remove the authenticator that a test gave to the page.
    session.send("Network.disable")
