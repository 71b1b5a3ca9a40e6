"""Sign in at a SAML provider: who is signed in, in which browser, with which second factor."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import User
from django.test import Client
from lxml import etree
from pytest_django.fixtures import Settings

from tests.builders.saml import (
    ANSWER,
    FINISH,
    METADATA,
    START,
    come_back,
    leave,
    post_answer,
    sign_in_at,
    store_saml_provider,
)
from tests.builders.saml_identity_provider import LocalSamlProvider
from tests.builders.second_factors import set_up_app
from tests.builders.single_sign_on import refusals, running_provider, shown_after, signed_in_as
from tests.builders.users import create_user
from visibility.db.database_time import database_now
from visibility.models import AuditEntry, PersonScope, SamlSignIn
from visibility.web.pages import single_sign_on_sign_in
from visibility.web.permissions import UserRole, roles
from visibility.web.request_limit import RequestLimit

pytestmark = pytest.mark.django_db
GROUPS = [
    {"group": "staff", "role": "customer_service"},
    {"group": "it", "role": "admin"},
]


@pytest.fixture
def server(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalSamlProvider]:
    with running_provider(settings, monkeypatch, LocalSamlProvider) as running:
        yield running


@pytest.fixture
def grace() -> User:
    return create_user(UserRole.OPERATIONS, "grace", email="Grace@example.com")


def test_person_is_found_by_email_and_then_by_name_id(
    client: Client, server: LocalSamlProvider, grace: User
) -> None:
    store_saml_provider(server)
    assert "Sign in with Acme" in client.get("/signin").content.decode()
    answer = sign_in_at(client, server, "/alerts?view=mine")
    assert (answer.status_code, answer["Location"]) == (302, "/alerts?view=mine")
    assert signed_in_as(client) == "grace"
    link = SocialAccount.objects.get()
    assert (link.user, link.provider, link.uid) == (grace, f"saml:{server.entity_id}", "subject-1")
    entry = AuditEntry.objects.filter(action="session.signed_in").latest("pk")
    assert entry.detail["issuer"] == f"saml:{server.entity_id}"
    client.post("/signout")
    server.attributes["mail"] = ["other@example.com"]
    sign_in_at(client, server)
    assert signed_in_as(client) == "grace"
    assert not SamlSignIn.objects.exclude(sealed_result="").exists()


def test_request_names_this_installation_and_is_bound_to_its_answer(
    client: Client, server: LocalSamlProvider, grace: User
) -> None:
    store_saml_provider(server, accepts_second_factor=True, second_factor_context="urn:strong")
    form = leave(client, server)
    asked = server.asked[0]
    assert asked.get("Destination") == f"http://{server.address}/sso?tenant=1&app=2"
    assert asked.get("AssertionConsumerServiceURL") == f"http://testserver{ANSWER}"
    assert asked.findtext("{*}Issuer") == f"http://testserver{METADATA}"
    assert asked.findtext("{*}RequestedAuthnContext/{*}AuthnContextClassRef") == "urn:strong"
    row = SamlSignIn.objects.get()
    assert (row.request_id, row.relay_state) == (asked.get("ID"), form["RelayState"])


def test_metadata_of_this_installation_is_public(client: Client) -> None:
    answer = client.get(METADATA)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/samlmetadata+xml")
    root = etree.fromstring(answer.content)
    assert root.get("entityID").endswith(METADATA)
    service = root.find("{*}SPSSODescriptor/{*}AssertionConsumerService")
    assert service.get("Location").endswith(ANSWER)
    assert service.get("Binding") == "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"


def test_answer_without_the_session_that_began_signs_nobody_in(
    client: Client, server: LocalSamlProvider, grace: User
) -> None:
    """The answer of an attacker that the browser of a victim posts (login CSRF)."""
    store_saml_provider(server)
    answer = post_answer(leave(client, server))
    assert (answer.status_code, answer["Location"].partition("?")[0]) == (303, FINISH)
    victim = Client()
    text = shown_after(victim, victim.get(answer["Location"]))
    assert "did not begin in this browser" in text
    assert signed_in_as(victim) == ""
    assert refusals() == ["state"]
    client.get(answer["Location"])
    assert signed_in_as(client) == "grace"
    client.post("/signout")
    assert "did not begin" in shown_after(client, client.get(answer["Location"]))
    assert signed_in_as(client) == ""


def test_request_is_answered_once_and_within_ten_minutes(
    client: Client, server: LocalSamlProvider, grace: User
) -> None:
    store_saml_provider(server)
    form = leave(client, server)
    other = leave(client, server)
    assert post_answer({**form, "RelayState": other["RelayState"]}).status_code == 400
    assert post_answer(form).status_code == 303
    late = post_answer(form)
    assert (late.status_code, "began more than 10 minutes ago" in late.content.decode()) == (
        400,
        True,
    )
    eleven_minutes_ago = database_now() - timedelta(minutes=11)
    SamlSignIn.objects.filter(relay_state=other["RelayState"]).update(sent_at=eleven_minutes_ago)
    assert post_answer(other).status_code == 400
    assert refusals() == ["state"] * 3
    assert signed_in_as(client) == ""


def test_answer_that_waits_too_long_or_for_changed_settings_is_refused(
    client: Client, server: LocalSamlProvider, grace: User
) -> None:
    store_saml_provider(server)
    first, second = post_answer(leave(client, server)), post_answer(leave(client, server))
    row = SamlSignIn.objects.order_by("pk").first()
    assert row
    SamlSignIn.objects.filter(pk=row.pk).update(sent_at=database_now() - timedelta(minutes=11))
    assert "did not begin" in shown_after(client, client.get(first["Location"]))
    store_saml_provider(server, name="Renamed")
    assert "did not begin" in shown_after(client, client.get(second["Location"]))
    assert signed_in_as(client) == ""


def test_sign_in_that_the_provider_begins_is_refused(
    client: Client, server: LocalSamlProvider, grace: User
) -> None:
    store_saml_provider(server)

    def without_request(root: Any) -> None:
        del root.attrib["InResponseTo"]

    server.change = without_request
    answer = post_answer({**leave(client, server), "RelayState": "/orders"})
    assert answer.status_code == 400
    assert "Sign-ins must begin here" in answer.content.decode()
    assert refusals() == ["not_requested"]


def test_email_address_counts_only_if_the_administrator_trusts_the_provider(
    client: Client, server: LocalSamlProvider, grace: User
) -> None:
    store_saml_provider(server, trusts_email_addresses=False)
    text = shown_after(client, sign_in_at(client, server))
    assert "does not confirm your email address" in text
    store_saml_provider(server)
    server.attributes["mail"] = []
    shown_after(client, sign_in_at(client, server))
    assert refusals() == ["email_not_verified", "email_not_verified"]
    assert (signed_in_as(client), SocialAccount.objects.count()) == ("", 0)


def test_administrator_is_never_linked_by_email(client: Client, server: LocalSamlProvider) -> None:
    create_user(UserRole.ADMIN, "grace", email="grace@example.com")
    store_saml_provider(server)
    text = shown_after(client, sign_in_at(client, server))
    assert "The account of an administrator is not linked by email." in text
    assert (signed_in_as(client), refusals()) == ("", ["administrator_not_linked"])


def test_link_of_openid_connect_is_not_a_link_of_saml(
    client: Client, server: LocalSamlProvider, grace: User
) -> None:
    """Keycloak has the same name for both protocols; people may choose their NameID."""
    other = create_user(UserRole.OPERATIONS, "other", email="other@example.com")
    SocialAccount.objects.create(user=other, provider=server.entity_id, uid="subject-1")
    store_saml_provider(server)
    sign_in_at(client, server)
    assert signed_in_as(client) == "grace"


def test_groups_decide_the_role_and_the_scope_of_a_person_is_respected(
    client: Client, server: LocalSamlProvider, grace: User
) -> None:
    store_saml_provider(server, group_roles=GROUPS)
    text = shown_after(client, sign_in_at(client, server))
    assert "None of your groups at Acme has a role here." in text
    server.attributes["groups"] = ["staff", "other"]
    sign_in_at(client, server)
    assert signed_in_as(client) == "grace"
    assert [role.value for role in roles(User.objects.get(pk=grace.pk))] == ["customer_service"]
    client.post("/signout")
    PersonScope.objects.create(user=grace, channels=["web"], changed_at=database_now())
    server.attributes["groups"] = ["it"]
    sign_in_at(client, server)
    assert signed_in_as(client) == ""
    assert refusals() == ["no_role", "role_without_scope"]


def test_unknown_person_gets_an_account_with_the_role_of_the_group(
    client: Client, server: LocalSamlProvider
) -> None:
    store_saml_provider(server, group_roles=GROUPS, unknown_people="create")
    server.attributes["groups"] = ["staff"]
    sign_in_at(client, server)
    user = User.objects.get(username="grace@example.com")
    assert (user.first_name, user.last_name) == ("Grace", "Hopper")
    assert not user.has_usable_password()


@pytest.mark.parametrize(
    ("context", "accepted", "is_asked"),
    [
        ("https://refeds.org/profile/mfa", True, False),
        ("urn:strong", True, False),
        ("urn:oasis:names:tc:SAML:2.0:ac:classes:Password", True, True),
        ("https://refeds.org/profile/mfa", False, True),
    ],
)
def test_second_factor_of_the_provider_counts_if_the_assertion_states_it(
    client: Client,
    server: LocalSamlProvider,
    grace: User,
    context: str,
    accepted: bool,
    is_asked: bool,
) -> None:
    set_up_app(grace)
    store_saml_provider(server, accepts_second_factor=accepted, second_factor_context="urn:strong")
    server.context = context
    answer = sign_in_at(client, server)
    assert answer["Location"].startswith("/signin/code") is is_asked
    assert signed_in_as(client) == ("" if is_asked else "grace")


def test_error_of_the_provider_is_shown_escaped(
    client: Client, server: LocalSamlProvider, grace: User
) -> None:
    store_saml_provider(server)
    server.status = "urn:oasis:names:tc:SAML:2.0:status:&lt;b&gt;No"
    text = shown_after(client, sign_in_at(client, server))
    assert "Acme refused the sign-in: &lt;b&gt;No" in text
    assert refusals() == ["provider_refused"]


def test_nothing_is_there_while_it_is_off(
    client: Client, server: LocalSamlProvider, grace: User
) -> None:
    form = {"SAMLResponse": "x", "RelayState": "x"}
    paths = [client.post(START), client.post(ANSWER, form), client.get(f"{FINISH}?state=x")]
    assert [answer.status_code for answer in paths] == [404, 404, 404]
    store_saml_provider(server)
    form = leave(client, server)
    store_saml_provider(server, is_enabled=False)
    assert client.post(START).status_code == 404
    assert post_answer(form).status_code == 400
    assert "Sign in with Acme" not in client.get("/signin").content.decode()


def test_one_address_cannot_send_any_number_of_answers(
    client: Client, server: LocalSamlProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_saml_provider(server)
    limit = RequestLimit(1, clock=lambda: 0.0)
    monkeypatch.setattr(single_sign_on_sign_in, "requests_per_address", limit)
    form = {"SAMLResponse": "x", "RelayState": "x"}
    assert [Client().post(ANSWER, form).status_code for _ in range(2)] == [400, 429]
    assert "Too many sign-ins" in shown_after(client, client.post(START))
    assert "Too many sign-ins" in shown_after(client, client.get(f"{FINISH}?state=x"))


def test_old_sign_ins_are_deleted(client: Client, server: LocalSamlProvider, grace: User) -> None:
    store_saml_provider(server)
    come_back(client, leave(client, server))
    Client().post(START)
    now = database_now()
    SamlSignIn.objects.update(sent_at=now - timedelta(hours=1))
    Client().post(START)
    remaining = SamlSignIn.objects.filter(sent_at__lt=now)
    assert [bool(row.assertion_key) for row in remaining] == [True]
    remaining.update(sent_at=now - timedelta(hours=25))
    Client().post(START)
    assert not SamlSignIn.objects.filter(sent_at__lt=now).exists()
