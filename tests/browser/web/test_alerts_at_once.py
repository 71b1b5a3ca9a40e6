"""Actions on alerts show at once, and are withdrawn with a sentence if they were not done."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from tests.browser.journeys.browser import chromium
from tests.builders.alerts import alert
from tests.builders.users import signed_in
from visibility.models import Alert
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db(transaction=True)
BULK = "**/alerts/bulk*"


@pytest.fixture
def page(live_server: LiveServer) -> Iterator[Page]:
    """The inbox of someone of operations, one alert a row."""
    session = signed_in(UserRole.OPERATIONS, "olga").cookies["sessionid"].value
    with chromium() as browser:
        context = browser.new_context(
            base_url=live_server.url,
            viewport={"width": 1440, "height": 900},
            reduced_motion="reduce",
        )
        context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        yield context.new_page()


class WaitingServer:
    """A server that does not answer actions until the test lets it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requests: list[Route] = []
        page.route(BULK, lambda route: self.requests.append(route))

    def next(self) -> Route:
        """The next request, which waits for an answer."""
        for _ in range(200):
            if self.requests:
                return self.requests.pop(0)
            self.page.wait_for_timeout(50)
        raise AssertionError("no request was sent")


def counts(page: Page) -> dict[str, int]:
    """The numbers on the tabs of the views."""
    shown = page.locator("#alerts-views [data-mark]")
    return {
        each.get_attribute("data-mark") or "": int(each.inner_text().replace(",", ""))
        for each in shown.all()
    }


def test_action_shows_before_a_slow_server_answers_and_the_counts_follow(page: Page) -> None:
    first, second, third = (alert(f"SO-{number}") for number in range(3))
    page.goto("/alerts?by=one")
    before = counts(page)
    assert (before["open"], before["team"], before["mine"]) == (3, 3, 0)
    server = WaitingServer(page)
    rows = {each.pk: page.locator(f"#alert-{each.pk}") for each in (first, second, third)}
    rows[first.pk].locator(".row-link").focus()
    for key in ("a", "m"):  # the focus goes on to the next row, without waiting
        page.keyboard.press(key)
    page.keyboard.press("s")
    page.get_by_role("button", name="4 hours").click()
    expect(rows[first.pk].locator(".cell-state")).to_have_text("Acknowledged by olga")
    expect(rows[first.pk].locator(".cell-owner")).to_have_text("olga")
    expect(rows[second.pk].locator(".cell-owner")).to_have_text("olga")
    expect(rows[third.pk].locator(".cell-state")).to_have_text("Snoozed: 4 hours")
    shown = counts(page)
    assert set(Alert.objects.values_list("state", flat=True)) == {"open"}
    assert (shown["open"], shown["team"], shown["mine"]) == (1, 0, 2)
    assert (shown["acknowledged"], shown["snoozed"]) == (1, 1)
    server.next().continue_()
    expect(page.locator("#flashes")).to_contain_text("Acknowledged 1 alert.")
    assert counts(page) == shown  # the others are still shown as asked for
    server.next().continue_()
    server.next().continue_()
    expect(page.locator("#flashes")).to_contain_text("Snoozed 1 alert.")
    expect(page.locator("#alerts-form")).not_to_have_attribute("aria-busy", "true")
    assert counts(page) == shown
    stored = dict(Alert.objects.values_list("pk", "state"))
    assert stored == {first.pk: "acknowledged", second.pk: "open", third.pk: "snoozed"}
    page.reload()
    assert counts(page) == shown


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (503, "The server refused the action (503). The alerts are shown as before"),
        (403, "You may not do this: nothing was changed."),
        (None, "The server did not answer. The alerts are shown as before"),
    ],
)
def test_refused_action_is_withdrawn_with_a_sentence(
    page: Page, status: int | None, sentence: str
) -> None:
    shown = alert("SO-1")
    page.goto("/alerts?by=one")
    before = counts(page)
    row = page.locator(f"#alert-{shown.pk}")

    server = WaitingServer(page)
    row.locator(".row-link").focus()
    page.keyboard.press("a")
    expect(row.locator(".cell-state")).to_have_text("Acknowledged by olga")
    assert counts(page)["acknowledged"] == before["acknowledged"] + 1
    request = server.next()
    if status is None:
        request.abort()
    else:
        request.fulfill(status=status, body="no")
    expect(page.locator("#flashes")).to_contain_text(sentence)
    expect(row.locator(".cell-state")).to_have_text("Open")
    expect(row.locator(".cell-owner")).to_have_text("Unassigned")
    assert counts(page) == before
    page.unroute(BULK)
    page.keyboard.press("a")
    expect(page.locator("#flashes")).to_contain_text("Acknowledged 1 alert.")
    expect(row.locator(".cell-state")).to_have_text("Acknowledged by olga")


def test_note_and_action_offline_say_that_nothing_was_changed(page: Page) -> None:
    shown = alert("SO-1")
    page.goto("/alerts?by=one")
    row = page.locator(f"#alert-{shown.pk}")
    row.locator(".row-link").focus()
    page.context.set_offline(True)
    page.keyboard.press("c")
    page.keyboard.type("The warehouse calls back")
    page.get_by_role("button", name="Add note").click()
    expect(page.locator("#flashes")).to_contain_text("You are offline: nothing was changed.")
    page.context.set_offline(False)
    page.keyboard.press("c")
    expect(page.locator("textarea[name=note_note]")).to_have_value("The warehouse calls back")
    page.get_by_role("button", name="Add note").click()
    expect(page.locator("#flashes")).to_contain_text("Note added to 1 alert.")
    expect(page.locator("textarea[name=note_note]")).to_have_value("")


def test_alert_that_a_colleague_has_taken_meanwhile_is_shown_as_theirs(page: Page) -> None:
    shown = alert("SO-1")
    page.goto("/alerts?by=one")
    colleague = signed_in(UserRole.OPERATIONS, "otto")
    colleague.post(f"/alerts/{shown.pk}/acknowledge")
    row = page.locator(f"#alert-{shown.pk}")
    row.locator(".row-link").focus()
    page.keyboard.press("a")
    expect(page.locator("#flashes")).to_contain_text("otto has already acknowledged this alert.")
    expect(row.locator(".cell-state")).to_have_text("Acknowledged by otto")
    expect(row.locator(".cell-owner")).to_have_text("otto")
    assert counts(page)["mine"] == 0


def test_group_of_alerts_is_taken_at_once(page: Page) -> None:
    for number in range(3):
        alert(f"SO-{number}")
    page.goto("/alerts")
    server = WaitingServer(page)
    group = page.locator("#alerts-list tr[data-alerts]").first
    group.locator(".row-link").focus()
    page.keyboard.press("a")
    expect(group.locator(".cell-count")).to_have_text("0")
    assert counts(page) | {"mine": 0, "mine-or-unassigned": 0} == {
        "mine": 0,
        "team": 0,
        "mine-or-unassigned": 0,
        "open": 0,
        "acknowledged": 3,
        "snoozed": 0,
        "suppressed": 0,
        "resolved": 0,
    }
    server.next().continue_()
    expect(page.locator("#flashes")).to_contain_text("Acknowledged 3 alerts.")
    assert counts(page)["mine"] == 3
