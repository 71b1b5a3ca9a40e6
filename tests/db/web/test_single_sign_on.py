"""The settings of single sign-on: entered in the browser or over the API, tested and removed."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from pytest_django.fixtures import Settings

from tests.builders.identity_provider import CLIENT_SECRET, LocalIdentityProvider
from tests.builders.single_sign_on import (
    address_on,
    come_back,
    confirm,
    confirmed_session,
    provider_values,
    running_provider,
    shown_after,
    sign_in_at,
    store_provider,
)
from tests.builders.users import create_user, signed_in
from visibility.models import AuditEntry, IdentityProvider
from visibility.web.people.single_sign_on.change_identity_provider import client_secret_of
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
PAGE, API = "/people/single-sign-on", "/api/v1/single-sign-on"
JSON = "application/json"


@pytest.fixture
def server(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalIdentityProvider]:
    with running_provider(settings, monkeypatch, LocalIdentityProvider) as running:
        yield running


@pytest.fixture
def admin() -> Client:
    return confirmed_session()


def form(server: LocalIdentityProvider, **values: str) -> dict[str, str]:
    texts = {name: str(value) for name, value in provider_values(server).items()}
    return texts | {
        "scopes": "openid profile email",
        "groups_claim": "groups",
        "unknown_people": "refuse",
        "version": "0",
        **values,
    }


def text_of(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def test_entered_provider_is_stored_and_audited(
    admin: Client, server: LocalIdentityProvider
) -> None:
    page = text_of(admin.get(PAGE))
    assert "People sign in with their password." in page
    assert 'data-copy-text="http://testserver/signin/single-sign-on/callback"' in page
    answer = admin.post(PAGE, form(server, group_1="it", role_1="admin", group_2=" ", role_2=""))
    assert "Single sign-on with Acme saved. It is on." in shown_after(admin, answer)
    row = IdentityProvider.objects.get()
    assert (row.name, row.issuer, row.is_enabled, row.version) == ("Acme", server.issuer, True, 1)
    assert row.group_roles == [{"group": "it", "role": "admin"}]
    assert client_secret_of(row) == CLIENT_SECRET
    entry = AuditEntry.objects.get(action="single_sign_on.changed")
    assert entry.detail["after"]["issuer"] == server.issuer
    assert entry.detail["secret_changed"] is True
    values = form(server, version="1", name="Acme Inc.", client_secret="")
    admin.post(PAGE, values)
    entry = AuditEntry.objects.filter(action="single_sign_on.changed").latest("pk")
    assert entry.detail["before"]["name"] == "Acme"
    assert entry.detail["after"]["name"] == "Acme Inc."
    assert client_secret_of(IdentityProvider.objects.get()) == CLIENT_SECRET


def test_secret_is_stored_encrypted_and_never_shown(
    admin: Client, server: LocalIdentityProvider
) -> None:
    admin.post(PAGE, form(server))
    assert CLIENT_SECRET not in IdentityProvider.objects.get().sealed_client_secret
    for address in (PAGE, API):
        assert CLIENT_SECRET not in admin.get(address).content.decode()
    refused = admin.post(PAGE, form(server, version="1", scopes="email"))
    assert refused.status_code == 422
    assert "Enter the client secret again: it is not shown." in text_of(refused)
    assert CLIENT_SECRET not in refused.content.decode()
    assert CLIENT_SECRET not in json.dumps([entry.detail for entry in AuditEntry.objects.all()])


@pytest.mark.parametrize("changed", ["issuer", "client_id"])
def test_secret_does_not_go_to_another_client(
    admin: Client, server: LocalIdentityProvider, changed: str
) -> None:
    admin.post(PAGE, form(server))
    other = {"issuer": "https://93.184.215.14", "client_id": "other"}[changed]
    values = form(server, version="1", client_secret="") | {changed: other}
    answer = admin.post(PAGE, values)
    assert answer.status_code == 422
    assert "the stored one belongs to another client" in text_of(answer)
    assert IdentityProvider.objects.get().version == 1


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"name": ""}, "Enter 1 to 40 characters on one line."),
        ({"issuer": "acme"}, "Enter an address such as https://login.example.com."),
        ({"issuer": "http://login.example.com"}, "Enter an https:// address."),
        ({"issuer": "https://169.254.169.254"}, "This address is refused: 169.254.169.254"),
        ({"issuer": "https://127.0.0.1"}, "This address is refused: 127.0.0.1"),
        ({"issuer": "https://a:b@login.example.com"}, "must not contain a user name"),
        ({"client_id": " "}, "Enter 1 to 200 characters on one line."),
        ({"client_secret": ""}, "Enter the client secret."),
        ({"scopes": "email"}, "The scopes must contain openid."),
        ({"unknown_people": "x"}, "Choose refuse or create."),
        ({"unknown_people": "create"}, "Enter the group of at least one role"),
        ({"group_1": "it"}, "Choose a role for the group it."),
        ({"group_1": "it", "role_1": "root"}, "Choose a role for the group it."),
        (
            {"group_1": "it", "role_1": "admin", "group_2": "it", "role_2": "admin"},
            "The group it has two rows.",
        ),
        (
            {"group_1": "it", "role_1": "admin", "groups_claim": ""},
            "Enter the claim that has the groups.",
        ),
    ],
)
def test_invalid_value_is_refused_at_its_field(
    server: LocalIdentityProvider, admin: Client, values: dict[str, str], sentence: str
) -> None:
    answer = admin.post(PAGE, form(server, **values))
    assert answer.status_code == 422
    assert sentence in text_of(answer)
    assert not IdentityProvider.objects.exists()


def test_entered_texts_are_escaped(admin: Client, server: LocalIdentityProvider) -> None:
    name = "<script>alert(1)</script>"
    assert name not in admin.post(PAGE, form(server, name=name, scopes="")).content.decode()
    admin.post(PAGE, form(server, name=name))
    for path in (PAGE, "/signin"):
        client = admin if path == PAGE else Client()
        page = client.get(path).content.decode()
        assert (name in page, "&lt;script&gt;" in page) == (False, True)


def test_old_session_must_confirm_and_its_secret_is_not_stored(
    admin: Client, server: LocalIdentityProvider
) -> None:
    confirm(admin, at=time.time() - 3600)
    answer = admin.post(PAGE, form(server))
    assert answer.status_code == 403
    assert "Confirm your password or a code in another tab" in text_of(answer)
    assert server.issuer in text_of(answer)
    assert not IdentityProvider.objects.exists()
    assert CLIENT_SECRET not in str([row.get_decoded() for row in Session.objects.all()])
    answer = admin.patch(API, provider_values(server), JSON)
    assert (answer.status_code, "/account/confirm" in answer.json()["detail"]) == (403, True)
    assert admin.delete(API, {}, JSON).status_code == 403


def test_only_administrators_see_and_change_it(server: LocalIdentityProvider) -> None:
    client = signed_in(UserRole.INTEGRATOR)
    paths = ("", "/test", "/try", "/link", "/delete")
    assert {client.post(PAGE + path).status_code for path in paths} == {403}
    assert client.get(PAGE).status_code == 403


def test_addresses_and_keys_are_read(admin: Client, server: LocalIdentityProvider) -> None:
    store_provider(server)
    page = shown_after(admin, admin.post(f"{PAGE}/test"))
    assert "The addresses and keys of Acme can be read." in page
    assert f"{server.issuer}/token" in page
    assert server.requests == ["/.well-known/openid-configuration", "/keys"]
    assert "Last read without an error" in text_of(confirmed_session("other").get(PAGE))
    server.change_discovery = lambda document: document | {"jwks_uri": f"{server.issuer}/none"}
    page = shown_after(admin, admin.post(f"{PAGE}/test"))
    assert "/none answered with status 404 instead of the list of keys." in page
    assert IdentityProvider.objects.get().tested_at is None
    server.change_discovery = lambda document: (
        document | {"jwks_uri": "https://169.254.169.254/keys"}
    )
    page = shown_after(admin, admin.post(f"{PAGE}/test"))
    assert "169.254.169.254 is not a public address" in page
    entries = AuditEntry.objects.filter(action="single_sign_on.tested").order_by("pk")
    assert [entry.detail["successful"] for entry in entries] == [True, False, False]


def test_provider_of_the_private_network_needs_permission(
    admin: Client, server: LocalIdentityProvider, settings: Settings
) -> None:
    store_provider(server)
    settings.OUTGOING_ALLOWED = []
    assert "is not a public address" in shown_after(admin, admin.post(f"{PAGE}/test"))
    assert server.requests == []


def test_tested_sign_in_changes_nothing_and_shows_what_would_happen(
    admin: Client, server: LocalIdentityProvider
) -> None:
    grace = create_user(UserRole.OPERATIONS, "grace", email="grace@example.com")
    roles = [{"group": "staff", "role": "customer_service"}]
    store_provider(server, is_enabled=False, group_roles=roles)
    server.person |= {"groups": ["staff"], "department": "<b>Sales</b>"}
    page = admin.post(f"{PAGE}/try")
    answer = come_back(admin, server.visit(address_on(page)))
    shown = shown_after(admin, answer)
    assert "(grace) would be signed in as Customer service." in shown
    assert "grace@example.com (verified)" in shown
    assert "linked at the first sign-in" in shown
    assert "&lt;b&gt;Sales&lt;/b&gt;" in shown
    assert not SocialAccount.objects.exists()
    assert list(grace.groups.values_list("name", flat=True)) == ["operations"]
    assert admin.session["_auth_user_id"] == str(User.objects.get(username="ada").pk)
    server.person |= {"email_verified": False}
    page = admin.post(f"{PAGE}/try")
    shown = shown_after(admin, come_back(admin, server.visit(address_on(page))))
    assert "Refused: The identity provider does not confirm your email address" in shown
    server.change_token = lambda claims: claims | {"nonce": "another"}
    page = admin.post(f"{PAGE}/try")
    shown = shown_after(admin, come_back(admin, server.visit(address_on(page))))
    assert "The ID token is not valid: it belongs to another sign-in." in shown


def test_result_belongs_to_the_administrator_who_tests(
    admin: Client, server: LocalIdentityProvider
) -> None:
    store_provider(server)
    location = server.visit(address_on(admin.post(f"{PAGE}/try")))
    User.objects.get(username="ada").groups.clear()
    answer = come_back(admin, location)
    assert answer["Location"] == "/"
    assert "Result of the test sign-in" not in text_of(confirmed_session("other").get(PAGE))


def test_administrator_links_the_own_account(server: LocalIdentityProvider) -> None:
    admin = confirmed_session("grace")
    store_provider(server)
    text = shown_after(admin, admin.post(f"{PAGE}/link"))
    assert "Test the sign-in first." in text
    page = admin.post(f"{PAGE}/try")
    shown = shown_after(admin, come_back(admin, server.visit(address_on(page))))
    assert "Link to my account" in shown
    assert "Your account is linked." in shown_after(admin, admin.post(f"{PAGE}/link"))
    link = SocialAccount.objects.get()
    assert (link.user.username, link.uid) == ("grace", "subject-1")
    assert AuditEntry.objects.get(action="person.linked").detail["subject"] == "subject-1"
    assert "is linked already" in shown_after(admin, admin.post(f"{PAGE}/link"))
    other = Client()
    sign_in_at(other, server)
    assert other.session["_auth_user_id"] == str(link.user.pk)


def test_removed_provider_leaves_no_secret(admin: Client, server: LocalIdentityProvider) -> None:
    store_provider(server)
    assert "Single sign-on removed." in shown_after(admin, admin.post(f"{PAGE}/delete"))
    assert not IdentityProvider.objects.exists()
    assert AuditEntry.objects.filter(action="single_sign_on.removed").count() == 1
    assert "Sign in with Acme" not in text_of(Client().get("/signin"))


def test_api_enters_changes_tests_and_removes_it(
    admin: Client, server: LocalIdentityProvider
) -> None:
    empty = admin.get(API).json()
    assert (empty["version"], empty["has_client_secret"]) == (0, False)
    body = provider_values(server, group_roles=[{"group": "it", "role": "admin"}])
    saved = admin.patch(API, body, JSON).json()
    assert (saved["name"], saved["version"], saved["has_client_secret"]) == ("Acme", 1, True)
    assert saved["group_roles"] == [{"group": "it", "role": "admin"}]
    assert saved["redirect_address"] == "http://testserver/signin/single-sign-on/callback"
    assert CLIENT_SECRET not in json.dumps(saved)
    saved = admin.patch(API, {"is_enabled": False, "version": 1}, JSON).json()
    assert (saved["is_enabled"], saved["name"], saved["version"]) == (False, "Acme", 2)
    assert admin.patch(API, {"name": "B", "version": 1}, JSON).status_code == 409
    wrong = admin.patch(API, {"issuer": "https://169.254.169.254"}, JSON)
    assert wrong.status_code == 400
    assert "This address is refused" in wrong.content.decode()
    wrong = admin.patch(API, {"group_roles": [{"group": "it", "role": "root"}]}, JSON)
    assert wrong.status_code == 400
    check = admin.post(f"{API}/test", {}, JSON).json()
    assert check["successful"] is True
    assert {"name": "Keys for signatures", "text": "1"} in check["facts"]
    assert admin.delete(API, {}, JSON).json()["version"] == 0
    assert not IdentityProvider.objects.exists()
