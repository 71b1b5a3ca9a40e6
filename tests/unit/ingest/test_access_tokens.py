"""Access tokens between polls: used until they expire, and no longer."""

import json

import pytest

from connectors.sdk.authorized_requests import AuthorizedRequests
from connectors.sdk.oauth_authorization import OAuth2Authorization, RefreshToken
from connectors.sdk.webhook_and_poll_types import HttpRequest, HttpResponse
from visibility.ingest import access_tokens
from visibility.ingest.access_tokens import AccessTokens

TOKEN_URL = "https://a.test/token"


class TokenIssuer:
    """Issues numbered tokens, and accepts only the latest one."""

    def __init__(self, expires_in: object = 3600) -> None:
        self.expires_in = expires_in
        self.issued = 0
        self.forms: list[str] = []

    def send(self, request: HttpRequest) -> HttpResponse:
        if request.url == TOKEN_URL:
            self.issued += 1
            self.forms.append(request.body.decode())
            token = {"access_token": f"t{self.issued}", "refresh_token": f"r{self.issued}"}
            body = json.dumps({**token, "expires_in": self.expires_in}).encode()
            return HttpResponse(200, {}, body)
        is_accepted = request.headers["authorization"] == f"Bearer t{self.issued}"
        return HttpResponse(200 if is_accepted else 401, {}, b"{}")


class SettableClock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def poll(system: TokenIssuer, tokens: AccessTokens, credential: str = "s") -> int:
    """Send two requests as one poll does; return how many tokens were issued by then."""
    form = {"client_id": "c", "client_secret": credential}
    requests = AuthorizedRequests(system, [OAuth2Authorization(TOKEN_URL, form, tokens=tokens)])
    for _ in range(2):
        response = requests.send_without_secret_renewal(HttpRequest("GET", "https://a.test/orders"))
        assert response.status == 200
    return system.issued


def test_a_token_is_used_by_later_polls_until_shortly_before_it_expires() -> None:
    system, clock = TokenIssuer(), SettableClock()
    tokens = AccessTokens(clock)
    assert [poll(system, tokens) for _ in range(3)] == [1, 1, 1]
    clock.now += 3600 - 61
    assert poll(system, tokens) == 1
    clock.now += 2
    assert [poll(system, tokens) for _ in range(2)] == [2, 2]


@pytest.mark.parametrize("expires_in", [None, "soon", 0, 59, -5, "nan", "inf", {}, []])
def test_a_token_without_a_usable_lifetime_is_not_held(expires_in: object) -> None:
    system, tokens = TokenIssuer(expires_in), AccessTokens(SettableClock())
    assert [poll(system, tokens) for _ in range(2)] == [1, 2]


def test_a_token_is_held_for_a_day_at_most() -> None:
    system, clock = TokenIssuer(10**9), SettableClock()
    tokens = AccessTokens(clock)
    poll(system, tokens)
    clock.now += 86_400
    assert poll(system, tokens) == 2


def test_a_refused_token_is_fetched_again_for_this_and_later_polls() -> None:
    system, tokens = TokenIssuer(), AccessTokens(SettableClock())
    poll(system, tokens)
    system.issued += 1  # the system revokes the first token
    assert poll(system, tokens) == 3
    assert poll(system, tokens) == 3


def test_other_credentials_never_get_the_token() -> None:
    system, tokens = TokenIssuer(), AccessTokens(SettableClock())
    poll(system, tokens)
    assert poll(system, tokens, credential="other") == 2
    assert "t1" not in repr(tokens)


def test_a_replaced_refresh_token_finds_its_access_token() -> None:
    system, tokens = TokenIssuer(), AccessTokens(SettableClock())

    def poll_with(refresh_token: str) -> list[str]:
        authorization = OAuth2Authorization(
            TOKEN_URL, {}, RefreshToken("refresh_token", refresh_token), tokens=tokens
        )
        authorization.fetch_token_if_missing(system)
        return [renewed.new for renewed in authorization.take_renewed_secrets()]

    assert poll_with("r0") == ["r1"]
    assert poll_with("r1") == []
    assert system.issued == 1
    assert poll_with("entered by a person") == ["r2"]


def test_the_oldest_token_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_tokens, "MAX_TOKENS", 2)
    tokens = AccessTokens(SettableClock())
    for key in "abac":
        tokens.store(key, key, 60)
    assert [tokens.token(key) for key in "abc"] == ["a", "", "c"]
