"""Results of tests: stored in the session of the administrator, and shown on the page."""

import time
from dataclasses import asdict
from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest

from visibility.models import IdentityProvider, SignInProvider
from visibility.web.people.single_sign_on.check_identity_provider import (
    ProviderCheck,
    value_as_text,
)
from visibility.web.people.single_sign_on.links import is_link_possible
from visibility.web.people.single_sign_on.match_person import match_person
from visibility.web.people.single_sign_on.provider_identity import ProviderIdentity
from visibility.web.people.single_sign_on.refusals import SignInRefused
from visibility.web.permission_labels import ROLE_TITLES
from visibility.web.permissions import roles

RESULT, CHECK = "single_sign_on_test", "single_sign_on_check"  # in the session
RESULT_SECONDS = 900
MAX_CLAIMS = 60


def store_test_result(
    request: HttpRequest, row: SignInProvider, identity: ProviderIdentity | None, problem: str
) -> None:
    """Store what a tested sign-in would do in the session of the administrator."""
    request.session[_key(RESULT, row)] = {
        "at": time.time(),
        "version": row.version,
        "problem": problem,
        **(_describe(request, row, identity) if identity else {}),
    }


def load_test_result(request: HttpRequest, row: SignInProvider) -> dict[str, Any] | None:
    """The result of the last quarter of an hour, if the settings are still the same."""
    return _load(request, row, RESULT)


def store_check(request: HttpRequest, row: SignInProvider, check: ProviderCheck) -> None:
    """Store what a check of the addresses and keys read, for the page that shows it."""
    request.session[CHECK] = {"at": time.time(), "version": row.version, **asdict(check)}


def load_check(request: HttpRequest, row: SignInProvider) -> dict[str, Any] | None:
    """The check of the last quarter of an hour, if the settings are still the same."""
    return _load(request, row, CHECK)


def _key(name: str, row: SignInProvider) -> str:
    return name if isinstance(row, IdentityProvider) else f"saml_{name}"


def _load(request: HttpRequest, row: SignInProvider, key: str) -> dict[str, Any] | None:
    stored: dict[str, Any] | None = request.session.get(_key(key, row))
    if not stored or stored["version"] != row.version:
        return None
    return stored if time.time() - stored["at"] < RESULT_SECONDS else None


def _describe(
    request: HttpRequest, row: SignInProvider, identity: ProviderIdentity
) -> dict[str, Any]:
    refusal, person, role, is_linked = "", "", "", False
    try:
        matched = match_person(row, identity)
        is_linked = matched.is_linked
        person = _name(matched.user) if matched.user else "a new account"
        granted = [matched.role] if matched.role else sorted(roles(matched.user or User()))
        role = ", ".join(ROLE_TITLES[name] for name in granted)
    except SignInRefused as error:
        refusal = error.sentence
    tester = request.user
    return {
        "refusal": refusal,
        "person": person,
        "is_linked": is_linked,
        "role": role,
        "email": identity.email,
        "email_is_verified": identity.email_is_verified,
        "groups": list(identity.groups)[:MAX_CLAIMS],
        "used_second_factor": identity.used_second_factor,
        "subject": identity.subject,
        "issuer": identity.issuer,
        "can_link": isinstance(tester, User) and is_link_possible(tester, identity),
        "claims": [
            [name[:100], value_as_text(value)]
            for name, value in sorted(identity.claims.items())[:MAX_CLAIMS]
        ],
    }


def _name(user: User) -> str:
    return f"{user.get_full_name()} ({user.get_username()})".strip()
