"""The end of a session: a warning before, one click to stay, and entries that are not lost."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.browser.journeys.browser import accessibility_violations, chromium
from tests.builders.users import create_user
from visibility.db.database_time import database_now
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "correct horse battery"


@pytest.fixture
def page(live_server: LiveServer) -> Iterator[Page]:
    """A browser, signed in as an administrator."""
    create_user(UserRole.ADMIN, "ana", password=PASSWORD)
    with chromium() as browser:
        tab = browser.new_context(base_url=live_server.url, reduced_motion="reduce").new_page()
        sign_in(tab)
        yield tab


def sign_in(page: Page) -> None:
    if not page.url.endswith("/signin") and "/signin?" not in page.url:
        page.goto("/signin")
    page.fill("[name=username]", "ana")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    expect(page.locator("nav.rail")).to_be_visible()


def end_sessions_in(seconds: int) -> None:
    Session.objects.update(expire_date=database_now() + timedelta(seconds=seconds))


def test_a_warning_comes_before_the_end_and_one_click_extends_the_session(page: Page) -> None:
    page.goto("/tokens")
    end_sessions_in(110)
    page.evaluate("document.dispatchEvent(new CustomEvent('session:ended', {cancelable: true}))")
    dialog = page.locator("#session")
    expect(dialog).to_contain_text("You will be signed out in 2 minutes.")
    assert accessibility_violations(page) == []
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    session = Session.objects.get()
    assert session.expire_date > database_now() + timedelta(hours=11)


def test_an_open_page_asks_before_it_warns_and_is_no_activity(page: Page) -> None:
    page.goto("/orders")
    expected = Session.objects.get().expire_date
    # What the tab remembers is older than the activity of another tab.
    page.evaluate("""() => {
        const known = JSON.parse(sessionStorage.getItem("session"));
        sessionStorage.setItem("session", JSON.stringify({...known, endsAt: Date.now() + 60_000}));
        window.wasOpen = false;
    }""")
    end_sessions_in(3_600)
    with page.expect_response("**/session"):
        page.reload()
    expect(page.locator("#session")).to_be_hidden()
    # The reload was activity; what the page asked afterwards was none.
    end_sessions_in(3_600)
    before = Session.objects.get().expire_date
    page.evaluate("fetch('/session').then(() => fetch('/orders', {headers: {'X-Live': '1'}}))")
    page.wait_for_timeout(500)
    assert Session.objects.get().expire_date == before < expected


def test_entries_of_an_ended_session_are_there_again_after_signing_in(page: Page) -> None:
    page.goto("/mappings/mapping/new?kind=item")
    page.fill("[name=external]", "ZX-1")
    Session.objects.all().delete()
    page.evaluate("document.dispatchEvent(new CustomEvent('session:ended', {cancelable: true}))")
    expect(page.locator("#session")).to_contain_text("What you entered on this page stays")
    page.keyboard.press("Enter")
    page.wait_for_url("**/signin?next=**")
    sign_in(page)
    assert page.url.endswith("/mappings/mapping/new?kind=item")
    expect(page.locator("[name=external]")).to_have_value("ZX-1")
    expect(page.locator("#flashes")).to_contain_text("not saved yet")


def test_entries_are_not_shown_to_another_person(page: Page) -> None:
    create_user(UserRole.ADMIN, "ben", password=PASSWORD)
    page.goto("/mappings/mapping/new?kind=item")
    page.fill("[name=external]", "ZX-1")
    Session.objects.all().delete()
    page.evaluate("document.dispatchEvent(new CustomEvent('session:ended', {cancelable: true}))")
    page.locator("#session-sign-in").click()
    page.fill("[name=username]", "ben")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    expect(page.locator("[name=external]")).to_have_value("")
