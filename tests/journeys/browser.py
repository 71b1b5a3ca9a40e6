"""A real Chromium for the journeys, and what it must never say, fetch or break."""

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

from visibility.launcher import browser

TAGS = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]
DESK, PHONE, NARROW = 1440, 390, 320
WALL = (1920, 1080)
TALLER = "document.documentElement.scrollHeight - document.documentElement.clientHeight"
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# A page that is left stops what it was fetching.
LEFT = "net::ERR_ABORTED"


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser on the PATH; a runner without one fails, a person without one is told."""
    found = browser.find()
    if found is None:
        said = f"there is no browser on the PATH ({', '.join(browser.NAMES)})"
        if os.environ.get("CI"):
            pytest.fail(said)
        pytest.skip(f"not run: {said}")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as player:
        # Playwright keeps a loop in this thread; nothing of Django's runs in it.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        # The product, the browser and other tests may share two cores.
        expect.set_options(timeout=15_000)
        started = player.chromium.launch(executable_path=found, args=list(browser.FLAGS))
        yield started
        started.close()
        # Beside the loop Django has connections of its own, which would outlive the database.
        connections.close_all()


@dataclass
class Watch:
    """Everything a page complains of, and every foreign address it asks for."""

    host: str
    said: list[str] = field(default_factory=list)

    def over(self, page: Page) -> None:
        """Listen to this page."""
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.said.append(f"{page.url}: {error}"))
        page.on("requestfailed", self._failed)
        page.on("request", self._asked)
        page.on("response", self._answered)

    def _console(self, message: ConsoleMessage) -> None:
        # What could not be loaded is told by its answer, with the address.
        loading = message.text.startswith("Failed to load resource")
        if message.type in {"error", "warning"} and not loading:
            self.said.append(f"console: {message.text}")

    def _failed(self, request: Request) -> None:
        if request.failure != LEFT:
            self.said.append(f"{request.url} failed: {request.failure}")

    def _asked(self, request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme not in {"data", "blob"} and url.netloc != self.host:
            self.said.append(f"{request.url} is another host")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.said.append(f"{urlsplit(response.url).path} answers {response.status}")


def too_wide(page: Page) -> list[str]:
    """Whether the page scrolls sideways."""
    by, size = page.evaluate(WIDER), page.viewport_size
    return [f"{by} px too wide at {size}"] if by > 0 else []


def too_tall(page: Page) -> list[str]:
    """Whether a wall screen would have to be scrolled."""
    by, size = page.evaluate(TALLER), page.viewport_size
    return [f"{by} px too tall at {size}"] if by > 0 else []


def violations(page: Page, *, vendored: bool = False) -> list[str]:
    """What axe finds; `vendored`: the markup is Swagger UI's, which puts links into its buttons."""
    options: dict[str, Any] = {
        "resultTypes": ["violations"],
        "runOnly": {"type": "tag", "values": TAGS},
        "rules": {"nested-interactive": {"enabled": not vendored}},
    }
    found = Axe().run(page, options=options).response["violations"]
    return [
        f"{rule['id']}: {' '.join(map(str, node['target']))}: {node.get('failureSummary', '')}"
        for rule in found
        for node in rule["nodes"][:3]
    ]
