"""A person enters a cut-off in a calendar, and follows it on the board to its orders."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from pytest_django.live_server_helper import LiveServer

from tests.browser.journeys.browser import accessibility_violations, chromium, horizontal_overflow
from tests.browser.journeys.page_checks import AXE_VIEWS
from tests.builders.alerts import order
from tests.builders.noon_zone import zone_where_it_is_noon
from tests.builders.users import signed_in
from visibility.db.database_time import database_now
from visibility.models import WorkCalendar
from visibility.sla.calendar import DAYS
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db(transaction=True)


def test_cutoff_entered_in_a_calendar_counts_down_on_the_board(live_server: LiveServer) -> None:
    now = database_now()
    zone = zone_where_it_is_noon(now)
    for number in range(3):
        order(f"SO-{number}", warehouse="Dallas", carrier="UPS", promised_at=now)
    session = signed_in(UserRole.OPERATIONS).cookies["sessionid"].value
    with chromium() as browser:
        context = browser.new_context(reduced_motion="reduce")
        context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        page = context.new_page()
        errors: list[str] = []
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.goto(f"{live_server.url}/boards/operations")
        page.get_by_role("link", name="Enter cut-offs in a calendar").click()
        page.get_by_role("link", name="New calendar").click()
        page.get_by_label("Title").fill("Dallas")
        page.get_by_label("Time zone").fill(zone)
        row = page.get_by_role("group", name="Cut-off 1")
        row.get_by_label("Warehouse").fill("Dallas")
        at = now.astimezone(ZoneInfo(zone)) + timedelta(hours=3)
        for label in ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"):
            row.get_by_label(label).fill(f"{at:%H:%M}")
        page.get_by_role("button", name="Create calendar").click()
        page.get_by_role("heading", name="Dallas").wait_for()
        stored = WorkCalendar.objects.get().cutoffs
        assert stored[0]["times"] == dict.fromkeys(DAYS, f"{at:%H:%M}")
        page.goto(f"{live_server.url}/boards/operations")
        countdown = page.locator(".cutoffs time[data-tick=countdown]")
        # Offline: only the script of the page can change it.
        context.set_offline(True)
        first = countdown.text_content()
        page.wait_for_function(
            "first => document.querySelector('.cutoffs time').textContent !== first",
            arg=first,
            timeout=8_000,
        )
        context.set_offline(False)
        page.get_by_role("link", name="3 not picked: Dallas, any carrier").click()
        assert page.locator("tbody tr[data-id]").count() == 3
        problems: list[str] = []
        for path in ("/calendars", "/calendars/new", "/calendars/dallas", "/boards/operations"):
            for width, theme in AXE_VIEWS:
                page.set_viewport_size({"width": width, "height": 900})
                page.emulate_media(color_scheme=theme)
                page.goto(live_server.url + path)
                shown = [*horizontal_overflow(page), *accessibility_violations(page)]
                problems += [f"{path} {width} {theme}: {problem}" for problem in shown]
    assert problems == []
    # The test server has no live sockets.
    expected = ("/ws/live", "ERR_INTERNET_DISCONNECTED")
    assert [text for text in errors if not any(each in text for each in expected)] == []
