"""The SAML provider: entered in the browser or over the API, tested, read again and removed."""

import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django.fixtures import Settings

from tests.builders.saml import (
    METADATA,
    START,
    come_back,
    saml_values,
    sign_in_at,
    store_saml_provider,
)
from tests.builders.saml_identity_provider import LocalSamlProvider, encoded_certificate
from tests.builders.single_sign_on import (
    address_on,
    confirm,
    confirmed_session,
    running_provider,
    shown_after,
)
from tests.builders.users import create_user, signed_in
from visibility.models import AuditEntry, SamlProvider
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
PAGE, API = "/people/single-sign-on/saml", "/api/v1/single-sign-on/saml"
JSON = "application/json"


@pytest.fixture
def server(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalSamlProvider]:
    with running_provider(settings, monkeypatch, LocalSamlProvider) as running:
        yield running


@pytest.fixture
def admin() -> Client:
    return confirmed_session()


def form(server: LocalSamlProvider, **values: Any) -> dict[str, Any]:
    texts = {name: str(value) for name, value in saml_values(server).items()}
    return texts | {"unknown_people": "refuse", "version": "0", **values}


def text_of(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def test_pasted_metadata_is_stored_shown_and_audited(
    admin: Client, server: LocalSamlProvider
) -> None:
    page = text_of(admin.get(PAGE))
    assert f'data-copy-text="http://testserver{METADATA}"' in page
    assert f'data-copy-text="http://testserver{START}/response"' in page
    answer = admin.post(PAGE, form(server, group_1="it", role_1="admin"))
    shown = shown_after(admin, answer)
    assert "Single sign-on with Acme saved. It is on." in shown
    assert server.entity_id in shown
    assert f"http://{server.address}/sso?tenant=1&amp;app=2" in shown
    assert "CN=provider.example.com, <span>valid until" in shown
    assert "SHA-256 " in shown
    row = SamlProvider.objects.get()
    assert (row.entity_id, row.certificates) == (server.entity_id, [encoded_certificate()])
    assert row.group_roles == [{"group": "it", "role": "admin"}]
    entry = AuditEntry.objects.get(action="saml_provider.changed")
    assert entry.detail["after"]["entity_id"] == server.entity_id
    admin.post(PAGE, form(server, version="1", metadata_xml="", name="Acme Inc."))
    entry = AuditEntry.objects.filter(action="saml_provider.changed").latest("pk")
    assert (entry.detail["before"], entry.detail["after"]["name"]) == (
        {"name": "Acme", "group_roles": row.group_roles},
        "Acme Inc.",
    )
    assert SamlProvider.objects.get().certificates == [encoded_certificate()]


def test_uploaded_metadata_is_stored(admin: Client, server: LocalSamlProvider) -> None:
    file = SimpleUploadedFile("metadata.xml", server.metadata().encode(), "text/xml")
    admin.post(PAGE, form(server, metadata_xml="", metadata_file=file))
    assert SamlProvider.objects.get().entity_id == server.entity_id


def test_metadata_of_an_address_is_read_with_the_guarded_client(
    admin: Client, server: LocalSamlProvider, settings: Settings
) -> None:
    values = form(server, metadata_xml="", metadata_address=server.entity_id)
    settings.OUTGOING_ALLOWED = []
    assert admin.post(PAGE, values).status_code == 422
    assert server.requests == []
    settings.OUTGOING_ALLOWED = [server.address]
    admin.post(PAGE, values)
    assert SamlProvider.objects.get().entity_id == server.entity_id
    server.certificates = [encoded_certificate("new"), encoded_certificate()]
    shown = shown_after(admin, admin.post(f"{PAGE}/read"))
    assert "The metadata was read." in shown
    assert "CN=new.example.com" in shown
    entry = AuditEntry.objects.filter(action="saml_provider.changed").latest("pk")
    assert entry.detail["before"] == {"certificates": [encoded_certificate()]}
    settings.OUTGOING_ALLOWED = []
    assert "is not a public address" in shown_after(admin, admin.post(f"{PAGE}/read"))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"name": ""}, "Enter 1 to 40 characters on one line."),
        ({"metadata_xml": ""}, "Enter the metadata of the provider, or its address."),
        ({"metadata_xml": "<a/>"}, "must describe one identity provider, and describes 0."),
        ({"metadata_xml": "x"}, "The metadata is not accepted: it is incomplete or damaged."),
        ({"metadata_xml": "<!DOCTYPE a><a/>"}, "it has a document type or entities"),
        ({"metadata_address": "https://93.184.215.14/x"}, "or the metadata itself, not both."),
        ({"metadata_xml": "", "metadata_address": "http://a.example/x"}, "Enter an https://"),
        (
            {"metadata_xml": "", "metadata_address": "https://169.254.169.254/x"},
            "This address is refused: 169.254.169.254",
        ),
        ({"unknown_people": "create"}, "Enter the group of at least one role"),
        ({"group_1": "it"}, "Choose a role for the group it."),
        (
            {"group_1": "it", "role_1": "admin", "groups_attribute": ""},
            "Enter the attribute that has the groups.",
        ),
    ],
)
def test_invalid_value_is_refused_at_its_field(
    admin: Client, server: LocalSamlProvider, values: dict[str, str], sentence: str
) -> None:
    answer = admin.post(PAGE, form(server, **values))
    assert (answer.status_code, sentence in text_of(answer)) == (422, True)
    assert not SamlProvider.objects.exists()


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ("HTTP-Redirect", "HTTP-Artifact", "has no sign-in address with the redirect binding"),
        ("/sso", "/sso#x", "The sign-in address of the metadata is not valid."),
        ("<md:IDPSSO", "<md:IDPSSO", ""),
        ("http://127.0.0.1", "http://93.184.215.14", "is not an https:// address"),
        ("http://127.0.0.1", "javascript://127.0.0.1", "is not an https:// address"),
        ('use="signing"', 'use="encryption"', "and has 0."),
        ("<ds:X509Certificate>", "<ds:X509Certificate>AA", "A certificate of the metadata is"),
        ("entityID=", 'validUntil="2020-01-01T00:00:00Z" entityID=', "The metadata has expired."),
        ('entityID="', f'entityID="{"x" * 200}', "The entity ID must have 1 to 195 characters."),
    ],
)
def test_metadata_that_cannot_be_used_is_refused(
    admin: Client, server: LocalSamlProvider, before: str, after: str, sentence: str
) -> None:
    text = server.metadata().replace(before, after)
    answer = admin.post(PAGE, form(server, metadata_xml=text))
    if sentence:
        assert (answer.status_code, sentence in text_of(answer)) == (422, True)
    assert SamlProvider.objects.exists() is (not sentence)


def test_entered_texts_are_escaped(admin: Client, server: LocalSamlProvider) -> None:
    name = "<script>alert(1)</script>"
    pages = [admin.post(PAGE, form(server, name=name, metadata_xml=f"</textarea>{name}"))]
    admin.post(PAGE, form(server, name=name))
    pages += [admin.get(PAGE), Client().get("/signin")]
    for page in pages:
        text = page.content.decode()
        assert (name in text, "&lt;script&gt;" in text) == (False, True)


def test_old_session_must_confirm(admin: Client, server: LocalSamlProvider) -> None:
    confirm(admin, at=time.time() - 3600)
    answer = admin.post(PAGE, form(server))
    assert (answer.status_code, server.entity_id in text_of(answer)) == (403, True)
    assert not SamlProvider.objects.exists()
    assert admin.patch(API, saml_values(server), JSON).status_code == 403
    assert admin.post(f"{API}/read", {}, JSON).status_code == 403
    assert admin.delete(API, {}, JSON).status_code == 403
    store_saml_provider(server)
    for path in ("read", "delete", "link"):
        shown = shown_after(admin, admin.post(f"{PAGE}/{path}"))
        assert "Confirm your password or a code first" in shown
    assert SamlProvider.objects.exists()


def test_only_administrators_see_and_change_it(server: LocalSamlProvider) -> None:
    client = signed_in(UserRole.INTEGRATOR)
    paths = ("", "/read", "/try", "/link", "/delete")
    assert {client.post(PAGE + path).status_code for path in paths} == {403}
    assert client.get(PAGE).status_code == 403


def test_tested_sign_in_changes_nothing_and_links_the_own_account(
    server: LocalSamlProvider,
) -> None:
    admin = confirmed_session("grace")
    create_user(UserRole.OPERATIONS, "olga", email="olga@example.com")
    store_saml_provider(server, is_enabled=False)
    server.attributes |= {"mail": ["olga@example.com"], "department": ["<b>Sales</b>"]}
    page = admin.post(f"{PAGE}/try")
    shown = shown_after(admin, come_back(admin, server.visit(address_on(page))))
    assert "(olga) would be signed in as Operations." in shown
    assert "olga@example.com (verified)" in shown
    assert "&lt;b&gt;Sales&lt;/b&gt;" in shown
    assert not SocialAccount.objects.exists()
    assert admin.session["_auth_user_id"] == str(User.objects.get(username="grace").pk)
    assert "Your account is linked." in shown_after(admin, admin.post(f"{PAGE}/link"))
    link = SocialAccount.objects.get()
    assert (link.user.username, link.provider) == ("grace", f"saml:{server.entity_id}")
    store_saml_provider(server)
    other = Client()
    sign_in_at(other, server)
    assert other.session["_auth_user_id"] == str(link.user.pk)
    server.sign_response = lambda _: None
    page = admin.post(f"{PAGE}/try")
    shown = shown_after(admin, come_back(admin, server.visit(address_on(page))))
    assert "neither it nor its assertion is signed" in shown
    assert not AuditEntry.objects.filter(action="session.refused").exists()


def test_result_belongs_to_the_administrator_who_tests(
    admin: Client, server: LocalSamlProvider
) -> None:
    store_saml_provider(server)
    answer = server.visit(address_on(admin.post(f"{PAGE}/try")))
    User.objects.get(username="ada").groups.clear()
    assert come_back(admin, answer)["Location"] == "/"
    assert "Result of the test sign-in" not in text_of(confirmed_session("other").get(PAGE))


def test_removed_provider_signs_nobody_in(admin: Client, server: LocalSamlProvider) -> None:
    store_saml_provider(server)
    assert "Single sign-on with SAML removed." in shown_after(admin, admin.post(f"{PAGE}/delete"))
    assert not SamlProvider.objects.exists()
    assert AuditEntry.objects.filter(action="saml_provider.removed").count() == 1
    assert Client().post(START).status_code == 404


def test_api_enters_changes_reads_and_removes_it(admin: Client, server: LocalSamlProvider) -> None:
    empty = admin.get(API).json()
    assert (empty["version"], empty["is_installed"]) == (0, True)
    assert empty["response_address"] == f"http://testserver{START}/response"
    body = saml_values(server, metadata_xml="", metadata_address=server.entity_id)
    saved = admin.patch(API, body, JSON).json()
    assert (saved["name"], saved["version"], saved["entity_id"]) == ("Acme", 1, server.entity_id)
    assert saved["certificates"][0]["subject"] == "CN=provider.example.com"
    assert saved["certificates"][0]["is_expired"] is False
    saved = admin.patch(API, {"is_enabled": False, "version": 1}, JSON).json()
    assert (saved["is_enabled"], saved["name"], saved["version"]) == (False, "Acme", 2)
    assert admin.patch(API, {"name": "B", "version": 1}, JSON).status_code == 409
    wrong = admin.patch(API, {"metadata_xml": "<a/>", "metadata_address": ""}, JSON)
    assert (wrong.status_code, "describes 0" in wrong.content.decode()) == (400, True)
    server.certificates = [encoded_certificate("new")]
    saved = admin.post(f"{API}/read", {}, JSON).json()
    assert (saved["certificates"][0]["subject"], saved["version"]) == ("CN=new.example.com", 3)
    assert admin.delete(API, {}, JSON).json()["version"] == 0
    assert admin.post(f"{API}/read", {}, JSON).status_code == 400


def test_page_says_how_to_install_saml_where_it_is_missing(
    admin: Client, server: LocalSamlProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as missing:
        missing.setitem(sys.modules, "onelogin", None)
        assert 'id="saml-form"' not in text_of(admin.get(PAGE))
    store_saml_provider(server)
    monkeypatch.setitem(sys.modules, "onelogin", None)
    page = text_of(admin.get(PAGE))
    assert "SAML is not installed" in page
    assert 'id="saml-form"' in page
    assert "-r requirements-saml.lock" in page
    assert "SAML is not installed on this server." in text_of(admin.post(PAGE, form(server)))
    assert admin.get(API).json()["is_installed"] is False
    assert admin.patch(API, {"name": "B"}, JSON).status_code == 400
    assert "Sign in with Acme" not in text_of(Client().get("/signin"))
    assert [Client().post(START).status_code, Client().get(METADATA).status_code] == [404, 404]
    assert admin.post(f"{PAGE}/try")["Location"] == PAGE
