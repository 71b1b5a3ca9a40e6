"""The style guide, which shows every component in both themes, is accessible and fits."""

import pytest
from pytest_django.live_server_helper import LiveServer

from tests.browser.journeys.browser import accessibility_violations, chromium, horizontal_overflow
from tests.browser.journeys.page_checks import AXE_VIEWS
from tests.builders.users import signed_in
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db(transaction=True)


def test_style_guide_is_accessible_in_both_themes_and_fits(live_server: LiveServer) -> None:
    session = signed_in(UserRole.ADMIN).cookies["sessionid"].value
    problems: list[str] = []
    with chromium() as browser:
        context = browser.new_context(reduced_motion="reduce")
        context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        page = context.new_page()
        for width, theme in AXE_VIEWS:
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=theme)
            page.goto(f"{live_server.url}/styleguide")
            assert page.locator(".guide-theme").count() == 2
            problems += [*horizontal_overflow(page), *accessibility_violations(page)]
        page.set_viewport_size({"width": 320, "height": 900})
        problems += horizontal_overflow(page)
    assert problems == []
