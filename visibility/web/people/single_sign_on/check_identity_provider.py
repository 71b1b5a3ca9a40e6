"""Check the identity provider that is stored: read its addresses and keys."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from allauth.socialaccount.adapter import get_adapter

from visibility.models import IdentityProvider
from visibility.models.audit import append_audit_entry
from visibility.web.author import Author
from visibility.web.people.single_sign_on.change_identity_provider import OBJECT
from visibility.web.people.single_sign_on.discovery import read_discovery, read_signing_keys
from visibility.web.people.single_sign_on.refusals import SignInRefused

MAX_VALUE_LENGTH = 300


@dataclass(frozen=True, slots=True)
class ProviderFact:
    """Something that the provider publishes."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class ProviderCheck:
    """Whether the provider could be read, and what was read."""

    is_successful: bool
    detail: str
    facts: tuple[ProviderFact, ...] = ()


def check_identity_provider(row: IdentityProvider, *, by: Author) -> ProviderCheck:
    """Read the discovery document and the keys. Records the result, and an audit entry."""
    if not row.version:
        return ProviderCheck(False, "There is no identity provider yet. Save it first.")
    try:
        with get_adapter().get_requests_session() as session:
            document = read_discovery(session, row.issuer)
            keys = read_signing_keys(session, document["jwks_uri"])
        result = ProviderCheck(
            True,
            f"The addresses and keys of {row.name} can be read.",
            _facts(document, len(keys)),
        )
    except SignInRefused as error:
        result = ProviderCheck(False, error.sentence)
    IdentityProvider.objects.filter(version=row.version).update(
        tested_at=by.now if result.is_successful else None
    )
    append_audit_entry(
        "single_sign_on.tested",
        user=by.user,
        object=OBJECT,
        detail={"successful": result.is_successful},
        now=by.now,
    )
    return result


def _facts(document: Mapping[str, Any], keys: int) -> tuple[ProviderFact, ...]:
    listed = {
        "Issuer": document["issuer"],
        "Sign-in page": document["authorization_endpoint"],
        "Token endpoint": document["token_endpoint"],
        "Userinfo endpoint": document.get("userinfo_endpoint", "none"),
        "Keys for signatures": keys,
        "Scopes": document.get("scopes_supported", "not listed"),
    }
    return tuple(ProviderFact(name, value_as_text(value)) for name, value in listed.items())


def value_as_text(value: object) -> str:
    """A value of a document or a claim, not longer than a line or two."""
    if isinstance(value, list):
        value = ", ".join(str(entry) for entry in value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_VALUE_LENGTH else f"{text[:MAX_VALUE_LENGTH]}…"
