"""Sign-in, sign-out and the home page of each role."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.test import Client
from pytest_django.fixtures import Settings

from tests.builders.users import create_user
from visibility.db.database_time import database_now
from visibility.storage.organization import organization_name
from visibility.web.pages.sign_in_and_out import DEMO_PEOPLE, local_path_or_empty
from visibility.web.permissions import HOME_PAGES, UserRole

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"
ORGANIZATION = {"currency": "USD", "week_start": "monday", "fiscal_year_start": "1", "calendar": ""}


def person(name: str = "olga", role: UserRole | None = UserRole.OPERATIONS) -> User:
    return create_user(role, name, password=PASSWORD, first_name="Olga", last_name="Ek")


@pytest.mark.parametrize("role", list(UserRole))
def test_each_role_has_its_own_start_page(client: Client, role: UserRole) -> None:
    client.force_login(person(role=role))
    assert client.get("/").headers["location"] == HOME_PAGES[role]


def test_start_page_of_the_most_powerful_role(client: Client) -> None:
    user = person(role=UserRole.CUSTOMER_SERVICE)
    user.groups.add(Group.objects.get_or_create(name=UserRole.ADMIN.value)[0])
    client.force_login(user)
    assert client.get("/").headers["location"] == HOME_PAGES[UserRole.ADMIN]


def test_administrator_continues_the_set_up_until_it_is_done_or_closed(client: Client) -> None:
    client.force_login(person(role=UserRole.ADMIN))
    client.post("/organization", {"name": "Acme", "time_zone": "UTC", **ORGANIZATION})
    assert organization_name() == "Acme"
    assert client.get("/").headers["location"] == "/setup"
    client.force_login(person("otto", UserRole.OPERATIONS))
    assert client.get("/").headers["location"] == HOME_PAGES[UserRole.OPERATIONS]
    client.force_login(User.objects.get(username="olga"))
    client.post("/setup/close")
    assert client.get("/").headers["location"] == HOME_PAGES[UserRole.ADMIN]


def test_user_without_a_role_is_informed_and_can_sign_out(client: Client) -> None:
    client.force_login(person(role=None))
    answer = client.get("/")
    assert answer.status_code == 403
    assert "no role yet" in answer.content.decode()
    assert 'action="/signout"' in answer.content.decode()


def test_anonymous_user_is_redirected_to_sign_in(client: Client) -> None:
    assert client.get("/").headers["location"] == "/signin?next=/"


def test_sign_in_redirects_to_the_requested_page(client: Client) -> None:
    person()
    answer = client.post(
        "/signin", {"username": "olga", "password": PASSWORD, "next": "/alerts?view=mine"}
    )
    assert answer.headers["location"] == "/alerts?view=mine"


@pytest.mark.parametrize(
    "foreign",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "\\\\evil.example",
        "http://testserver/alerts",
        "javascript:alert(1)",
        "alerts",
        "",
    ],
)
def test_sign_in_never_redirects_to_another_site(
    client: Client, settings: Settings, foreign: str
) -> None:
    settings.DEMO = True
    person("clerk")
    assert local_path_or_empty(foreign) == ""
    given = {"username": "clerk", "password": PASSWORD, "next": foreign}
    assert client.post("/signin", given).headers["location"] == "/"
    client.logout()
    answer = client.post("/signin/demo", {"who": "clerk", "next": foreign})
    assert answer.headers["location"] == "/"


def test_wrong_password_and_unknown_username_look_the_same(client: Client) -> None:
    person()
    pages = []
    for name in ("olga", "nina"):
        answer = client.post("/signin", {"username": name, "password": "wrong"})
        assert answer.status_code == 200
        assert "_auth_user_id" not in client.session
        page = answer.content.decode()
        assert "Incorrect username or password." in page
        assert "wrong" not in page
        pages.append(page.replace(name, "").split("<form")[1].split("problem")[1])
    assert pages[0] == pages[1]


def test_a_sign_in_gets_a_new_session(client: Client) -> None:
    """The session from before, which somebody at a shared computer may know, opens nothing."""
    session = client.session
    session["known"] = "before"
    session.save()
    person()
    client.post("/signin", {"username": "olga", "password": PASSWORD})
    assert client.session.session_key != session.session_key
    assert not Session.objects.filter(session_key=session.session_key).exists()
    cookie = client.cookies["sessionid"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")


def test_inactive_user_cannot_sign_in(client: Client) -> None:
    user = person()
    User.objects.filter(pk=user.pk).update(is_active=False)
    client.post("/signin", {"username": "olga", "password": PASSWORD})
    assert "_auth_user_id" not in client.session


def test_form_values_are_escaped(client: Client) -> None:
    hostile = "\"><script>alert('x')</script>"
    for answer in (
        client.post("/signin", {"username": hostile, "password": "x", "next": hostile}),
        client.get("/signin", {"next": hostile}),
    ):
        assert "<script>alert" not in answer.content.decode()


def test_csrf_token_is_required() -> None:
    person()
    strict = Client(enforce_csrf_checks=True)
    given = {"username": "olga", "password": PASSWORD}
    assert strict.post("/signin", given).status_code == 403
    assert strict.post("/signin/demo", {"who": "clerk"}).status_code == 403


def test_signed_in_user_skips_the_sign_in_page(client: Client) -> None:
    client.force_login(person())
    assert client.get("/signin").headers["location"] == "/"


def test_sign_out_requires_post(client: Client) -> None:
    client.force_login(person())
    assert client.get("/signout").status_code == 405
    assert "_auth_user_id" in client.session
    assert client.post("/signout").headers["location"] == "/signin"
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize("who", list(DEMO_PEOPLE))
def test_demo_sign_in_is_a_single_click(client: Client, settings: Settings, who: str) -> None:
    settings.DEMO = True
    person(who)
    page = client.get("/signin").content.decode()
    assert f'name="who" value="{who}"' in page
    assert "Demo data from a simulated distributor" in page
    assert client.post("/signin/demo", {"who": who}).status_code == 302
    assert client.session["_auth_user_id"] == str(User.objects.get(username=who).pk)


def test_demo_sign_in_exists_only_in_the_demo(client: Client, settings: Settings) -> None:
    settings.DEMO = False
    person("admin", UserRole.ADMIN)
    page = client.get("/signin").content.decode()
    assert "/signin/demo" not in page
    assert "Demo" not in page
    assert client.post("/signin/demo", {"who": "admin"}).status_code == 404
    assert "_auth_user_id" not in client.session


def test_demo_sign_in_accepts_only_active_demo_users(client: Client, settings: Settings) -> None:
    settings.DEMO = True
    person("olga", UserRole.ADMIN)
    User.objects.filter(pk=person("admin", UserRole.ADMIN).pk).update(is_active=False)
    for who in ("olga", "admin", "clerk", "", "nobody"):
        assert client.post("/signin/demo", {"who": who}).status_code == 404
    assert client.get("/signin/demo").status_code == 405
    assert "/signin/demo" not in client.get("/signin").content.decode()


def test_sign_in_page_of_an_empty_installation_says_how_to_create_the_first_user(
    client: Client,
) -> None:
    assert "manage.py setup_link" in client.get("/signin").content.decode()
    person()
    assert "manage.py setup_link" not in client.get("/signin").content.decode()


def test_a_page_can_ask_when_its_session_ends(client: Client) -> None:
    assert client.get("/session").status_code == 401
    client.force_login(person())
    assert client.get("/session").json()["seconds_left"] > 11 * 3_600
    Session.objects.update(expire_date=database_now() + timedelta(seconds=90))
    assert 80 <= client.get("/session").json()["seconds_left"] <= 90
    assert client.post("/session").json()["seconds_left"] > 11 * 3_600
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get())
    assert strict.post("/session").status_code == 403
