"""Check an ID token as OpenID Connect Core 1.0, section 3.1.3.7 says, always with its signature."""

import hmac
from collections.abc import Sequence
from typing import Any

import jwt

from visibility.web.people.single_sign_on.discovery import SigningKey
from visibility.web.people.single_sign_on.refusals import Reason, SignInRefused

# Signatures with a private key only: neither "none" nor HMAC, whose key both sides know.
ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
REQUIRED_CLAIMS = ("exp", "iat", "aud", "iss", "sub")
CLOCK_DIFFERENCE = 60  # seconds
# allauth's column. The standard allows 255; known providers have at most 50.
MAX_SUBJECT_LENGTH = 191
# The first that matches.
PROBLEMS: tuple[tuple[type[jwt.PyJWTError], Reason, str], ...] = (
    (jwt.ExpiredSignatureError, Reason.EXPIRED, "it has expired; compare the clocks"),
    (jwt.InvalidAudienceError, Reason.AUDIENCE, "it is for another client"),
    (jwt.InvalidIssuerError, Reason.ISSUER, "it is of another issuer"),
    (jwt.InvalidSignatureError, Reason.SIGNATURE, "its signature is wrong"),
    (jwt.InvalidAlgorithmError, Reason.SIGNATURE, "its signature has a forbidden algorithm"),
    (jwt.InvalidKeyError, Reason.SIGNATURE, "its signature has another kind of key"),
    (jwt.PyJWTError, Reason.TOKEN, "it is incomplete or damaged"),
)


def read_id_token(
    token: object, *, keys: Sequence[SigningKey], issuer: str, client_id: str, nonce: str
) -> dict[str, Any]:
    """The claims of a valid token for this client and this sign-in. Raises SignInRefused."""
    if not isinstance(token, str):
        raise _refused(Reason.TOKEN, "it is missing; the scopes must contain openid")
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key=_key_of(token, keys),
            algorithms=list(ALGORITHMS),
            audience=client_id,
            issuer=issuer,
            leeway=CLOCK_DIFFERENCE,
            options={"require": list(REQUIRED_CLAIMS)},
        )
    except jwt.PyJWTError as error:
        matching = (problem for problem in PROBLEMS if isinstance(error, problem[0]))
        _, reason, text = next(matching)
        raise _refused(reason, text) from error
    if claims.get("azp", client_id) != client_id:
        raise _refused(Reason.AUDIENCE, "it is for another client")
    if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
        raise _refused(Reason.NONCE, "it belongs to another sign-in")
    if not 0 < len(claims["sub"]) <= MAX_SUBJECT_LENGTH:
        raise _refused(Reason.SUBJECT, "it names no person")
    return claims


def _key_of(token: str, keys: Sequence[SigningKey]) -> Any:
    """The key that the header names; without a name, the only key."""
    name = jwt.get_unverified_header(token).get("kid", "")
    named = [key for key in keys if key.name == name]
    if not named and not name and len(keys) == 1:
        named = list(keys)
    if not named:
        raise _refused(Reason.SIGNATURE, "it is signed with a key that the provider does not list")
    return named[0].public_key


def _refused(reason: Reason, text: str) -> SignInRefused:
    return SignInRefused(reason, f"The ID token is not valid: {text}.")
