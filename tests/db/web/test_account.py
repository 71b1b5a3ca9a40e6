"""`/account`: the own password, and the own sessions."""

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.test import Client

from tests.builders.second_factors import sign_in
from tests.builders.users import create_user, signed_in
from visibility.db.database_time import database_now
from visibility.models import AccountLinkPurpose, AuditEntry
from visibility.notify.account_links import account_link_path, create_account_link
from visibility.web.pages.account import browser_name
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
PASSWORD, NEW = "correct horse battery", "a much better passphrase"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def olga() -> User:
    return create_user(UserRole.OPERATIONS, "olga", password=PASSWORD)


def client_of(address: str = "192.0.2.7") -> Client:
    client = Client(REMOTE_ADDR=address, headers={"User-Agent": FIREFOX})
    assert sign_in(client, "olga", PASSWORD).status_code == 302
    return client


def change(old: str = PASSWORD, first: str = NEW, second: str = NEW) -> dict[str, str]:
    return {"old_password": old, "new_password1": first, "new_password2": second}


def test_a_new_password_ends_other_sessions_and_links(olga: User) -> None:
    here, there = client_of(), client_of("198.51.100.9")
    link = account_link_path(
        create_account_link(
            olga, AccountLinkPurpose.RESET, by=None, now=database_now(), send_mail=False
        )
    )
    assert here.post("/account/password", change())["Location"] == "/account"
    assert here.get("/account").status_code == 200
    assert there.get("/account").status_code == 302
    assert Client().get(link).status_code == 404
    assert [row["address"] for row in here.get("/api/v1/sessions").json()["items"]] == ["192.0.2.7"]
    assert AuditEntry.objects.filter(action="account.password_changed", user=olga).exists()
    olga.refresh_from_db()
    assert olga.check_password(NEW)


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        (change(old="wrong"), "Your old password was entered incorrectly"),
        (change(first="short", second="short"), "too short"),
        (change(second="another"), "The two password fields"),
    ],
)
def test_invalid_changes_are_explained_at_the_field(
    olga: User, form: dict[str, str], sentence: str
) -> None:
    client = client_of()
    answer = client.post("/account/password", form)
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    olga.refresh_from_db()
    assert olga.check_password(PASSWORD)


def test_the_present_password_cannot_be_guessed(olga: User) -> None:
    client = client_of()
    codes = [client.post("/account/password", change(old="wrong")).status_code for _ in range(6)]
    assert codes == [422] * 5 + [429]
    assert client.post("/account/password", change()).status_code == 429


def test_sessions_are_listed_and_ended(olga: User) -> None:
    here, there = client_of(), client_of("198.51.100.9")
    page = here.get("/account").content.decode()
    assert page.count("Firefox on Windows") >= 2
    assert "198.51.100.9" in page
    assert page.count("This session") == 1
    rows = here.get("/api/v1/sessions").json()["items"]
    assert [(row["address"], row["is_current"]) for row in rows] == [
        ("198.51.100.9", False),
        ("192.0.2.7", True),
    ]
    assert here.post(f"/account/sessions/{rows[0]['id']}/end").status_code == 302
    assert there.get("/account").status_code == 302
    assert here.get("/account").status_code == 200
    ended = AuditEntry.objects.get(action="session.ended")
    assert ended.detail["address"] == "198.51.100.9"


def test_sessions_of_others_cannot_be_ended(olga: User) -> None:
    here = client_of()
    number = here.get("/api/v1/sessions").json()["items"][0]["id"]
    other = signed_in(UserRole.ADMIN)
    assert other.post(f"/account/sessions/{number}/end").status_code == 404
    assert other.delete(f"/api/v1/sessions/{number}").status_code == 404
    assert here.get("/account").status_code == 200
    assert here.delete(f"/api/v1/sessions/{number}").status_code == 200
    assert here.get("/account").status_code == 302


def test_all_other_sessions_are_ended_at_once(olga: User) -> None:
    here, others = client_of(), [client_of("198.51.100.9") for _ in range(3)]
    stranger = signed_in(UserRole.ADMIN)
    answer = here.post("/account/sessions/end-others", follow=True)
    assert "3 other sessions signed out." in answer.content.decode()
    assert [client.get("/account").status_code for client in others] == [302] * 3
    assert stranger.get("/account").status_code == 200


def test_signing_out_ends_the_session_in_the_list(olga: User) -> None:
    here, there = client_of(), client_of("198.51.100.9")
    there.post("/signout")
    assert len(here.get("/api/v1/sessions").json()["items"]) == 1


def test_the_list_of_sessions_has_pages(olga: User) -> None:
    client = client_of()
    for _ in range(21):
        other = Client()
        other.force_login(olga)
        key = other.session.session_key
        UserSession.objects.create(user=olga, ip="192.0.2.8", session_key=key)
    page = client.get("/account").content.decode()
    assert page.count('data-title="Network address"') == 20
    assert "Earlier sessions" in page


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (FIREFOX, "Firefox on Windows"),
        ("Mozilla/5.0 (Linux; Android 15) Chrome/140.0 Mobile Safari/537.36", "Chrome on Android"),
        ("curl/8.0", "Other program"),
        ("", "Other program"),
    ],
)
def test_browsers_have_names(header: str, name: str) -> None:
    assert browser_name(header) == name
