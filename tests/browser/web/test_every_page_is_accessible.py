"""axe finds nothing on any page of the URL registry, in both themes, and all fit three widths.

The pages are those of `tests/db/web/walk/addresses.py`, in which every URL pattern must be: a page
that is added is walked here, too.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import pytest
from django.test import override_settings
from playwright.sync_api import Browser, Page
from pytest_django.live_server_helper import LiveServer

from tests.browser.journeys.browser import (
    DESKTOP_WIDTH,
    NARROW_WIDTH,
    accessibility_violations,
    chromium,
    horizontal_overflow,
)
from tests.browser.journeys.page_checks import REMOVE_REPEATED_ROWS
from tests.builders.users import signed_in
from tests.db.web.walk.addresses import PAGES
from tests.db.web.walk.dataset import WalkRecords, build_dataset
from visibility.web.permissions import UserRole

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
TABLET_WIDTH = 1100
# Colors depend on the theme and layout on the width, so each is checked with one of the other.
VIEWS: Sequence[tuple[int, Literal["light", "dark"]]] = (
    (DESKTOP_WIDTH, "light"),
    (NARROW_WIDTH, "dark"),
)
# What is no page: files, pieces of a page, and answers for machines.
NO_PAGES = frozenset(
    {
        *("sources-not-reporting", "search/suggest", "healthz", "readyz", "metrics"),
        *("alerts/groups/preview", "alerts/groups/rows", "help/pictures/<str:name>"),
        *("schemas/v<int:version>/<path:name>.json", "release-checks/<int:check_id>/file"),
        "boards/<slug:slug>/tiles/<int:number>/<slug:code>",
        # Its markup is that of Swagger UI, which the journeys check.
        "api/v1/docs",
        *("brand/<str:name>", "track/email/confirm/<str:key>", "track/email/stop/<str:key>"),
        "signin/single-sign-on/saml/metadata",
        # Only for who is not signed in.
        *(
            "signin",
            "signin/forgot",
            "setup/<str:token>",
            "account/link/<str:token>",
        ),
    }
)


def is_page(route: str) -> bool:
    """Whether a URL pattern answers with a page of its own."""
    return route not in NO_PAGES and "export" not in route and not route.endswith("preview")


ADDRESSES = [urls[0] for route, urls in PAGES.items() if is_page(route)]


@pytest.fixture
def records(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WalkRecords]:
    with override_settings(DEMO=True, DATA_DIR=str(tmp_path_factory.mktemp("axe"))):
        yield build_dataset()


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as chromium_browser:
        yield chromium_browser


def page_of_administrator(browser: Browser, live_server: LiveServer) -> Page:
    session = signed_in(UserRole.ADMIN, "walker").cookies["sessionid"].value
    context = browser.new_context(base_url=live_server.url, reduced_motion="reduce")
    context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
    return context.new_page()


def test_no_page_of_the_registry_has_a_violation(
    records: WalkRecords, browser: Browser, live_server: LiveServer
) -> None:
    page = page_of_administrator(browser, live_server)
    problems: list[str] = []
    for address in map(records.url, ADDRESSES):
        answer = page.goto(address)
        assert answer is not None
        if answer.status >= 400:
            problems.append(f"{address}: {answer.status}")
        page.evaluate(REMOVE_REPEATED_ROWS)
        page.set_viewport_size({"width": TABLET_WIDTH, "height": 900})
        problems += [f"{address} at {TABLET_WIDTH}: {each}" for each in horizontal_overflow(page)]
        for width, theme in VIEWS:
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=theme)
            faults = [*horizontal_overflow(page), *accessibility_violations(page)]
            problems += [f"{address} at {width} in {theme}: {problem}" for problem in faults]
    assert not problems, "\n".join(problems)
