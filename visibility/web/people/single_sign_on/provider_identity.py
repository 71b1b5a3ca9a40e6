"""What an identity provider says about the person who signs in, read from its claims."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from visibility.models import IdentityProvider

MAX_NAME_LENGTH, MAX_EMAIL_LENGTH = 150, 254
TRUE_TEXTS = frozenset({"true", "1"})


@dataclass(frozen=True, slots=True)
class ProviderIdentity:
    """A person as the identity provider knows them. `claims`: as they arrived."""

    issuer: str
    subject: str
    email: str
    email_is_verified: bool
    first_name: str
    last_name: str
    groups: tuple[str, ...]
    used_second_factor: bool
    claims: Mapping[str, Any]


def needs_userinfo(provider: IdentityProvider, token_claims: Mapping[str, Any]) -> bool:
    """Whether the ID token lacks the email address, or groups that a role depends on."""
    lacks_groups = provider.group_roles and provider.groups_claim not in token_claims
    return "email" not in token_claims or bool(lacks_groups)


def build_identity(
    provider: IdentityProvider, token_claims: Mapping[str, Any], userinfo: Mapping[str, Any]
) -> ProviderIdentity:
    """Combine the claims of the ID token, which win, and those of the userinfo endpoint.

    An address and whether it is verified are always of the same source. What proves a second
    factor is read from the signed token only.
    """
    claims = {**userinfo, **token_claims}
    email_source = token_claims if "email" in token_claims else userinfo
    email = claim_text(email_source.get("email"), MAX_EMAIL_LENGTH)
    first, _, last = claim_text(claims.get("name"), 2 * MAX_NAME_LENGTH).partition(" ")
    return ProviderIdentity(
        issuer=provider.issuer,
        subject=str(token_claims["sub"]),
        email=email,
        email_is_verified=bool(email) and _is_verified(email_source),
        first_name=claim_text(claims.get("given_name"), MAX_NAME_LENGTH) or first[:MAX_NAME_LENGTH],
        last_name=claim_text(claims.get("family_name"), MAX_NAME_LENGTH) or last[:MAX_NAME_LENGTH],
        groups=claim_texts(claims.get(provider.groups_claim)),
        used_second_factor=_used_second_factor(provider, token_claims),
        claims=claims,
    )


def _is_verified(claims: Mapping[str, Any]) -> bool:
    """`email_verified`; in tokens of Microsoft Entra ID, which has none, `xms_edov`.

    https://learn.microsoft.com/en-us/entra/identity-platform/optional-claims-reference
    """
    verified = claims.get("email_verified", claims.get("xms_edov", False))
    return verified is True or str(verified).lower() in TRUE_TEXTS


def _used_second_factor(provider: IdentityProvider, token_claims: Mapping[str, Any]) -> bool:
    """`amr` with "mfa" (RFC 8176), or the `acr` that the administrator entered."""
    if "mfa" in claim_texts(token_claims.get("amr")):
        return True
    return bool(provider.second_factor_acr) and (
        token_claims.get("acr") == provider.second_factor_acr
    )


def claim_text(raw: object, length: int) -> str:
    """A claim as text; "" if it is no text, too long or not printable."""
    text = raw.strip() if isinstance(raw, str) else ""
    return text if text.isprintable() and len(text) <= length else ""


def claim_texts(raw: object) -> tuple[str, ...]:
    """The texts of a claim with one or several values."""
    if isinstance(raw, str):
        return (raw,)
    return tuple(entry for entry in raw if isinstance(entry, str)) if isinstance(raw, list) else ()
