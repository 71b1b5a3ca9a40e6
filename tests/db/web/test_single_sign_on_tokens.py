"""What an identity provider sends is checked: state, code, ID token, addresses and errors."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from django.test import Client
from pytest_django.fixtures import Settings

from tests.builders.identity_provider import (
    CLIENT_ID,
    KEY_NAME,
    Claims,
    LocalIdentityProvider,
)
from tests.builders.single_sign_on import (
    CALLBACK,
    START,
    come_back,
    leave,
    running_provider,
    shown_after,
    sign_in_at,
    store_provider,
)
from tests.builders.users import create_user
from visibility.models import AuditEntry
from visibility.web.pages import single_sign_on_sign_in
from visibility.web.permissions import UserRole
from visibility.web.request_limit import RequestLimit

pytestmark = pytest.mark.django_db
CREDENTIALS = "http://169.254.169.254/latest/meta-data"


@pytest.fixture
def server(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalIdentityProvider]:
    with running_provider(settings, monkeypatch, LocalIdentityProvider) as running:
        create_user(UserRole.OPERATIONS, "grace", email="grace@example.com")
        store_provider(running)
        yield running


def assert_refused(client: Client, answer: Any, sentence: str, reason: str) -> None:
    assert sentence in shown_after(client, answer)
    assert "_auth_user_id" not in client.session
    assert AuditEntry.objects.latest("pk").detail["reason"] == reason


def without(name: str) -> Callable[[Claims], Claims]:
    return lambda claims: {key: value for key, value in claims.items() if key != name}


def with_claims(**changed: Any) -> Callable[[Claims], Claims]:
    return lambda claims: {**claims, **changed}


@pytest.mark.parametrize(
    ("change", "sentence", "reason"),
    [
        (with_claims(nonce="another"), "it belongs to another sign-in", "nonce"),
        (without("nonce"), "it belongs to another sign-in", "nonce"),
        (with_claims(aud="another-client"), "it is for another client", "audience"),
        (with_claims(aud=[CLIENT_ID, "x"], azp="x"), "it is for another client", "audience"),
        (with_claims(iss="https://evil.example.com"), "it is of another issuer", "issuer"),
        (with_claims(exp=1_700_000_000), "it has expired", "expired"),
        (without("exp"), "it is incomplete or damaged", "token"),
        (with_claims(sub=""), "it names no person", "subject"),
        (with_claims(sub="x" * 192), "it names no person", "subject"),
    ],
)
def test_invalid_claims_are_refused(
    client: Client,
    server: LocalIdentityProvider,
    change: Callable[[Claims], Claims],
    sentence: str,
    reason: str,
) -> None:
    server.change_token = change
    assert_refused(client, sign_in_at(client, server), sentence, reason)
    server.change_token = lambda claims: claims
    sign_in_at(client, server)
    assert "_auth_user_id" in client.session


def sign_with_another_key(claims: Claims) -> str:
    other = generate_private_key(public_exponent=65537, key_size=2048)
    return jwt.encode(claims, other, algorithm="RS256", headers={"kid": KEY_NAME})


def sign_not(claims: Claims) -> str:
    return jwt.encode(claims, "", algorithm="none", headers={"kid": KEY_NAME})


def sign_with_the_secret_of_the_client(claims: Claims) -> str:
    secret = "secret-of-the-client-which-is-long-enough"
    return jwt.encode(claims, secret, algorithm="HS256", headers={"kid": KEY_NAME})


def sign_with_an_unlisted_key(claims: Claims) -> str:
    other = generate_private_key(public_exponent=65537, key_size=2048)
    return jwt.encode(claims, other, algorithm="RS256", headers={"kid": "key-2"})


@pytest.mark.parametrize(
    ("sign", "sentence", "reason"),
    [
        (sign_with_another_key, "its signature is wrong", "signature"),
        (sign_not, "its signature has a forbidden algorithm", "signature"),
        (
            sign_with_the_secret_of_the_client,
            "its signature has a forbidden algorithm",
            "signature",
        ),
        (sign_with_an_unlisted_key, "a key that the provider does not list", "signature"),
        (lambda _claims: "no.token", "it is incomplete or damaged", "token"),
    ],
)
def test_token_without_a_valid_signature_is_refused(
    client: Client,
    server: LocalIdentityProvider,
    sign: Callable[[Claims], str],
    sentence: str,
    reason: str,
) -> None:
    server.sign = sign
    assert_refused(client, sign_in_at(client, server), sentence, reason)


def test_state_is_of_this_browser_and_valid_once(
    client: Client, server: LocalIdentityProvider
) -> None:
    location = leave(client, server)
    other = Client()
    assert_refused(other, come_back(other, location), "did not begin in this browser", "state")
    wrong = location.replace("state=", "state=x")
    assert_refused(client, come_back(client, wrong), "did not begin in this browser", "state")
    come_back(client, location)
    assert "_auth_user_id" in client.session
    client.post("/signout")
    assert_refused(client, come_back(client, location), "did not begin in this browser", "state")


def test_code_of_another_browser_is_useless(client: Client, server: LocalIdentityProvider) -> None:
    """The code of an attacker with the state of the victim: PKCE stops it at the provider."""
    stolen = leave(Client(), server).partition("code=")[2]
    state = leave(client, server).partition("state=")[2].partition("&")[0]
    answer = client.get(f"{CALLBACK}?state={state}&code={stolen}")
    assert_refused(
        client, answer, "Acme did not accept the code: invalid_grant", "provider_refused"
    )


def test_error_of_the_provider_is_shown_escaped(
    client: Client, server: LocalIdentityProvider
) -> None:
    server.error = {"error": "access_denied", "error_description": "<b>No</b>\nconsent"}
    answer = sign_in_at(client, server)
    sentence = "Acme refused the sign-in: access_denied: &lt;b&gt;No&lt;/b&gt; consent."
    assert_refused(client, answer, sentence, "provider_refused")
    # Without a state of this browser, no text of a stranger is shown.
    query = urlencode({"state": "x", "error": "access_denied", "error_description": "Call 555"})
    assert "Call 555" not in shown_after(client, client.get(f"{CALLBACK}?{query}"))


def test_wrong_secret_is_explained(client: Client, server: LocalIdentityProvider) -> None:
    store_provider(server, client_secret="another")
    sentence = "Acme did not accept the code: invalid_client: Wrong secret."
    assert_refused(client, sign_in_at(client, server), sentence, "provider_refused")


@pytest.mark.parametrize("name", ["token_endpoint", "jwks_uri", "userinfo_endpoint"])
def test_addresses_of_the_provider_pass_the_guard(
    client: Client, server: LocalIdentityProvider, name: str
) -> None:
    server.change_discovery = with_claims(**{name: CREDENTIALS.replace("http", "https")})
    del server.person["email"]  # so that the userinfo endpoint is asked
    answer = sign_in_at(client, server)
    assert_refused(client, answer, "169.254.169.254 is not a public address", "provider")


def test_plain_http_address_is_refused(client: Client, server: LocalIdentityProvider) -> None:
    server.change_discovery = with_claims(token_endpoint="http://login.example.com/token")
    answer = client.post(START)
    assert_refused(client, answer, "The token_endpoint is not an https:// address", "provider")


def test_address_that_is_allowed_no_longer_is_not_called(
    client: Client, server: LocalIdentityProvider, settings: Settings
) -> None:
    settings.OUTGOING_ALLOWED = []
    assert_refused(client, client.post(START), "is not a public address", "provider")
    assert server.requests == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (with_claims(issuer="https://evil.example.com"), "is of the issuer https://evil"),
        (without("jwks_uri"), "The discovery document has no jwks_uri."),
        (lambda _document: {"issuer": 1}, "is of the issuer 1"),
    ],
)
def test_wrong_discovery_document_is_refused(
    client: Client,
    server: LocalIdentityProvider,
    change: Callable[[Claims], Claims],
    sentence: str,
) -> None:
    server.change_discovery = change
    assert_refused(client, client.post(START), sentence, "provider")


def test_one_address_cannot_send_any_number_of_requests(
    client: Client, server: LocalIdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        single_sign_on_sign_in, "requests_per_address", RequestLimit(2, clock=lambda: 0.0)
    )
    for _ in range(2):
        client.get(f"{CALLBACK}?state=x")
    assert "Too many sign-ins from your network address" in shown_after(
        client, client.get(f"{CALLBACK}?state=x")
    )
    assert "Too many sign-ins" in shown_after(client, client.post(START))
    assert server.requests == []
