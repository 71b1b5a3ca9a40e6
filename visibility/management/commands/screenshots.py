"""`manage.py screenshots`: take the documentation's screenshots of the running demo."""

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Count

from visibility.launcher import find_browser
from visibility.launcher.instance_lock_and_environment import CHECKOUT
from visibility.models import EventObjectLink, Order

if TYPE_CHECKING:
    from playwright.sync_api import Page

FOLDER = CHECKOUT / "docs" / "pictures"
VIEWPORT = (1440, 900)
MAX_BYTES = 300_000
# Every page in each of these sizes and themes, with `--every-page`.
VIEWS = ((1440, 900, "light"), (1440, 900, "dark"), (390, 844, "light"))
EVERY_PAGE: Mapping[str, str] = {
    "orders": "/orders",
    "search": "/search?q=Electric",
    "orders-none": "/orders?status=cancelled&customer=nobody",
    "mentions": "/mentions",
    "exports": "/exports",
    "schemas": "/schemas",
    "alerts": "/alerts",
    "alert-health": "/alerts/health",
    "board": "/boards/operations",
    "board-arrange": "/boards/operations?arrange=1",
    "tile": "/boards/operations/tiles/1/key_figures",
    "screen-links": "/screen-links",
    "kiosk": "/boards/operations?kiosk=1",
    "numbers": "/numbers",
    "number": "/numbers/fill_rate",
    "number-orders": "/numbers/fill_rate/orders",
    "targets": "/kpi-targets",
    "sources": "/sources",
    "source": "/sources/wms",
    "source-parked": "/sources/wms?tab=parked",
    "source-reading": "/sources/wms?tab=reading",
    "source-settings": "/sources/wms?tab=settings",
    "source-rotate": "/sources/wms/rotate",
    "source-new": "/sources/new",
    "source-new-shop": "/sources/new/shopify",
    "outgoing-addresses": "/outgoing-addresses",
    "kpi-targets": "/kpi-targets",
    "kpi-target": "/kpi-targets?kpi=fill_rate",
    "messages": "/messages",
    "replay": "/messages/replay?source=wms",
    "discard": "/messages/discard?source=wms",
    "maintenance": "/sources/wms/maintenance",
    "retention": "/messages/retention",
    "matching": "/joins",
    "mappings": "/mappings",
    "mapping-table": "/mappings/mapping?kind=item",
    "mapping-new": "/mappings/mapping/new?kind=item",
    "rules": "/rules",
    "rule": "/rules/stuck-in-released",
    "rule-new": "/rules/new",
    "rule-new-released": "/rules/new?kind=stuck_in_released",
    "manifests": "/manifests",
    "manifest-new": "/manifests/new",
    "release-checks": "/release-checks",
    "calendars": "/calendars",
    "calendar-new": "/calendars/new",
    "subscriptions": "/subscriptions",
    "subscription-new": "/subscriptions/new/email",
    "subscription-slack": "/subscriptions/new/slack",
    "mail-server": "/mail-server",
    "people": "/people",
    "person-new": "/people/new",
    "security": "/people/security",
    "single-sign-on": "/people/single-sign-on",
    "saml": "/people/single-sign-on/saml",
    "teams": "/teams",
    "audit": "/audit",
    "tour": "/tour",
    "notifications": "/account/notifications",
    "tokens": "/tokens",
    "organization": "/organization",
    "setup": "/setup",
    "forgot": "/signin/forgot",
    "account": "/account",
    "second-factor": "/account/second-factor",
    "styleguide": "/styleguide",
    "not-found": "/nothing",
}
# Such an order has many events and is still open.
PARTIAL_STATUSES = ("partially_shipped", "partially_delivered")
CHARTS_ARE_DRAWN = (
    "[...document.querySelectorAll('[data-chart]')].every(c => c.querySelector('.main-svg'))"
)


class Command(BaseCommand):
    """Sign in to the demo and save a screenshot of each page. Changes nothing in the demo."""

    help = "Take the documentation's screenshots of the running demo (needs Chromium)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--every-page",
            type=Path,
            metavar="FOLDER",
            help="save every page to this folder, in light, in dark and as on a phone",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path = _require_demo_and_find_browser_path()
        if folder := options["every_page"]:
            order = f"/orders/{_partially_shipped_order_id_with_most_events()}"
            pages = {"signin": "/signin", "order": order, **EVERY_PAGE}
            for name in _save_every_page(path, pages, folder):
                self.stdout.write(str(folder / name))
            return
        pages = {
            "timeline": f"/orders/{_partially_shipped_order_id_with_most_events()}",
            "board": "/boards/operations",
            "alerts": "/alerts",
            "numbers": "/numbers",
        }
        FOLDER.mkdir(parents=True, exist_ok=True)
        for name, size in _save_screenshots_and_return_file_sizes(path, pages).items():
            self.stdout.write(f"{name}.png {size // 1000} kB")
            if size > MAX_BYTES:
                raise CommandError(
                    f"{name}.png has {size} bytes, more than the limit of {MAX_BYTES}."
                )


def _require_demo_and_find_browser_path() -> str:
    if not settings.DEMO:
        raise CommandError("Screenshots need a demo: start one with `manage.py up --demo`.")
    if find_spec("playwright") is None:
        raise CommandError(
            "Playwright is not installed. It is part of requirements-dev.lock, which "
            "`manage.py screenshots` installs into .venv unless another virtual environment is "
            "active."
        )
    path = find_browser.find_browser()
    if path is None:
        raise CommandError(
            f"No browser found on the PATH ({', '.join(find_browser.BROWSER_NAMES)})."
        )
    return path


def _partially_shipped_order_id_with_most_events() -> int:
    """The partially shipped order with the most events."""
    orders = Order.objects.filter(status__in=PARTIAL_STATUSES).values("pk")
    links = EventObjectLink.objects.filter(object_id__in=orders).values("object_id")
    busiest = links.annotate(many=Count("event_id")).order_by("-many", "object_id").first()
    if busiest is None:
        raise CommandError(
            "No order is partially shipped yet. Wait until the demo history is loaded."
        )
    return int(busiest["object_id"])


def _save_screenshots_and_return_file_sizes(path: str, pages: Mapping[str, str]) -> dict[str, int]:
    """Save a screenshot of each page; return the file sizes in bytes."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=path, args=list(find_browser.BROWSER_FLAGS)
        )
        page = chromium.new_page(
            base_url=settings.PUBLIC_URL,
            viewport={"width": VIEWPORT[0], "height": VIEWPORT[1]},
            color_scheme="light",
            reduced_motion="reduce",
        )
        page.goto("/signin")
        page.click("button[value=admin]")
        page.wait_for_selector("nav.rail")
        sizes = {
            name: _save_screenshot_and_return_file_size(page, url, FOLDER / f"{name}.png")
            for name, url in pages.items()
        }
        chromium.close()
    return sizes


def _save_every_page(path: str, pages: Mapping[str, str], folder: Path) -> Sequence[str]:
    """Save each page in each view; return the names of the files."""
    from playwright.sync_api import sync_playwright

    folder.mkdir(parents=True, exist_ok=True)
    names = []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=path, args=list(find_browser.BROWSER_FLAGS)
        )
        for width, height, theme in VIEWS:
            page = chromium.new_page(
                base_url=settings.PUBLIC_URL,
                viewport={"width": width, "height": height},
                color_scheme="dark" if theme == "dark" else "light",
                reduced_motion="reduce",
            )
            for name, url in pages.items():
                names.append(f"{name}-{width}-{theme}.png")
                _save_screenshot_and_return_file_size(page, url, folder / names[-1])
                if url == "/signin":
                    page.click("button[value=admin]")
                    page.wait_for_selector("nav.rail")
            page.close()
        chromium.close()
    return names


def _save_screenshot_and_return_file_size(page: "Page", url: str, path: Path) -> int:
    page.goto(url)
    page.wait_for_function(CHARTS_ARE_DRAWN)
    return len(page.screenshot(path=path))
