"""What a checked assertion says about the person who signs in."""

from collections.abc import Mapping
from typing import Any

from visibility.models import SamlProvider
from visibility.web.people.saml.response_structure import refuse_answer
from visibility.web.people.single_sign_on.id_token import MAX_SUBJECT_LENGTH
from visibility.web.people.single_sign_on.provider_identity import (
    MAX_EMAIL_LENGTH,
    MAX_NAME_LENGTH,
    ProviderIdentity,
    claim_text,
)
from visibility.web.people.single_sign_on.refusals import Reason

TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
EMAIL_ADDRESS = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
# https://refeds.org/profile/mfa
REFEDS_SECOND_FACTOR = "https://refeds.org/profile/mfa"


def build_saml_identity(row: SamlProvider, response: Any) -> ProviderIdentity:
    """The person of a valid response of python3-saml. Raises SignInRefused and its errors."""
    name = response.get_nameid_data()
    subject, kind = str(name.get("Value") or "").strip(), name.get("Format", "")
    if kind == TRANSIENT:
        text = "the NameID is new at each sign-in; choose the persistent format at the provider"
        raise refuse_answer(Reason.SUBJECT, text)
    if not 0 < len(subject) <= MAX_SUBJECT_LENGTH or not subject.isprintable():
        raise refuse_answer(Reason.SUBJECT, "it names no person")
    attributes = {
        key: [text for text in texts if isinstance(text, str)]
        for key, texts in response.get_attributes().items()
    }
    contexts = [text for text in response.get_authn_contexts() if text]
    email = _email(row, attributes, subject if kind == EMAIL_ADDRESS else "")
    full_name = _first(attributes, row.name_attribute)
    first, _, last = claim_text(full_name, 2 * MAX_NAME_LENGTH).partition(" ")
    return ProviderIdentity(
        issuer=row.issuer,
        subject=subject,
        email=email,
        email_is_verified=bool(email) and row.trusts_email_addresses,
        first_name=first[:MAX_NAME_LENGTH],
        last_name=last[:MAX_NAME_LENGTH],
        groups=tuple(attributes.get(row.groups_attribute, ())),
        used_second_factor=_used_second_factor(row, contexts),
        claims={
            "NameID": subject,
            "NameID format": kind,
            "AuthnContextClassRef": contexts,
            **attributes,
        },
    )


def _email(row: SamlProvider, attributes: Mapping[str, list[str]], subject: str) -> str:
    text = _first(attributes, row.email_attribute) if row.email_attribute else subject
    return claim_text(text, MAX_EMAIL_LENGTH)


def _used_second_factor(row: SamlProvider, contexts: list[str]) -> bool:
    accepted = {REFEDS_SECOND_FACTOR, row.second_factor_context} - {""}
    return any(context in accepted for context in contexts)


def _first(attributes: Mapping[str, list[str]], name: str) -> str:
    return next(iter(attributes.get(name, ())), "")
