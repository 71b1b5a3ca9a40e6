"""django-allauth's OpenID Connect provider with our settings, our checks and the guarded client."""

import secrets
from typing import Any

import requests
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter, get_adapter
from allauth.socialaccount.models import SocialApp, SocialLogin
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from visibility.db.encrypt_texts import UnreadableCiphertext
from visibility.models import IdentityProvider
from visibility.outbound.requests_session import build_guarded_session
from visibility.web.people.single_sign_on.change_identity_provider import client_secret_of
from visibility.web.people.single_sign_on.discovery import (
    read_discovery,
    read_json,
    read_signing_keys,
)
from visibility.web.people.single_sign_on.id_token import read_id_token
from visibility.web.people.single_sign_on.provider_identity import needs_userinfo
from visibility.web.people.single_sign_on.refusals import Reason, SignInRefused

CALLBACK_PATH = "/signin/single-sign-on/callback"
# All requests of one step of a sign-in.
REQUEST_SECONDS, MAX_REQUESTS = 20.0, 5


def redirect_address() -> str:
    """The address that administrators register at the identity provider."""
    return settings.PUBLIC_URL.rstrip("/") + CALLBACK_PATH


class ProviderAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]  # allauth has no types
    """allauth asks it for the provider, and for the session of every request to it."""

    def get_requests_session(self) -> requests.Session:
        return build_guarded_session(seconds=REQUEST_SECONDS, requests_at_most=MAX_REQUESTS)

    def list_apps(
        self, request: HttpRequest, provider: str | None = None, client_id: str | None = None
    ) -> list[SocialApp]:
        """No rows of allauth's own table, whose secrets are not encrypted, are used."""
        return []

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return False


class CheckedProvider(OpenIDConnectProvider):  # type: ignore[misc]  # allauth has no types
    """Scopes and parameters come from our settings alone, never from the request."""

    def __init__(self, request: HttpRequest, row: IdentityProvider) -> None:
        app = SocialApp(
            provider="openid_connect",
            provider_id=row.issuer,
            name=row.name,
            client_id=row.client_id,
            secret=_readable_secret(row),
            settings={"server_url": row.issuer, "oauth_pkce_enabled": True},
        )
        super().__init__(request, app=app)
        self.row = row

    def get_oauth2_adapter(self, request: HttpRequest) -> "CheckedOAuth2Adapter":
        return CheckedOAuth2Adapter(request, self)

    def redirect_to_provider(
        self, request: HttpRequest, *, next_url: str, tester: int | None
    ) -> str:
        """The address at the provider, with state, nonce and PKCE. Raises SignInRefused.

        `tester`: the administrator who tests the sign-in.
        """
        nonce = secrets.token_urlsafe(24)
        parameters = {"nonce": nonce}
        if self.row.second_factor_acr and self.row.accepts_second_factor:
            parameters["acr_values"] = self.row.second_factor_acr
        response: HttpResponse = self.redirect(
            request,
            process="login",
            next_url=next_url or None,
            auth_params=parameters,
            scope=self.row.scopes.split(),
            nonce=nonce,
            tester=tester,
        )
        return response["Location"]


def _readable_secret(row: IdentityProvider) -> str:
    try:
        return client_secret_of(row)
    except UnreadableCiphertext:
        raise SignInRefused(
            Reason.PROVIDER,
            "The client secret cannot be read, because SECRET_KEY was replaced. "
            "An administrator must enter it again.",
        ) from None


class CheckedOAuth2Adapter(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]  # no types
    """Reads the discovery document, tokens and userinfo, and refuses what is not valid."""

    def __init__(self, request: HttpRequest, provider: CheckedProvider) -> None:
        super().__init__(request, provider.sub_id)
        self._provider = provider

    def get_provider(self) -> CheckedProvider:
        return self._provider

    @property
    def openid_config(self) -> dict[str, Any]:
        """The discovery document, read once. Raises SignInRefused."""
        if not hasattr(self, "_openid_config"):
            with get_adapter().get_requests_session() as session:
                self._openid_config = read_discovery(session, self._provider.row.issuer)
        return self._openid_config

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        return redirect_address()

    def read_claims(
        self, tokens: dict[str, Any], *, nonce: str
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The claims of the ID token, and of the userinfo endpoint. Raises SignInRefused."""
        document, row = self.openid_config, self._provider.row
        with get_adapter().get_requests_session() as session:
            claims = read_id_token(
                tokens.get("id_token"),
                keys=read_signing_keys(session, document["jwks_uri"]),
                issuer=document["issuer"],
                client_id=row.client_id,
                nonce=nonce,
            )
            if not needs_userinfo(row, claims) or "userinfo_endpoint" not in document:
                return claims, {}
            headers = {"Authorization": f"Bearer {tokens['access_token']}"}
            title = "the information about the person"
            userinfo = read_json(session, document["userinfo_endpoint"], title, headers)
        if userinfo.get("sub") != claims["sub"]:
            raise SignInRefused(
                Reason.SUBJECT, "The userinfo endpoint answered about another person."
            )
        return claims, userinfo
