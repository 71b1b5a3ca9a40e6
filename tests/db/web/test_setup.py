"""The first run: a link creates the first administrator and the organization, once."""

import hmac
import io
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django.fixtures import Settings

from tests.builders.users import create_user, signed_in
from visibility import logging_config
from visibility.db.database_time import database_now
from visibility.models import (
    AuditEntry,
    Organization,
    SetupLink,
    Team,
    WorkCalendar,
)
from visibility.screens.setup.checklist import load_checklist
from visibility.web.pages import setup
from visibility.web.people.setup_link import create_setup_link
from visibility.web.permissions import UserRole
from visibility.web.request_limit import RequestLimit

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"
ENTERED = {
    "username": "ada",
    "first_name": "Ada",
    "last_name": "Lindqvist",
    "email": "ada@example.com",
    "new_password1": PASSWORD,
    "new_password2": PASSWORD,
    "name": "Acme Distribution",
    "time_zone": "America/Chicago",
    "currency": "USD",
    "week_start": "sunday",
    "fiscal_year_start": "7",
    "holidays": "US",
    "subdivision": "TX",
}


@pytest.fixture(autouse=True)
def _limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "invalid_links_per_address", RequestLimit(30, clock=lambda: 0.0))
    monkeypatch.setattr(setup, "forms_per_address", RequestLimit(20, clock=lambda: 0.0))


def new_link() -> str:
    path = create_setup_link(database_now())
    assert path
    return path


def run_command(*arguments: str) -> str:
    out = io.StringIO()
    call_command("setup_link", *arguments, stdout=out)
    return out.getvalue()


def test_link_creates_the_administrator_the_organization_and_its_calendar(client: Client) -> None:
    path = new_link()
    assert client.get(path).headers["Referrer-Policy"] == "same-origin"
    answer = client.post(path, ENTERED)
    assert (answer.status_code, answer["Location"]) == (302, "/setup")
    user = User.objects.get()
    assert client.session["_auth_user_id"] == str(user.pk)
    assert (user.get_full_name(), user.email) == ("Ada Lindqvist", "ada@example.com")
    assert user.check_password(PASSWORD)
    assert [group.name for group in user.groups.all()] == [UserRole.ADMIN.value]
    row = Organization.objects.get()
    assert (row.name, row.time_zone, row.week_start) == (
        "Acme Distribution",
        "America/Chicago",
        "sunday",
    )
    calendar = WorkCalendar.objects.get(code="working-hours")
    assert row.calendar == calendar
    assert (calendar.zone, calendar.holidays, calendar.subdivision) == (
        "America/Chicago",
        "US",
        "TX",
    )
    actions = list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))
    assert actions == [
        "account.created",
        "calendar.created",
        "organization.changed",
        "session.signed_in",
    ]
    html = client.get("/setup").content.decode()
    assert "1 of 8 steps are done. Next: connect a source." in html


def test_link_works_once_and_a_newer_one_replaces_it(client: Client) -> None:
    first, second = new_link(), new_link()
    assert client.get(first).status_code == 404
    assert client.get(second).status_code == 200
    client.post(second, ENTERED)
    for path in (first, second):
        assert Client().get(path).status_code == 404
        assert Client().post(path, ENTERED | {"username": "eve"}).status_code == 404
    assert User.objects.count() == 1
    assert not SetupLink.objects.exists()


def test_link_ends_when_an_administrator_exists(client: Client) -> None:
    path = new_link()
    create_user(UserRole.OPERATIONS)
    assert client.get(path).status_code == 200
    create_user(UserRole.ADMIN)
    assert client.get(path).status_code == 404
    assert client.post(path, ENTERED).status_code == 404
    assert create_setup_link(database_now()) is None


@pytest.mark.parametrize("change", ["seal", "name", "short", "unsealed", "é"])
def test_only_the_exact_link_opens_the_form(client: Client, change: str) -> None:
    path = new_link()
    name = SetupLink.objects.get().name
    wrong = {
        "seal": path[:-1] + ("0" if path[-1] != "0" else "1"),
        "name": path.replace(name, name[::-1] + "x"),
        "short": path[:-1],
        "unsealed": f"/setup/{name}",
        "é": path + "é",
    }[change]
    answer = client.get(wrong)
    assert answer.status_code == 404
    assert "This link is not valid" in answer.content.decode()
    assert client.post(wrong, ENTERED).status_code == 404
    assert not User.objects.exists()


def test_guessing_is_throttled_and_a_valid_link_opens_all_the_same(client: Client) -> None:
    path = new_link()
    answers = [client.get(f"/setup/x{number}").status_code for number in range(31)]
    assert answers == [404] * 30 + [429]
    assert client.get(path).status_code == 200


def test_many_forms_of_one_address_wait_and_keep_what_was_entered(client: Client) -> None:
    path = new_link()
    for _ in range(20):
        assert client.post(path, ENTERED | {"currency": ""}).status_code == 422
    answer = client.post(path, ENTERED)
    assert answer.status_code == 429
    assert 'value="Acme Distribution"' in answer.content.decode()
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("username", "", "This field is required."),
        ("username", "a b", "Enter a valid username."),
        ("username", "clerk", "A user with that username already exists."),
        ("email", "ada", "Enter a valid email address."),
        ("new_password1", "short", "The two password fields"),
        ("new_password2", "", "This field is required."),
        ("name", "", "Enter a name."),
        ("time_zone", "Gotham", "Enter the name of a time zone such as America/Chicago."),
        ("currency", "dollars", "Enter the three letters of a currency, such as USD."),
        ("week_start", "friday", "Choose monday, sunday, saturday."),
        ("fiscal_year_start", "13", "Choose a month from 1 to 12."),
        ("holidays", "ZZ", "ZZ"),
        ("subdivision", "XX", "XX"),
    ],
)
def test_each_error_is_at_its_field_and_nothing_is_half_made(
    client: Client, field: str, value: str, sentence: str
) -> None:
    create_user(UserRole.CUSTOMER_SERVICE, "clerk")
    path = new_link()
    answer = client.post(path, ENTERED | {field: value})
    html = answer.content.decode()
    assert answer.status_code == 422
    assert "Nothing was created." in html
    assert sentence.replace("'", "&#x27;") in html
    markup = html.split(f'name="{field if field != "new_password1" else "new_password2"}"')[1]
    assert 'aria-invalid="true"' in markup.split(">")[0]
    for other in {"name", "email", "last_name"} - {field}:
        assert f'value="{ENTERED[other]}"' in html
    assert PASSWORD not in html
    assert [user.username for user in User.objects.all()] == ["clerk"]
    assert not Organization.objects.exists()
    assert not WorkCalendar.objects.filter(code="working-hours").exists()
    assert client.post(path, ENTERED).status_code == 302


def test_failure_in_the_middle_leaves_nothing(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = new_link()

    def fail() -> None:
        raise RuntimeError

    monkeypatch.setattr("visibility.web.people.set_up_installation.end_setup_link", fail)
    client.raise_request_exception = False
    assert client.post(path, ENTERED).status_code == 500
    monkeypatch.undo()
    assert not User.objects.exists()
    assert not Organization.objects.exists()
    assert not AuditEntry.objects.exists()
    assert client.post(path, ENTERED).status_code == 302


def test_form_needs_a_csrf_token() -> None:
    assert Client(enforce_csrf_checks=True).post(new_link(), ENTERED).status_code == 403
    assert not User.objects.exists()


def test_seals_are_compared_in_constant_time(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[Any] = []

    def compare(a: Any, b: Any) -> bool:
        compared.append((a, b))
        return False

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert client.get("/setup/x").status_code == 404
    assert client.get(new_link()).status_code == 404
    assert len(compared) == 2


def test_command_prints_a_new_link_until_an_administrator_exists(
    client: Client, settings: Settings
) -> None:
    settings.PUBLIC_URL = "https://throughline.example/"
    printed = run_command()
    path = printed.split("https://throughline.example")[1].strip()
    assert client.get(path).status_code == 200
    client.post(path, ENTERED)
    assert run_command("--if-needed") == ""
    with pytest.raises(CommandError, match="An administrator exists"):
        run_command()


def test_logs_do_not_contain_the_token_of_a_link() -> None:
    text = f"GET {new_link()} failed"
    event = logging_config.redact_secrets(None, "info", {"event": text})
    assert event["event"] == "GET /setup/[redacted] failed"


def test_checklist_is_ticked_by_facts(client: Client) -> None:
    client.post(new_link(), ENTERED)
    user = User.objects.get()

    def open_steps() -> list[str]:
        return [step.title for step in load_checklist(lambda _: True).steps if not step.is_done]

    everything = open_steps()
    assert everything == [
        "Connect a source",
        "Read the first message",
        "See the first order on a timeline",
        "Watch a promise",
        "Add people to a team",
        "Invite a colleague",
        "Test a channel",
    ]
    Team.objects.create(slug="empty", title="Nobody").save()
    assert open_steps() == everything
    Team.objects.get().members.add(user)
    create_user(UserRole.OPERATIONS, is_active=False)
    assert open_steps() == [title for title in everything if title != "Add people to a team"]


@pytest.mark.parametrize("role", [r for r in UserRole if r is not UserRole.ADMIN])
def test_only_administrators_see_the_checklist(role: UserRole) -> None:
    client = signed_in(role)
    assert client.get("/setup").status_code == 403
    assert client.post("/setup/close").status_code == 403
    assert 'href="/setup"' not in client.get("/orders").content.decode()


def test_checklist_is_linked_until_it_is_closed(client: Client) -> None:
    client.post(new_link(), ENTERED)
    assert 'href="/setup"' in client.get("/orders").content.decode()
    assert client.post("/setup/close").status_code == 302
    assert 'href="/setup"' not in client.get("/orders").content.decode()
    assert client.get("/setup").status_code == 200
    assert AuditEntry.objects.filter(action="organization.changed").count() == 2
