"""Sign in at an identity provider: who is signed in, with which role and second factor."""

from collections.abc import Iterator
from typing import Any

import pytest
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import User
from django.test import Client
from pytest_django.fixtures import Settings

from tests.builders.identity_provider import LocalIdentityProvider
from tests.builders.second_factors import code_of, set_up_app
from tests.builders.single_sign_on import (
    CALLBACK,
    START,
    come_back,
    leave,
    refusals,
    running_provider,
    shown_after,
    sign_in_at,
    signed_in_as,
    store_provider,
)
from tests.builders.users import create_user, signed_in
from visibility.db.database_time import database_now
from visibility.models import AuditEntry, PersonScope
from visibility.web.permissions import UserRole, roles

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"
GROUPS = [
    {"group": "staff", "role": "customer_service"},
    {"group": "leads", "role": "operations"},
    {"group": "it", "role": "admin"},
]


@pytest.fixture
def server(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalIdentityProvider]:
    with running_provider(settings, monkeypatch, LocalIdentityProvider) as running:
        yield running


@pytest.fixture
def grace() -> User:
    return create_user(UserRole.OPERATIONS, "grace", email="Grace@example.com")


def role_names(user: User) -> list[str]:
    return sorted(role.value for role in roles(User.objects.get(pk=user.pk)))


def test_person_is_found_by_verified_email_and_then_by_subject(
    client: Client, server: LocalIdentityProvider, grace: User
) -> None:
    store_provider(server)
    assert "Sign in with Acme" in client.get("/signin").content.decode()
    answer = sign_in_at(client, server, "/alerts?view=mine")
    assert (answer.status_code, answer["Location"]) == (302, "/alerts?view=mine")
    assert signed_in_as(client) == "grace"
    asked = server.authorized[0]
    assert len(asked["state"]) >= 16
    assert len(asked["nonce"]) >= 16
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"] == f"http://testserver{CALLBACK}"
    link = SocialAccount.objects.get()
    assert (link.user, link.provider, link.uid) == (grace, server.issuer, "subject-1")
    assert link.extra_data == {}
    actions = list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))
    assert actions[-2:] == ["person.linked", "session.signed_in"]
    assert AuditEntry.objects.latest("pk").detail == {"issuer": server.issuer}
    # The provider's address changes: the link stays, and so does the address here.
    client.post("/signout")
    server.person |= {"email": "admiral@example.com", "email_verified": False}
    sign_in_at(client, server)
    assert signed_in_as(client) == "grace"
    grace.refresh_from_db()
    assert grace.email == "Grace@example.com"
    assert role_names(grace) == ["operations"]


def test_password_sign_in_remains(
    client: Client, server: LocalIdentityProvider, grace: User
) -> None:
    store_provider(server)
    grace.set_password(PASSWORD)
    grace.save()
    client.post("/signin", {"username": "grace", "password": PASSWORD})
    assert signed_in_as(client) == "grace"


def test_unknown_person_is_refused(client: Client, server: LocalIdentityProvider) -> None:
    store_provider(server)
    text = shown_after(client, sign_in_at(client, server))
    assert "Not signed in. There is no account with your email address." in text
    assert signed_in_as(client) == ""
    assert User.objects.filter(email="grace@example.com").count() == 0
    entry = AuditEntry.objects.get(action="session.refused")
    assert entry.detail == {
        "reason": "unknown_person",
        "issuer": server.issuer,
        "email": "grace@example.com",
    }


def test_unknown_person_is_created_with_the_role_of_the_group(
    client: Client, server: LocalIdentityProvider
) -> None:
    store_provider(server, unknown_people="create", group_roles=GROUPS)
    server.person["groups"] = ["staff", "leads"]
    sign_in_at(client, server)
    user = User.objects.get(username="grace@example.com")
    assert (user.first_name, user.last_name) == ("Grace", "Hopper")
    assert not user.has_usable_password()
    assert role_names(user) == ["operations"]
    assert signed_in_as(client) == user.username
    assert AuditEntry.objects.get(action="person.created_by_provider").user == user
    other = Client()
    server.person |= {"sub": "subject-2", "email": "alan@example.com", "groups": ["guests"]}
    text = shown_after(other, sign_in_at(other, server))
    assert "None of your groups at Acme has a role here." in text
    assert not User.objects.filter(email="alan@example.com").exists()


@pytest.mark.parametrize("verified", [False, None, "false", 0])
def test_unverified_email_opens_no_account(
    client: Client, server: LocalIdentityProvider, grace: User, verified: object
) -> None:
    store_provider(server)
    server.person["email_verified"] = verified
    text = shown_after(client, sign_in_at(client, server))
    assert "does not confirm your email address" in text
    assert (signed_in_as(client), refusals()) == ("", ["email_not_verified"])
    assert not SocialAccount.objects.exists()


def test_entra_id_confirms_the_owner_of_the_domain(
    client: Client, server: LocalIdentityProvider, grace: User
) -> None:
    store_provider(server)
    del server.person["email_verified"]
    server.person["xms_edov"] = "1"
    sign_in_at(client, server)
    assert signed_in_as(client) == "grace"


def test_account_belongs_to_one_subject(
    client: Client, server: LocalIdentityProvider, grace: User
) -> None:
    store_provider(server)
    sign_in_at(client, server)
    client.post("/signout")
    server.person["sub"] = "subject-2"  # the address was given to somebody else
    text = shown_after(client, sign_in_at(client, server))
    assert "belongs to another person of the identity provider" in text
    assert refusals() == ["linked_to_other"]
    # It is the same person with a new account at the provider.
    admin = signed_in(UserRole.ADMIN, "ida")
    assert f"linked to {server.issuer}" in admin.get(f"/people/{grace.pk}").content.decode()
    admin.post(f"/people/{grace.pk}/unlink")
    assert AuditEntry.objects.get(action="person.unlinked").object == "grace"
    sign_in_at(client, server)
    assert SocialAccount.objects.get().uid == "subject-2"
    answer = admin.post(f"/api/v1/people/{grace.pk}/unlink", {}, "application/json")
    assert (answer.status_code, SocialAccount.objects.count()) == (200, 0)
    assert client.get("/orders").status_code == 302


def test_address_of_several_accounts_opens_none(
    client: Client, server: LocalIdentityProvider, grace: User
) -> None:
    store_provider(server)
    create_user(UserRole.EXECUTIVE, "grace2", email="grace@example.com")
    assert "Several accounts have your email address" in shown_after(
        client, sign_in_at(client, server)
    )


def test_deactivated_person_is_refused(
    client: Client, server: LocalIdentityProvider, grace: User
) -> None:
    store_provider(server)
    sign_in_at(client, server)
    client.post("/signout")
    User.objects.filter(pk=grace.pk).update(is_active=False)
    assert "This account is deactivated" in shown_after(client, sign_in_at(client, server))
    assert (signed_in_as(client), refusals()) == ("", ["deactivated"])
    assert AuditEntry.objects.get(action="session.refused").object == "grace"


def test_role_follows_the_groups_at_each_sign_in(
    client: Client, server: LocalIdentityProvider, grace: User
) -> None:
    store_provider(server, group_roles=GROUPS)
    server.person["groups"] = ["staff"]
    sign_in_at(client, server)
    assert role_names(grace) == ["customer_service"]
    entry = AuditEntry.objects.get(action="person.role_from_groups")
    assert entry.detail["before"] == {"roles": ["operations"]}
    assert entry.detail["after"] == {"roles": ["customer_service"]}
    client.post("/signout")
    server.person["groups"] = ["it"]
    sign_in_at(client, server)
    assert role_names(grace) == ["admin"]
    client.post("/signout")
    server.person["groups"] = []
    assert "None of your groups" in shown_after(client, sign_in_at(client, server))
    assert signed_in_as(client) == ""
    assert role_names(grace) == ["admin"]


def test_person_with_a_scope_gets_no_role_that_sees_all_orders(
    client: Client, server: LocalIdentityProvider, grace: User
) -> None:
    PersonScope.objects.create(user=grace, channels=["b2b"], changed_at=database_now())
    store_provider(server, group_roles=GROUPS)
    server.person["groups"] = ["it"]
    text = shown_after(client, sign_in_at(client, server))
    assert "Your groups have a role that sees all orders" in text
    assert refusals() == ["role_without_scope"]
    assert (signed_in_as(client), role_names(grace)) == ("", ["operations"])
    server.person["groups"] = ["staff"]
    sign_in_at(client, server)
    assert role_names(grace) == ["customer_service"]


def test_last_administrator_stays_one(
    client: Client, server: LocalIdentityProvider, grace: User
) -> None:
    store_provider(server, group_roles=GROUPS)
    server.person["groups"] = ["it"]
    sign_in_at(client, server)
    User.objects.get(username="ida").groups.clear()
    for groups in (["staff"], []):
        client.post("/signout")
        server.person["groups"] = groups
        sign_in_at(client, server)
        assert (signed_in_as(client), role_names(grace)) == ("grace", ["admin"])
    create_user(UserRole.ADMIN, "other")
    client.post("/signout")
    server.person["groups"] = ["staff"]
    sign_in_at(client, server)
    assert role_names(grace) == ["customer_service"]


def test_administrator_is_never_linked_by_email(
    client: Client, server: LocalIdentityProvider
) -> None:
    store_provider(server)
    create_user(UserRole.ADMIN, "grace", email="grace@example.com")
    text = shown_after(client, sign_in_at(client, server))
    assert "The account of an administrator is not linked by email." in text
    assert (signed_in_as(client), refusals()) == ("", ["administrator_not_linked"])
    assert not SocialAccount.objects.exists()


def test_second_factor_of_the_account_is_still_asked_for(
    client: Client, server: LocalIdentityProvider, grace: User, settings: Settings
) -> None:
    settings.REQUIRE_SECOND_FACTOR = True
    store_provider(server)
    server.person["amr"] = ["pwd", "mfa"]
    assert sign_in_at(client, server)["Location"] == "/"
    assert client.get("/orders")["Location"] == "/account/second-factor"
    client.post("/signout")
    secret = set_up_app(grace)
    assert sign_in_at(client, server)["Location"] == "/signin/code"
    assert signed_in_as(client) == ""
    client.post("/signin/code", {"code": code_of(secret)})
    assert client.get("/orders").status_code == 200


@pytest.mark.parametrize("has_app", [False, True])
@pytest.mark.parametrize("proof", [{"amr": ["pwd", "mfa"]}, {"acr": "phrh"}])
def test_second_factor_of_the_provider_is_accepted_if_proved(
    client: Client,
    server: LocalIdentityProvider,
    grace: User,
    settings: Settings,
    proof: dict[str, Any],
    has_app: bool,
) -> None:
    settings.REQUIRE_SECOND_FACTOR = True
    store_provider(server, accepts_second_factor=True, second_factor_acr="phrh")
    if has_app:
        set_up_app(grace)
    server.person |= {"amr": ["pwd"], "acr": "1"}
    sign_in_at(client, server)
    location = client.get("/orders")["Location"]
    assert location.startswith("/signin" if has_app else "/account/second-factor")
    client.post("/signout")
    server.person |= proof
    sign_in_at(client, server)
    assert client.get("/orders").status_code == 200
    assert server.authorized[-1]["acr_values"] == "phrh"
    # What the userinfo endpoint says proves nothing.
    client.post("/signout")
    server.person |= {"amr": ["pwd"], "acr": "1"}
    del server.person["email"]
    server.userinfo = {**server.person, "email": "grace@example.com", **proof}
    sign_in_at(client, server)
    assert client.get("/orders").status_code == 302


def test_without_enabling_nothing_is_offered(
    client: Client, server: LocalIdentityProvider, grace: User
) -> None:
    row = store_provider(server)
    location = leave(client, server)
    row.is_enabled = False
    row.save()
    assert "Sign in with Acme" not in client.get("/signin").content.decode()
    assert client.post(START).status_code == 404
    assert come_back(client, location).status_code == 404
    assert signed_in_as(client) == ""
    row.delete()
    assert client.get(CALLBACK).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/accounts/social/connections/",
        "/social/connections/",
        "/accounts/oidc/acme/login/",
        "/social/signup/",
    ],
)
def test_other_pages_of_allauth_are_not_routed(path: str) -> None:
    assert signed_in(UserRole.ADMIN).get(path).status_code == 404


@pytest.mark.parametrize("outside", ["https://evil.example.com/", "//evil.example.com", "x:y"])
def test_redirect_stays_on_this_site(
    client: Client, server: LocalIdentityProvider, grace: User, outside: str
) -> None:
    store_provider(server)
    assert sign_in_at(client, server, outside)["Location"] == "/"


def test_start_is_protected_and_needs_no_get(server: LocalIdentityProvider) -> None:
    store_provider(server)
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(START).status_code == 403
    assert strict.get(START).status_code == 405
    assert server.authorized == []


def test_secret_of_a_replaced_key_is_explained(
    client: Client, server: LocalIdentityProvider
) -> None:
    row = store_provider(server)
    row.sealed_client_secret = "sealed with another key"
    row.save()
    text = shown_after(client, client.post(START))
    assert "Not signed in. The client secret cannot be read" in text


def test_failures_slow_down_as_those_of_passwords(
    client: Client, server: LocalIdentityProvider
) -> None:
    store_provider(server)
    for _ in range(5):
        assert "There is no account" in shown_after(client, sign_in_at(client, server))
    text = shown_after(client, sign_in_at(client, server))
    assert "Too many failed sign-ins. Try again in 30 seconds." in text
    server.person["sub"] = "subject-2"  # others at the same address do not wait
    assert "There is no account" in shown_after(client, sign_in_at(client, server))


def test_groups_are_read_from_the_userinfo_endpoint(
    client: Client, server: LocalIdentityProvider, grace: User
) -> None:
    store_provider(server, group_roles=GROUPS)
    server.userinfo = {"sub": "subject-1", "groups": ["staff"]}
    sign_in_at(client, server)
    assert role_names(grace) == ["customer_service"]
    client.post("/signout")
    server.userinfo["sub"] = "subject-2"
    assert "answered about another person" in shown_after(client, sign_in_at(client, server))
