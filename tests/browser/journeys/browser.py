"""Chromium for the browser tests, with checks of the console, requests, layout, accessibility."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import (  # type: ignore[import-untyped] # has no stubs
    Axe,
)
from django.db import connections
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Page,
    Request,
    Response,
    expect,
    sync_playwright,
)

from visibility.launcher import find_browser

AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]
DESKTOP_WIDTH, PHONE_WIDTH, NARROW_WIDTH = 1440, 390, 320
KIOSK_SIZES = ((1920, 1080), (1440, 900))
# Tiles of full width that are cut off, tiles without one whole row, and text that is too small to
# be read from four meters: 1.3 times that of a page; the base is 1.6 times it.
KIOSK_PROBLEMS = """() => {
    const bottom = (element) => element.getBoundingClientRect().bottom;
    const name = (tile, problem) => `${tile.className}: ${problem}`;
    const tiles = [...document.querySelectorAll(".kiosk .tile")];
    const strips = tiles.filter((t) => t.closest(".kiosk-row-strip"));
    const cut = strips.filter((t) => t.scrollHeight > t.clientHeight + 1);
    const rowless = tiles.filter((t) => {
        const row = t.querySelector(".tile-list > li, .feeds > li");
        return row && bottom(row) > bottom(t) + 1;
    });
    const size = (element) => parseFloat(getComputedStyle(element).fontSize);
    const texts = [...document.querySelectorAll(".kiosk :is(span, p, b, h1, h2, h3, time)")];
    const small = texts.filter((e) => e.checkVisibility() && e.clientHeight && e.textContent.trim()
        && size(e) < 14 * 1.3 && !e.closest(".visually-hidden, .tile-bare-head"));
    const base = size(document.body);
    return [
        ...cut.map((t) => name(t, "cut off")), ...rowless.map((t) => name(t, "no row")),
        ...small.map((e) => name(e, `${size(e)} px`)),
        ...(base < 22.4 ? [`base type ${base}`] : []),
        ...(bottom(document.querySelector("main")) > innerHeight ? ["below the screen"] : []),
    ];
}"""
EXTRA_HEIGHT = "document.documentElement.scrollHeight - document.documentElement.clientHeight"
EXTRA_WIDTH = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# The innermost elements that reach beyond the right edge.
WIDE_ELEMENTS = """
[...document.querySelectorAll("main *")]
    .filter((each) => each.getBoundingClientRect().right > document.documentElement.clientWidth)
    .slice(-3).map((each) => `${each.localName}.${each.className}`).join(" ")
"""
# Chromium cancels the pending requests of a page when it navigates away.
CANCELED_BY_NAVIGATION = "net::ERR_ABORTED"


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser on the PATH. Without one, the test fails in CI and is skipped elsewhere."""
    path = find_browser.find_browser()
    if path is None:
        reason = f"no browser found on the PATH ({', '.join(find_browser.BROWSER_NAMES)})"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(f"not run: {reason}")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright runs an event loop in this thread, so Django would reject all database calls.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        # Long, because the product, the browser and other tests may share two cores.
        expect.set_options(timeout=15_000)
        chromium_browser = playwright.chromium.launch(
            executable_path=path, args=list(find_browser.BROWSER_FLAGS)
        )
        yield chromium_browser
        chromium_browser.close()
        # Close Django's connections of this thread, or the test database cannot be dropped.
        connections.close_all()


@dataclass
class PageWatch:
    """Collects console messages, failed requests, and requests to other hosts."""

    host: str
    problems: list[str] = field(default_factory=list)

    def watch_page(self, page: Page) -> None:
        """Watch this page."""
        page.on("console", self._record_console)
        page.on("pageerror", lambda error: self.problems.append(f"{page.url}: {error}"))
        page.on("requestfailed", self._record_failure)
        page.on("request", self._check_host)
        page.on("response", self._check_status)

    def _record_console(self, message: ConsoleMessage) -> None:
        # `_check_status` reports failed loads together with their URL.
        loading = message.text.startswith("Failed to load resource")
        if not loading:
            path = urlsplit(message.page.url).path if message.page else ""
            self.problems.append(f"console {message.type} {path}: {message.text}")

    def _record_failure(self, request: Request) -> None:
        if request.failure != CANCELED_BY_NAVIGATION:
            self.problems.append(f"{request.url} failed: {request.failure}")

    def _check_host(self, request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme not in {"data", "blob"} and url.netloc != self.host:
            self.problems.append(f"{request.url} is on another host")

    def _check_status(self, response: Response) -> None:
        if response.status >= 400:
            self.problems.append(f"{urlsplit(response.url).path} returned {response.status}")


def horizontal_overflow(page: Page) -> list[str]:
    """Report a page that scrolls horizontally."""
    excess, size = page.evaluate(EXTRA_WIDTH), page.viewport_size
    if excess <= 0:
        return []
    return [f"{excess} px too wide at {size}: {page.evaluate(WIDE_ELEMENTS)}"]


def vertical_overflow(page: Page) -> list[str]:
    """Report a page that scrolls vertically, which a kiosk screen cannot do."""
    excess, size = page.evaluate(EXTRA_HEIGHT), page.viewport_size
    return [f"{excess} px too tall at {size}"] if excess > 0 else []


def accessibility_violations(
    page: Page, selector: str | None = None, *, vendored: bool = False, colors_only: bool = False
) -> list[str]:
    """Accessibility violations found by axe on the page, or inside of the selected element.

    `vendored`: the markup is from Swagger UI, which puts links into buttons.
    """
    options: dict[str, Any] = {
        "resultTypes": ["violations"],
        "runOnly": {"type": "tag", "values": AXE_TAGS},
        "rules": {"nested-interactive": {"enabled": not vendored}},
    }
    if colors_only:
        options["runOnly"] = {"type": "rule", "values": ["color-contrast"]}
    axe_violations = Axe().run(page, selector, options=options).response["violations"]
    return [
        f"{rule['id']}: {' '.join(map(str, node['target']))}: {node.get('failureSummary', '')}"
        for rule in axe_violations
        for node in rule["nodes"][:3]
    ]
