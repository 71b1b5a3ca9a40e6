"""Sessions end without activity and after a total time; administrators set both limits."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from tests.builders.users import create_user, signed_in
from visibility.db.database_time import database_now
from visibility.models import AuditEntry, SecuritySettings
from visibility.web.people import session_limits
from visibility.web.people.session_store import STARTED_AT
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
PASSWORD = "correct horse battery"
PAGE, API = "/people/security", "/api/v1/security"


@pytest.fixture(autouse=True)
def _no_recent_limits() -> None:
    session_limits._recent_limits.cache_clear()


@pytest.fixture
def clerk() -> Client:
    create_user(UserRole.CUSTOMER_SERVICE, "clara", password=PASSWORD)
    client = Client()
    client.post("/signin", {"username": "clara", "password": PASSWORD})
    assert client.get("/orders").status_code == 200
    return client


@pytest.fixture
def ada() -> Client:
    create_user(UserRole.ADMIN, "ada", password=PASSWORD)
    client = Client()
    client.post("/signin", {"username": "ada", "password": PASSWORD})
    return client


def row(client: Client) -> Session:
    return Session.objects.get(session_key=client.cookies["sessionid"].value)


def left(client: Client, now: datetime) -> timedelta:
    return row(client).expire_date - now


def let_pass(client: Client, span: timedelta) -> None:
    """Change the session as if nothing had been requested for so long."""
    session = client.session
    session[STARTED_AT] = session[STARTED_AT] - int(span.total_seconds())
    expires_at = row(client).expire_date - span
    session.save()
    Session.objects.filter(session_key=session.session_key).update(expire_date=expires_at)


def is_close(span: timedelta, expected: timedelta) -> bool:
    return abs(span - expected) < 2 * MINUTE


def test_session_ends_after_twelve_hours_without_activity(clerk: Client, now: datetime) -> None:
    assert is_close(left(clerk, now), 12 * HOUR)
    let_pass(clerk, 11 * HOUR)
    assert clerk.get("/orders").status_code == 200
    assert is_close(left(clerk, now), 12 * HOUR)
    let_pass(clerk, 12 * HOUR + MINUTE)
    assert clerk.get("/orders")["Location"].startswith("/signin")


@pytest.mark.parametrize(
    ("path", "headers"),
    [("/orders", {"X-Live": "1"}), ("/session", {}), ("/sources-not-reporting", {})],
)
def test_what_a_page_requests_by_itself_is_no_activity(
    clerk: Client, now: datetime, path: str, headers: dict[str, str]
) -> None:
    let_pass(clerk, 3 * HOUR)
    assert clerk.get(path, headers=headers).status_code == 200
    assert is_close(left(clerk, now), 9 * HOUR)
    clerk.post("/session")
    assert is_close(left(clerk, now), 12 * HOUR)


def test_session_ends_a_week_after_the_sign_in_with_activity(clerk: Client, now: datetime) -> None:
    for _ in range(13):
        let_pass(clerk, 11 * HOUR)
        assert clerk.get("/orders").status_code == 200
    assert is_close(left(clerk, now), 12 * HOUR)
    let_pass(clerk, 11 * HOUR)
    assert clerk.get("/orders").status_code == 200
    # 14 times 11 hours have passed of 168.
    assert is_close(left(clerk, now), 12 * HOUR)
    let_pass(clerk, 11 * HOUR)
    assert clerk.get("/orders").status_code == 200
    assert is_close(left(clerk, now), 3 * HOUR)
    clerk.post("/session")
    assert is_close(left(clerk, now), 3 * HOUR)
    let_pass(clerk, 3 * HOUR)
    assert clerk.get("/orders")["Location"].startswith("/signin")


def test_signing_in_starts_the_total_time(clerk: Client, now: datetime) -> None:
    let_pass(clerk, 11 * HOUR)
    clerk.post("/signout")
    clerk.post("/signin", {"username": "clara", "password": PASSWORD})
    started = datetime.fromtimestamp(clerk.session[STARTED_AT], tz=now.tzinfo)
    assert abs(started - database_now()) < MINUTE


def test_session_of_an_earlier_version_gets_a_total_time(clerk: Client, now: datetime) -> None:
    session = clerk.session
    del session[STARTED_AT]
    session.save()
    assert clerk.get("/orders").status_code == 200
    started = datetime.fromtimestamp(clerk.session[STARTED_AT], tz=now.tzinfo)
    assert abs(started - database_now()) < MINUTE


def test_requests_in_the_same_minute_write_nothing(clerk: Client) -> None:
    before = row(clerk).expire_date
    clerk.get("/orders")
    assert row(clerk).expire_date == before


def test_shorter_limits_end_open_sessions(clerk: Client, ada: Client, now: datetime) -> None:
    answer = ada.post(PAGE, {"idle_minutes": "30", "session_hours": "12"})
    assert answer.status_code == 302
    assert is_close(left(clerk, now), 30 * MINUTE)
    clerk.get("/orders")
    let_pass(clerk, 31 * MINUTE)
    assert clerk.get("/orders")["Location"].startswith("/signin")
    entry = AuditEntry.objects.filter(action="security.session_limits").get()
    assert entry.detail["before"] == {"idle_minutes": 720, "session_hours": 168}
    assert entry.detail["after"] == {"idle_minutes": 30, "session_hours": 12}
    page = ada.get(PAGE).content.decode()
    assert "after 30 min without activity, and 12 h after" in page
    assert '<option value="30" selected>' in page


@pytest.mark.parametrize(
    "entered",
    [
        {"idle_minutes": "4", "session_hours": "12"},
        {"idle_minutes": "x", "session_hours": "12"},
        {"idle_minutes": "60", "session_hours": "2161"},
        {"idle_minutes": "1440", "session_hours": "12"},
        {"idle_minutes": "99999999999999999999", "session_hours": "12"},
    ],
)
def test_wrong_limits_are_refused_and_change_nothing(ada: Client, entered: Any) -> None:
    answer = ada.post(PAGE, entered)
    assert answer.status_code == 422
    assert 'role="alert">Not saved. The t' in answer.content.decode()
    body = {name: int(text) for name, text in entered.items() if text.isdigit()}
    answer = ada.patch(API, {"idle_minutes": 0} | body, "application/json")
    assert answer.status_code == 400
    assert not SecuritySettings.objects.exists()


def test_limits_over_the_api(ada: Client) -> None:
    assert ada.get(API).json()["idle_minutes"] == 720
    answer = ada.patch(API, {"idle_minutes": 60}, "application/json")
    assert answer.status_code == 200
    assert (answer.json()["idle_minutes"], answer.json()["session_hours"]) == (60, 168)
    assert SecuritySettings.objects.get().requires_second_factor
    assert signed_in(UserRole.OPERATIONS).get(API).status_code == 403
