"""Standard Webhooks signatures of `id.timestamp.body`: HMAC-SHA256 (v1) or Ed25519 (v1a)."""

import base64
import binascii
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from cryptography import exceptions
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from connectors.sdk.auth import (
    InvalidSignature,
    MalformedSignatureHeader,
    bearer_token,
    check_timestamp,
    check_token_matches_a_secret,
    hmac_sha256,
)
from connectors.sdk.payload import PayloadError
from connectors.sdk.timestamps import from_unix_seconds

HEADERS = frozenset({"webhook-id", "webhook-timestamp", "webhook-signature"})
# Svix, the origin of the scheme, uses its own header names.
SVIX_HEADERS = frozenset({"svix-id", "svix-timestamp", "svix-signature"})
# Without the dot: `id.timestamp.body` must have one reading.
ID_PATTERN = re.compile(r"[!-\-/-~]{1,200}")
# A sender that rotates its keys sends two or three.
MAX_SIGNATURES = 8
SECONDS_PATTERN = re.compile(r"[0-9]{1,12}")


def webhook_or_svix_header(headers: Mapping[str, str], name: str) -> str:
    """Return the `webhook-<name>` header, else `svix-<name>`, else ""."""
    return headers.get(f"webhook-{name}") or headers.get(f"svix-{name}", "")


def verify_token_or_signature(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[bytes], now: datetime
) -> None:
    """Check a bearer token, or a signature if there is none.

    Raises InvalidSignature or MalformedSignatureHeader.
    """
    token = bearer_token(headers)
    if token:
        check_token_matches_a_secret(token, secrets)
    else:
        verify_signature(headers, body, secrets, now)


def verify_signature(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[bytes], now: datetime
) -> None:
    """Check that a signature matches a secret.

    Raises InvalidSignature or MalformedSignatureHeader.
    """
    message_id, timestamp = (
        webhook_or_svix_header(headers, "id"),
        webhook_or_svix_header(headers, "timestamp"),
    )
    signatures = webhook_or_svix_header(headers, "signature")
    if not (message_id and timestamp and signatures):
        raise InvalidSignature("webhook-id, webhook-timestamp or webhook-signature is missing")
    if not ID_PATTERN.fullmatch(message_id):
        raise MalformedSignatureHeader("webhook-id contains invalid characters")
    if not SECONDS_PATTERN.fullmatch(timestamp):
        raise MalformedSignatureHeader("webhook-timestamp is not a number of seconds")
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    candidates = [_parse_signature(entry) for entry in signatures.split()[:MAX_SIGNATURES]]
    matches = [
        _signature_matches(secret, version, signature, signed)
        for secret in secrets
        for version, signature in candidates
    ]
    if not any(matches):
        raise InvalidSignature("the signature does not match any secret of this source")
    try:
        check_timestamp(from_unix_seconds(int(timestamp), "webhook-timestamp").time, now)
    except PayloadError:
        raise InvalidSignature("the timestamp is more than five minutes from now") from None


def build_signature_headers(
    body: bytes, secret: bytes, now: datetime, message_id: str
) -> Mapping[str, str]:
    """Return the three headers with an HMAC signature."""
    timestamp = str(int(now.timestamp()))
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    digest = base64.b64encode(hmac_sha256(_decode_secret(secret), signed)).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{digest}",
    }


def _parse_signature(entry: str) -> tuple[str, bytes]:
    version, _, text = entry.partition(",")
    try:
        return version, base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return "", b""


def _signature_matches(secret: bytes, version: str, given: bytes, signed: bytes) -> bool:
    if version == "v1a" and secret.startswith(b"whpk_"):
        try:
            key = Ed25519PublicKey.from_public_bytes(_decode_unpadded_base64(secret[5:]))
            key.verify(given, signed)
        except (ValueError, exceptions.InvalidSignature):
            return False
        return True
    expected = hmac_sha256(_decode_secret(secret), signed)
    return (
        hmac.compare_digest(given, expected) and version == "v1" and not secret.startswith(b"whpk_")
    )


def _decode_secret(secret: bytes) -> bytes:
    """Decode a `whsec_` secret. Any other secret is used unchanged."""
    if not secret.startswith(b"whsec_"):
        return secret
    try:
        return _decode_unpadded_base64(secret[6:])
    except ValueError:
        return secret


def _decode_unpadded_base64(text: bytes) -> bytes:
    return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
