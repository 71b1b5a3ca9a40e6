"""Signatures over raw bytes, compared in constant time; several secrets, so they can rotate."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta

TOLERANCE = timedelta(seconds=300)


class Unauthentic(ValueError):
    """The request is not from who it claims to be. The text is for our log, not the caller."""


class Malformed(ValueError):
    """A protocol header can't be read at all."""


def hmac_sha256(secret: bytes, body: bytes) -> bytes:
    """The raw 32 bytes."""
    return hmac.new(secret, body, hashlib.sha256).digest()


def check_base64(signature: str, secrets: Sequence[bytes], body: bytes) -> None:
    """A base64 HMAC-SHA256 of the body by any of the secrets, or Unauthentic."""
    try:
        given = base64.b64decode(signature.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise Unauthentic("the signature is not base64") from None
    check_digest(given, secrets, body)


def check_hex(signature: str, secrets: Sequence[bytes], body: bytes) -> None:
    """A hexadecimal HMAC-SHA256 of the body by any of the secrets, or Unauthentic."""
    try:
        given = bytes.fromhex(signature)
    except ValueError:
        raise Unauthentic("the signature is not hexadecimal") from None
    check_digest(given, secrets, body)


def check_digest(given: bytes, secrets: Sequence[bytes], body: bytes) -> None:
    """Compare with every secret, always all of them, so that time tells nothing."""
    matches = [hmac.compare_digest(given, hmac_sha256(secret, body)) for secret in secrets]
    if not any(matches):
        raise Unauthentic("no secret of this source made the signature")


def check_token(given: str, secrets: Sequence[bytes]) -> None:
    """A shared token, as it is."""
    matches = [hmac.compare_digest(given.encode("utf-8", "replace"), secret) for secret in secrets]
    if not any(matches):
        raise Unauthentic("the token is not one of this source")


def check_fresh(stamp: datetime, now: datetime) -> None:
    """The signed timestamp is within five minutes of now, or Unauthentic."""
    if abs(now - stamp) > TOLERANCE:
        raise Unauthentic("the timestamp is more than five minutes off")
