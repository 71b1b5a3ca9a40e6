"""Signing in and out, and where each role begins."""

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from pytest_django.fixtures import Settings

from visibility.web.pages.accounts import DEMO_PEOPLE, own_path
from visibility.web.permissions import START, Role

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


def person(name: str = "olga", role: Role | None = Role.OPERATIONS) -> User:
    user = User.objects.create_user(name, password=PASSWORD, first_name="Olga", last_name="Ek")
    if role:
        user.groups.add(Group.objects.get_or_create(name=role.value)[0])
    return user


@pytest.mark.parametrize("role", list(Role))
def test_each_role_begins_on_its_own_page(client: Client, role: Role) -> None:
    client.force_login(person(role=role))
    assert client.get("/").headers["location"] == START[role]


def test_of_several_roles_the_one_that_may_most_decides(client: Client) -> None:
    user = person(role=Role.CUSTOMER_SERVICE)
    user.groups.add(Group.objects.get_or_create(name=Role.ADMIN.value)[0])
    client.force_login(user)
    assert client.get("/").headers["location"] == START[Role.ADMIN]


def test_a_person_without_a_role_is_told_so_and_can_leave(client: Client) -> None:
    client.force_login(person(role=None))
    answer = client.get("/")
    assert answer.status_code == 403
    assert "no role yet" in answer.content.decode()
    assert 'action="/signout"' in answer.content.decode()


def test_a_stranger_is_asked_to_sign_in(client: Client) -> None:
    assert client.get("/").headers["location"] == "/signin?next=/"


def test_name_and_password_lead_to_where_one_wanted_to_go(client: Client) -> None:
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
def test_no_sign_in_leads_to_another_site(client: Client, settings: Settings, foreign: str) -> None:
    settings.DEMO = True
    person("clerk")
    assert own_path(foreign) == ""
    given = {"username": "clerk", "password": PASSWORD, "next": foreign}
    assert client.post("/signin", given).headers["location"] == "/"
    client.logout()
    answer = client.post("/signin/demo", {"who": "clerk", "next": foreign})
    assert answer.headers["location"] == "/"


def test_a_wrong_password_says_no_more_than_an_unknown_name(client: Client) -> None:
    person()
    pages = []
    for name in ("olga", "nina"):
        answer = client.post("/signin", {"username": name, "password": "wrong"})
        assert answer.status_code == 200
        assert "_auth_user_id" not in client.session
        page = answer.content.decode()
        assert "do not belong together" in page
        assert "wrong" not in page
        pages.append(page.replace(name, "").split("<form")[1].split("problem")[1])
    assert pages[0] == pages[1]


def test_a_person_who_left_cannot_sign_in(client: Client) -> None:
    user = person()
    User.objects.filter(pk=user.pk).update(is_active=False)
    client.post("/signin", {"username": "olga", "password": PASSWORD})
    assert "_auth_user_id" not in client.session


def test_hostile_text_in_the_form_stays_text(client: Client) -> None:
    hostile = "\"><script>alert('x')</script>"
    for answer in (
        client.post("/signin", {"username": hostile, "password": "x", "next": hostile}),
        client.get("/signin", {"next": hostile}),
    ):
        assert "<script>alert" not in answer.content.decode()


def test_forms_of_other_sites_are_refused() -> None:
    person()
    strict = Client(enforce_csrf_checks=True)
    given = {"username": "olga", "password": PASSWORD}
    assert strict.post("/signin", given).status_code == 403
    assert strict.post("/signin/demo", {"who": "clerk"}).status_code == 403


def test_a_signed_in_person_is_sent_on(client: Client) -> None:
    client.force_login(person())
    assert client.get("/signin").headers["location"] == "/"


def test_signing_out_takes_a_button_not_a_link(client: Client) -> None:
    client.force_login(person())
    assert client.get("/signout").status_code == 405
    assert "_auth_user_id" in client.session
    assert client.post("/signout").headers["location"] == "/signin"
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize("who", list(DEMO_PEOPLE))
def test_the_demonstration_is_entered_with_one_click(
    client: Client, settings: Settings, who: str
) -> None:
    settings.DEMO = True
    person(who)
    page = client.get("/signin").content.decode()
    assert f'name="who" value="{who}"' in page
    assert "Demo: a simulated distributor" in page
    assert client.post("/signin/demo", {"who": who}).status_code == 302
    assert client.session["_auth_user_id"] == str(User.objects.get(username=who).pk)


def test_outside_the_demonstration_one_click_does_not_exist(
    client: Client, settings: Settings
) -> None:
    settings.DEMO = False
    person("admin", Role.ADMIN)
    page = client.get("/signin").content.decode()
    assert "/signin/demo" not in page
    assert "Demo" not in page
    assert client.post("/signin/demo", {"who": "admin"}).status_code == 404
    assert "_auth_user_id" not in client.session


def test_one_click_enters_nobody_but_the_people_of_the_demonstration(
    client: Client, settings: Settings
) -> None:
    settings.DEMO = True
    person("olga", Role.ADMIN)
    User.objects.filter(pk=person("admin", Role.ADMIN).pk).update(is_active=False)
    for who in ("olga", "admin", "clerk", "", "nobody"):
        assert client.post("/signin/demo", {"who": who}).status_code == 404
    assert client.get("/signin/demo").status_code == 405
    assert "/signin/demo" not in client.get("/signin").content.decode()
