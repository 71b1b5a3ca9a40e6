"""New passwords: words that are easy to guess, and the list of breached passwords."""

import hashlib
import json
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django.fixtures import Settings

from tests.builders.range_server import RangeServer
from tests.builders.second_factors import sign_in
from tests.builders.users import create_user
from tests.db.web.test_setup import ENTERED, new_link
from visibility.db.database_time import database_now
from visibility.models import AccountLinkPurpose, AuditEntry, Organization, SecuritySettings
from visibility.notify.account_links import account_link_path, create_account_link
from visibility.storage.organization import forget_organization
from visibility.web.author import Author
from visibility.web.people.passwords.change_checks import change_password_checks
from visibility.web.people.passwords.known_terms import consists_of_terms
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
PASSWORD, NEW = "correct horse battery", "a much better passphrase"
BREACHED, PADDING = "correct staple everyone", "an invented password"
KNOWN, LEAKED = "easy to guess here", "became known in breaches"
PAGE, API = "/people/security", "/api/v1/security"
FORM = f"{PAGE}/passwords"


@pytest.fixture
def olga() -> User:
    return create_user(
        UserRole.ADMIN,
        "olga",
        password=PASSWORD,
        first_name="Olga",
        last_name="Lindqvist",
        email="olga.lindqvist@northwind-trade.example",
    )


@pytest.fixture
def admin(olga: User) -> Client:
    client = Client()
    assert sign_in(client, "olga", PASSWORD).status_code == 302
    return client


@pytest.fixture
def ranges(settings: Settings, olga: User) -> Iterator[RangeServer]:
    """The check is on, with a local copy of the list."""
    server = RangeServer(BREACHED, padding=(PADDING,))
    settings.OUTGOING_ALLOWED = [server.address]
    values = {"checks_breached_passwords": True, "breach_check_url": server.url}
    change_password_checks(values, by=Author(olga, database_now()))
    yield server
    server.close()


def link_of(purpose: AccountLinkPurpose) -> str:
    user = User.objects.get(username="olga")
    link = create_account_link(user, purpose, by=None, now=database_now(), send_mail=False)
    return account_link_path(link)


def post_link(purpose: AccountLinkPurpose, password: str) -> Any:
    entered = {"new_password1": password, "new_password2": password}
    return Client().post(link_of(purpose), entered)


def set_up(password: str) -> Any:
    User.objects.filter(username="olga").update(is_active=False)
    answer = Client().post(
        new_link(), {**ENTERED, "new_password1": password, "new_password2": password}
    )
    User.objects.filter(username="olga").update(is_active=True)
    return answer


def change(password: str) -> Any:
    client = Client()
    sign_in(client, "olga", PASSWORD)
    entered = {"new_password1": password, "new_password2": password}
    return client.post("/account/password", {"old_password": PASSWORD, **entered})


DOORS: dict[str, Callable[[str], Any]] = {
    "set-up link": set_up,
    "invitation": lambda password: post_link(AccountLinkPurpose.INVITATION, password),
    "reset": lambda password: post_link(AccountLinkPurpose.RESET, password),
    "account": change,
}


@pytest.mark.slow
@pytest.mark.parametrize("door", DOORS)
def test_each_door_refuses_known_terms_and_breached_passwords(
    door: str, ranges: RangeServer
) -> None:
    for password, sentence in (
        ("Throughline-2026", KNOWN),
        ("acme D1stribution", KNOWN) if door == "set-up link" else ("Lindqvist-2026!", KNOWN),
        (BREACHED, LEAKED),
    ):
        answer = DOORS[door](password)
        assert answer.status_code == 422, password
        assert sentence in answer.content.decode(), password
        assert password not in answer.content.decode()
    assert User.objects.get(username="olga").check_password(PASSWORD)
    assert DOORS[door](NEW).status_code == 302


def test_a_password_must_not_resemble_the_person(olga: User) -> None:
    answer = post_link(AccountLinkPurpose.RESET, "olga.lindqvist@northwind-trade")
    assert answer.status_code == 422
    assert "too similar to the email address" in answer.content.decode()


def test_the_command_line_checks_as_well(
    olga: User, ranges: RangeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = ("lindqvist 2026!", BREACHED, "olga olga olga")
    entered = iter([password for password in tried for _ in range(2)])
    monkeypatch.setattr("getpass.getpass", lambda **_: next(entered))
    errors = StringIO()
    with pytest.raises(CommandError, match="Aborting"):
        call_command("changepassword", "olga", stdout=StringIO(), stderr=errors)
    assert errors.getvalue().count(KNOWN) == 2
    assert errors.getvalue().count(LEAKED) == 1
    olga.refresh_from_db()
    assert olga.check_password(PASSWORD)


def test_only_the_beginning_of_the_hash_is_sent(ranges: RangeServer) -> None:
    assert post_link(AccountLinkPurpose.RESET, BREACHED).status_code == 422
    (path, headers) = ranges.requests[-1]
    digest = hashlib.sha1(BREACHED.encode(), usedforsecurity=False).hexdigest().upper()
    assert path == f"/range/{digest[:5]}"
    assert headers["add-padding"] == "true"
    assert digest[5:] not in path + json.dumps(dict(headers))
    # Padding has the count 0: nobody has seen it.
    assert post_link(AccountLinkPurpose.RESET, PADDING).status_code == 302
    assert SecuritySettings.objects.get().breach_checked_at is not None


def unreachable(server: RangeServer) -> None:
    server.close()


def answers(status: int, body: bytes) -> Callable[[RangeServer], None]:
    def prepare(server: RangeServer) -> None:
        server.answer = (status, body)

    return prepare


@pytest.mark.parametrize(
    ("prepare", "error"),
    [
        (answers(503, b"later"), "the answer had the status 503"),
        (answers(302, b""), "the answer had the status 302"),
        (answers(200, b"<html>Sign in to the hotel</html>"), "not a list of hashes"),
        (answers(200, b""), "the answer was empty"),
        (unreachable, "ConnectError"),
    ],
)
def test_without_an_answer_the_password_is_accepted_and_that_is_recorded(
    admin: Client, ranges: RangeServer, prepare: Callable[[RangeServer], None], error: str
) -> None:
    prepare(ranges)
    digest = hashlib.sha1(NEW.encode(), usedforsecurity=False).hexdigest().upper()
    assert post_link(AccountLinkPurpose.RESET, NEW).status_code == 302
    entry = AuditEntry.objects.get(action="security.breach_check_failed")
    assert (entry.object, entry.detail["password"]) == ("olga", "accepted without the check")
    assert error in entry.detail["error"]
    assert digest[:5] not in entry.detail["error"]
    sign_in(admin, "olga", NEW)
    page = admin.get("/system").content.decode()
    assert "The list cannot be reached" in page
    assert error in page
    check = admin.get("/api/v1/system").json()["password_check"]
    assert (check["is_on"], check["is_reached"]) == (True, False)
    assert error in check["error"]


def test_the_next_answer_ends_the_problem(admin: Client, ranges: RangeServer) -> None:
    ranges.answer = (500, b"")
    assert post_link(AccountLinkPurpose.RESET, "one long passphrase").status_code == 302
    ranges.answer = None
    assert post_link(AccountLinkPurpose.RESET, NEW).status_code == 302
    sign_in(admin, "olga", NEW)
    assert admin.get("/api/v1/system").json()["password_check"]["is_reached"]
    assert "Works" in admin.get("/system").content.decode()


def test_it_is_off_by_default(admin: Client, settings: Settings) -> None:
    server = RangeServer(BREACHED)
    settings.OUTGOING_ALLOWED = [server.address]
    assert admin.get(API).json()["checks_breached_passwords"] is False
    assert admin.get(API).json()["breach_check_url"] == "https://api.pwnedpasswords.com/range/"
    entered = {"breach_check_url": server.url, "refused_password_terms": ""}
    assert admin.post(FORM, entered).status_code == 302
    assert change(BREACHED).status_code == 302
    assert server.requests == []
    server.close()


def test_administrators_set_it_in_the_browser_and_over_the_api(
    admin: Client, settings: Settings
) -> None:
    settings.OUTGOING_ALLOWED = ["127.0.0.1:9"]
    answer = admin.post(
        FORM,
        {
            "checks_breached_passwords": "yes",
            "breach_check_url": "http://127.0.0.1:9/range",
            "refused_password_terms": "Bluefin\r\n\r\nbluefin\r\nHarbor Street <b>",
        },
    )
    assert answer["Location"] == PAGE
    entry = AuditEntry.objects.get(action="security.password_checks")
    assert entry.detail["before"]["checks_breached_passwords"] is False
    assert entry.detail["after"] == {
        "checks_breached_passwords": True,
        "breach_check_url": "http://127.0.0.1:9/range/",
        "refused_password_terms": ["Bluefin", "Harbor Street <b>"],
    }
    page = admin.get(PAGE).content.decode()
    assert "New passwords are compared with those of breaches" in page
    assert "Harbor Street &lt;b&gt;</textarea>" in page
    assert SecuritySettings.objects.get().requires_second_factor
    body = {"checks_breached_passwords": False, "refused_password_terms": ["Bluefin"]}
    assert admin.patch(API, body, "application/json").json()["refused_password_terms"] == [
        "Bluefin"
    ]
    assert KNOWN in change("bluefin-2026-!!").content.decode()
    assert admin.patch(API, body, "application/json").status_code == 200
    assert AuditEntry.objects.filter(action="security.password_checks").count() == 2


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("breach_check_url", "http://example.com/range/", "Enter an https:// address"),
        ("breach_check_url", "https://127.0.0.1/range/", "This address is refused"),
        ("breach_check_url", "https://93.184.215.14/?x=", "without a query"),
        ("breach_check_url", "nonsense", "Enter an https:// address"),
        ("refused_password_terms", "ab", "does not have 3 to 60 characters"),
        ("refused_password_terms", "\n".join(f"word{n}" for n in range(201)), "at most 200"),
    ],
)
def test_invalid_values_are_explained_at_the_field_and_nothing_is_lost(
    admin: Client, field: str, value: str, sentence: str
) -> None:
    entered = {"breach_check_url": "", "refused_password_terms": "Bluefin", field: value}
    answer = admin.post(FORM, {**entered, "checks_breached_passwords": "yes"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert sentence in page
    assert f'name="{field}"' in page
    assert value.split("\n")[0] in page
    assert 'value="yes" checked' in page
    assert not SecuritySettings.objects.exists()
    given = value.split("\n") if field == "refused_password_terms" else value
    answer = admin.patch(API, {field: given}, "application/json")
    assert answer.status_code == 400
    assert field in json.dumps(answer.json())


def test_the_name_of_the_organization_counts(olga: User) -> None:
    names = {"time_zone": "UTC", "currency": "USD", "week_start": "monday"}
    Organization.objects.create(id=1, name="Blåbär & Sons Trading", fiscal_year_start=1, **names)
    forget_organization()
    assert KNOWN in change("BlåbärSons 2026").content.decode()
    assert change("where the lingon grows, 2026").status_code == 302


@pytest.mark.parametrize(
    ("password", "is_refused"),
    [
        ("Acme-Acme-Acme", True),
        ("acme distribution", True),
        ("@CM3 d1str1but10n", True),
        ("2026 acme 2027!!", False),
        ("2026 acme !!!!!!", True),
        ("the acme of all perfection", False),
        ("correct horse battery", False),
        ("!!!!!!!!!!!!!!", False),
        ("incincincinc", False),
    ],
)
def test_a_term_needs_eight_other_letters_or_digits(password: str, is_refused: bool) -> None:
    assert consists_of_terms(password, ["Acme Distribution Inc", "", "ab"]) == is_refused
