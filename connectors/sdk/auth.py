"""Signatures and tokens, compared in constant time. Several secrets allow rotation."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

MAX_CLOCK_SKEW = timedelta(seconds=300)


class InvalidSignature(ValueError):
    """The signature or token is missing or wrong. The text is for the log, not for the caller."""


class MalformedSignatureHeader(ValueError):
    """A signature header can't be parsed."""


def hmac_sha256(secret: bytes, body: bytes) -> bytes:
    """Return the raw 32-byte HMAC-SHA256."""
    return hmac.new(secret, body, hashlib.sha256).digest()


def check_base64_signature(signature: str, secrets: Sequence[bytes], body: bytes) -> None:
    """Check a base64 HMAC-SHA256 of the body by any secret. Raises InvalidSignature."""
    try:
        given = base64.b64decode(signature.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise InvalidSignature("the signature is not valid base64") from None
    check_hmac_digest(given, secrets, body)


def check_hex_signature(signature: str, secrets: Sequence[bytes], body: bytes) -> None:
    """Check a hexadecimal HMAC-SHA256 of the body by any secret. Raises InvalidSignature."""
    try:
        given = bytes.fromhex(signature)
    except ValueError:
        raise InvalidSignature("the signature is not valid hexadecimal") from None
    check_hmac_digest(given, secrets, body)


def check_hmac_digest(given: bytes, secrets: Sequence[bytes], body: bytes) -> None:
    """Compare with all secrets, even after a match, to keep the time constant."""
    matches = [hmac.compare_digest(given, hmac_sha256(secret, body)) for secret in secrets]
    if not any(matches):
        raise InvalidSignature("the signature does not match any secret of this source")


def check_token_matches_a_secret(given: str, secrets: Sequence[bytes]) -> None:
    """Check a shared token. Raises InvalidSignature."""
    matches = [hmac.compare_digest(given.encode("utf-8", "replace"), secret) for secret in secrets]
    if not any(matches):
        raise InvalidSignature("the token does not match any secret of this source")


def bearer_token(headers: Mapping[str, str]) -> str:
    """Return the token of `Authorization: Bearer`, "" if there is none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def build_bearer_header(secret: bytes) -> dict[str, str]:
    """Return the header that authenticates by this token."""
    return {"authorization": f"Bearer {secret.decode('utf-8', 'replace')}"}


def check_timestamp(timestamp: datetime, now: datetime) -> None:
    """Check that a signed timestamp is within five minutes of `now`. Raises InvalidSignature."""
    if abs(now - timestamp) > MAX_CLOCK_SKEW:
        raise InvalidSignature("the timestamp is more than five minutes from now")
