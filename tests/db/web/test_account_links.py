"""Links that set a password: by email on request, once, for a limited time."""

import re
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from allauth.account.internal.flows.login import AUTHENTICATION_METHODS_SESSION_KEY as METHODS
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.core import mail
from django.core.mail import EmailMessage
from django.test import Client
from pytest_django.fixtures import Settings

from tests.builders.users import create_user
from visibility.db.database_time import database_now
from visibility.models import AccountLink, AccountLinkPurpose, AuditEntry
from visibility.notify import account_links
from visibility.notify.account_links import account_link_path, create_account_link
from visibility.pipeline import job_functions
from visibility.pipeline.record_and_retention_jobs import send_account_mails
from visibility.web.pages import account_links as pages
from visibility.web.permissions import UserRole
from visibility.web.request_limit import RequestLimit

pytestmark = pytest.mark.django_db
OLD, NEW = "correct horse battery", "a much better passphrase"


@pytest.fixture(autouse=True)
def _mail_server(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.HAS_MAIL_SERVER = True
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    settings.PUBLIC_URL = "https://throughline.example"
    monkeypatch.setattr(pages, "requests_per_address", RequestLimit(10, clock=lambda: 0.0))
    monkeypatch.setattr(job_functions, "ask_worker_to_run_job_now", lambda _: None)


def person(**fields: Any) -> User:
    given = {"password": OLD, "email": "olga@example.com"} | fields
    return create_user(UserRole.OPERATIONS, "olga", **given)


def reset_link(user: User, age: timedelta = timedelta()) -> str:
    now = database_now() - age
    link = create_account_link(user, AccountLinkPurpose.RESET, by=None, now=now, send_mail=False)
    return account_link_path(link)


def passwords(first: str = NEW, second: str = NEW) -> dict[str, str]:
    return {"new_password1": first, "new_password2": second}


def sent_path() -> str:
    send_account_mails()
    match = re.search(r"https://throughline\.example(/account/link/\S+)", str(mail.outbox[-1].body))
    assert match
    return match[1]


def test_every_role_exists_after_the_migration_also_where_some_existed() -> None:
    Group.objects.exclude(name=UserRole.ADMIN).delete()
    import_module("visibility.migrations.0039_roles_and_account_links").create_roles(apps, None)
    assert set(Group.objects.values_list("name", flat=True)) >= set(UserRole)


@pytest.mark.parametrize("typed", ["olga", "OLGA@example.com"])
def test_a_forgotten_password_is_reset_by_email(
    client: Client, typed: str, django_capture_on_commit_callbacks: Any
) -> None:
    user = person()
    answer = client.post("/signin/forgot", {"account": typed})
    assert "a link is on its way" in answer.content.decode()
    address = sent_path()
    assert mail.outbox[0].to == ["olga@example.com"]
    assert "olga" in client.get(address).content.decode()
    answer = client.post(address, passwords())
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert client.session["_auth_user_id"] == str(user.pk)
    user.refresh_from_db()
    assert user.check_password(NEW)
    actions = AuditEntry.objects.filter(user=user).values_list("action", flat=True)
    assert set(actions) == {
        "account.reset_requested",
        "account.password_set",
        "session.signed_in",
    }


def test_the_answer_does_not_tell_whether_an_account_exists(client: Client) -> None:
    person()
    pages_of = [
        client.post("/signin/forgot", {"account": name}).content.decode().replace(name, "")
        for name in ("olga", "nina")
    ]
    assert re.sub(r'value="\w{64}"', "", pages_of[0]) == re.sub(r'value="\w{64}"', "", pages_of[1])
    assert AccountLink.objects.count() == 1


@pytest.mark.parametrize("fields", [{"is_active": False}, {"email": ""}])
def test_no_link_is_sent_to_deactivated_people_and_those_without_address(
    client: Client, fields: dict[str, Any]
) -> None:
    person(**fields)
    client.post("/signin/forgot", {"account": "olga"})
    assert not AccountLink.objects.exists()


def test_without_a_mail_server_the_page_says_whom_to_ask(
    client: Client, settings: Settings
) -> None:
    settings.HAS_MAIL_SERVER = False
    person()
    answer = client.post("/signin/forgot", {"account": "olga"})
    assert "Ask an administrator for a link" in answer.content.decode()
    assert not AccountLink.objects.exists()


def test_a_link_works_once(client: Client) -> None:
    address = reset_link(person())
    assert client.post(address, passwords()).status_code == 302
    second = Client()
    assert second.get(address).status_code == 404
    assert second.post(address, passwords(OLD, OLD)).status_code == 404
    assert "_auth_user_id" not in second.session


def test_a_link_is_valid_for_30_minutes(client: Client) -> None:
    user = person()
    assert client.get(reset_link(user, timedelta(minutes=29))).status_code == 200
    assert client.get(reset_link(user, timedelta(minutes=31))).status_code == 404


@pytest.mark.parametrize("change", ["password", "seal", "expiry", "owner", "deactivated"])
def test_links_that_open_nothing(client: Client, change: str) -> None:
    user = person()
    address = reset_link(user)
    if change == "password":
        user.set_password(NEW)
        user.save()
    elif change == "seal":
        address = address[:-1] + ("0" if address[-1] != "0" else "1")
    elif change == "expiry":  # someone with access to the database keeps it alive
        AccountLink.objects.update(expires_at=database_now() + timedelta(days=1000))
    elif change == "owner":
        AccountLink.objects.update(user=create_user(UserRole.ADMIN))
    else:
        User.objects.update(is_active=False)
    assert client.get(address).status_code == 404
    assert client.post(address, passwords()).status_code == 404


@pytest.mark.parametrize(
    ("first", "second", "sentence"),
    [
        ("short", "short", "too short"),
        ("123456789012345", "123456789012345", "entirely numeric"),
        ("q1w2e3r4t5y6", "q1w2e3r4t5y6", "too common"),
        (NEW, NEW + "x", "The two password fields"),
    ],
)
def test_weak_passwords_are_refused_at_the_field(
    client: Client, first: str, second: str, sentence: str
) -> None:
    address = reset_link(person())
    answer = client.post(address, passwords(first, second))
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert client.post(address, passwords()).status_code == 302


@pytest.mark.expensive_hashes
def test_a_long_password_is_stored_as_a_hash_and_taken_exactly_as_it_is(client: Client) -> None:
    user = person()
    text = f" {'Straße und Æther, ' * 8}"
    assert len(text) > 128
    assert client.post(reset_link(user), passwords(text, text)).status_code == 302
    user.refresh_from_db()
    assert user.password.startswith("argon2$argon2id$v=19$m=102400,t=2,p=1$")
    for typed in (text.strip(), text[:128], text.lower(), text):
        other = Client()
        other.post("/signin", {"username": "olga", "password": typed})
        assert ("_auth_user_id" in other.session) == (typed == text)


def test_a_link_ends_the_session_of_another_person(client: Client) -> None:
    user = person()
    client.force_login(create_user(UserRole.ADMIN))
    assert 'class="rail"' not in client.get(reset_link(user)).content.decode()
    client.post(reset_link(user), passwords())
    assert client.session["_auth_user_id"] == str(user.pk)
    # A session of its own, in which the password was given a moment ago.
    assert [record["method"] for record in client.session[METHODS]] == ["password"]


def test_links_that_anybody_can_ask_for_end_no_invitation_and_are_few(client: Client) -> None:
    user = person()
    invitation = account_link_path(
        create_account_link(
            user, AccountLinkPurpose.INVITATION, by=user, now=database_now(), send_mail=False
        )
    )
    for _ in range(6):
        client.post("/signin/forgot", {"account": "olga"})
    assert AccountLink.objects.filter(purpose=AccountLinkPurpose.RESET).count() == 3
    assert client.get(invitation).status_code == 200


def test_an_address_asks_for_a_few_links_per_minute(client: Client) -> None:
    codes = [client.post("/signin/forgot", {"account": f"x{n}"}).status_code for n in range(11)]
    assert codes == [200] * 10 + [429]


def test_an_email_that_no_server_accepts_is_tried_again_and_then_given_up(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    person()
    client.post("/signin/forgot", {"account": "olga"})
    monkeypatch.setattr(EmailMessage, "send", lambda _: 0)
    now = database_now()
    for minutes in range(0, 100, 5):
        account_links.send_due_account_mails(now + timedelta(minutes=minutes))
    link = AccountLink.objects.get()
    assert (link.mail_state, link.mail_attempts) == ("failed", 5)
    assert link.mail_error
