"""The steps of a sign-in at the identity provider: go there, and come back with a code."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
from allauth.account.internal.flows.login import perform_login, record_authentication
from allauth.account.models import Login
from allauth.socialaccount.internal import statekit
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse

from visibility.db.release_connection import close_connection_outside_transaction
from visibility.models import IdentityProvider, SignInProvider
from visibility.web.people.allauth_adapters import SINGLE_SIGN_ON
from visibility.web.people.second_factor import ACCEPTED_FROM_PROVIDER
from visibility.web.people.single_sign_on.allauth_provider import (
    CheckedOAuth2Adapter,
    CheckedProvider,
)
from visibility.web.people.single_sign_on.provider_identity import (
    ProviderIdentity,
    build_identity,
)
from visibility.web.people.single_sign_on.refusals import Reason, SignInRefused

MAX_PROVIDER_TEXT = 300
NOT_FROM_HERE = (
    "This sign-in did not begin in this browser, or began more than 10 minutes ago. Try again."
)


@dataclass(frozen=True, slots=True)
class ReturnedPerson:
    """Who came back from the provider. `state`: what was stored when they left."""

    identity: ProviderIdentity
    state: Mapping[str, Any]


def address_at_provider(
    request: HttpRequest, row: IdentityProvider, *, next_url: str = "", tester: int | None = None
) -> str:
    """Where the browser goes to sign in. Raises SignInRefused."""
    provider = CheckedProvider(request, row)
    close_connection_outside_transaction()  # others can use it while the provider answers
    return provider.redirect_to_provider(request, next_url=next_url, tester=tester)


def take_state(request: HttpRequest, row: IdentityProvider) -> dict[str, Any]:
    """What was stored in the session when the browser left; it is valid once.

    Raises SignInRefused if this browser did not leave for the provider.
    """
    state: dict[str, Any] | None = statekit.unstash_state(
        request, provider_id=row.issuer, state_id=request.GET.get("state", "")
    )
    if state is None:
        raise SignInRefused(Reason.STATE, NOT_FROM_HERE)
    return state


def read_returned_person(
    request: HttpRequest, row: IdentityProvider, state: Mapping[str, Any]
) -> ReturnedPerson:
    """Exchange the code for tokens, and check them. Raises SignInRefused."""
    _check_answer(request, row)
    adapter = CheckedOAuth2Adapter(request, CheckedProvider(request, row))
    close_connection_outside_transaction()
    tokens = _exchange_code(request, adapter, state)
    token_claims, userinfo = adapter.read_claims(tokens, nonce=str(state["nonce"]))
    return ReturnedPerson(build_identity(row, token_claims, userinfo), state)


def finish_sign_in(
    request: HttpRequest,
    row: SignInProvider,
    user: User,
    identity: ProviderIdentity,
    next_url: str | None,
) -> HttpResponse:
    """Sign the person in; allauth asks for the second factor, and redirects."""
    if row.accepts_second_factor and identity.used_second_factor:
        request.META[ACCEPTED_FROM_PROVIDER] = True
    record_authentication(
        request, user, SINGLE_SIGN_ON, provider=identity.issuer, uid=identity.subject
    )
    login = Login(user=user, redirect_url=next_url or None)
    response: HttpResponse = perform_login(request, login)
    return response


def _check_answer(request: HttpRequest, row: IdentityProvider) -> None:
    """Raises SignInRefused with the error that the provider sent instead of a code."""
    if "error" in request.GET:
        code, text = (request.GET.get(name, "") for name in ("error", "error_description"))
        if code == "access_denied" and not text:
            text = "the sign-in was cancelled"
        raise SignInRefused(
            Reason.PROVIDER_REFUSED,
            f"{row.name} refused the sign-in: {printable_line(code, text)}.",
        )
    if not request.GET.get("code"):
        raise SignInRefused(Reason.PROVIDER_REFUSED, f"{row.name} sent no code. Try again.")


def _exchange_code(
    request: HttpRequest, adapter: CheckedOAuth2Adapter, state: Mapping[str, Any]
) -> dict[str, Any]:
    app = adapter.get_provider().app
    try:
        client = adapter.get_client(request, app)
        tokens = adapter.get_access_token_data(
            request, app, client, pkce_code_verifier=state["pkce_code_verifier"]
        )
    except OAuth2Error as error:
        raise SignInRefused(
            Reason.PROVIDER_REFUSED,
            f"{app.name} did not accept the code: {_error_in_answer(str(error))}.",
        ) from error
    except (requests.RequestException, KeyError, TypeError, ValueError) as error:
        raise SignInRefused(
            Reason.PROVIDER,
            f"The tokens of {app.name} cannot be read: {printable_line(str(error))}.",
        ) from error
    if not isinstance(tokens, dict):
        raise SignInRefused(Reason.PROVIDER, f"{app.name} sent no tokens.")
    return tokens


def _error_in_answer(answer: str) -> str:
    """`error` and `error_description` of a token endpoint (RFC 6749, section 5.2)."""
    document = re.search(r"\{.*\}", answer, re.DOTALL)
    try:
        content = json.loads(document[0]) if document else {}
    except ValueError:
        content = {}
    texts = [content.get(name) for name in ("error", "error_description")]
    return (
        printable_line(*[text for text in texts if isinstance(text, str)]) or "it gives no reason"
    )


def printable_line(*texts: str) -> str:
    """The texts on one line, printable and not long. Templates escape it."""
    joined = ": ".join(text for text in texts if text)
    printable = "".join(sign if sign.isprintable() else " " for sign in joined)
    return " ".join(printable.split())[:MAX_PROVIDER_TEXT].rstrip(". ")
