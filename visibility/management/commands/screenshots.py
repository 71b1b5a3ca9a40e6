"""manage.py shots: the documents' pictures, taken of the running demonstration."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Count

from visibility.launcher import browser
from visibility.launcher.instance import CHECKOUT
from visibility.models import EventObject, Order

if TYPE_CHECKING:
    from playwright.sync_api import Page

FOLDER = CHECKOUT / "docs" / "pictures"
SIZE = (1440, 900)
LIMIT = 300_000
# Such an order has many to tell of it, and is not over yet.
PARTLY = ("partially_shipped", "partially_delivered")
DRAWN = "[...document.querySelectorAll('[data-chart]')].every(c => c.querySelector('.main-svg'))"


class Command(BaseCommand):
    """Signs in with one click; nothing is changed."""

    help = "Take the pictures of the documents from the running demonstration (needs Chromium)."

    def handle(self, *args: Any, **options: Any) -> None:
        path = _browser()
        pages = {
            "timeline": f"/orders/{_order()}",
            "board": "/boards/operations",
            "alerts": "/alerts",
            "numbers": "/numbers",
        }
        FOLDER.mkdir(parents=True, exist_ok=True)
        for name, size in _take(path, pages).items():
            self.stdout.write(f"{name}.png {size // 1000} kB")
            if size > LIMIT:
                raise CommandError(f"{name}.png has {size} bytes; {LIMIT} are the most.")


def _browser() -> str:
    if not settings.DEMO:
        raise CommandError("Only of a demonstration: start one with `manage.py up --demo`.")
    if find_spec("playwright") is None:
        raise CommandError(
            "Playwright is missing: it comes with requirements-dev.lock, which `manage.py shots` "
            "installs into .venv unless another virtual environment is active."
        )
    path = browser.find()
    if path is None:
        raise CommandError(f"There is no browser on the PATH: {', '.join(browser.NAMES)}.")
    return path


def _order() -> int:
    """The order under way of which most has been told."""
    under_way = Order.objects.filter(status__in=PARTLY).values("pk")
    told = EventObject.objects.filter(object_id__in=under_way).values("object_id")
    found = told.annotate(many=Count("event_id")).order_by("-many", "object_id").first()
    if found is None:
        raise CommandError("No order is partly shipped yet: wait until the history is read.")
    return int(found["object_id"])


def _take(path: str, pages: Mapping[str, str]) -> dict[str, int]:
    """Open each page and keep what is seen of it; the files' sizes."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as player:
        chromium = player.chromium.launch(executable_path=path, args=list(browser.FLAGS))
        page = chromium.new_page(
            base_url=settings.PUBLIC_URL,
            viewport={"width": SIZE[0], "height": SIZE[1]},
            color_scheme="light",
            reduced_motion="reduce",
        )
        page.goto("/signin")
        page.click("button[value=admin]")
        page.wait_for_selector("nav.rail")
        sizes = {name: _shoot(page, url, FOLDER / f"{name}.png") for name, url in pages.items()}
        chromium.close()
    return sizes


def _shoot(page: "Page", url: str, path: Path) -> int:
    page.goto(url)
    page.wait_for_function(DRAWN)
    return len(page.screenshot(path=path))
