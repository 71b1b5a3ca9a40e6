"""Standard Webhooks signatures: `id.timestamp.body` by HMAC-SHA256 (v1) or Ed25519 (v1a)."""

import base64
import binascii
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from connectors.sdk.auth import Malformed, Unauthentic, check_fresh, hmac_sha256
from connectors.sdk.payload import PayloadError
from connectors.sdk.timestamps import epoch

HEADERS = frozenset({"webhook-id", "webhook-timestamp", "webhook-signature"})
# Svix, where the scheme comes from, signs the same way under its own names.
SVIX = frozenset({"svix-id", "svix-timestamp", "svix-signature"})
ID = re.compile(r"[!-~]{1,200}")
SECONDS = re.compile(r"[0-9]{1,12}")


def header(headers: Mapping[str, str], name: str) -> str:
    """`webhook-<name>` or its Svix twin; empty where there is none."""
    return headers.get(f"webhook-{name}") or headers.get(f"svix-{name}", "")


def check(headers: Mapping[str, str], body: bytes, secrets: Sequence[bytes], now: datetime) -> None:
    """Any one signature of the list by any one secret will do. Raises Unauthentic or Malformed."""
    identity, stamp = header(headers, "id"), header(headers, "timestamp")
    signatures = header(headers, "signature")
    if not (identity and stamp and signatures):
        raise Unauthentic("one of webhook-id, webhook-timestamp, webhook-signature is missing")
    if not ID.fullmatch(identity):
        raise Malformed("webhook-id is not an id")
    if not SECONDS.fullmatch(stamp):
        raise Malformed("webhook-timestamp is not a number of seconds")
    signed = b".".join((identity.encode(), stamp.encode(), body))
    given = [_pair(word) for word in signatures.split()[:20]]
    matches = [
        _matches(secret, version, raw, signed) for secret in secrets for version, raw in given
    ]
    if not any(matches):
        raise Unauthentic("no secret of this source made the signature")
    try:
        check_fresh(epoch(int(stamp), "webhook-timestamp").at, now)
    except PayloadError:
        raise Unauthentic("the timestamp is more than five minutes off") from None


def sign(body: bytes, secret: bytes, now: datetime, identity: str) -> Mapping[str, str]:
    """The three headers, signed by HMAC."""
    stamp = str(int(now.timestamp()))
    signed = b".".join((identity.encode(), stamp.encode(), body))
    digest = base64.b64encode(hmac_sha256(_key(secret), signed)).decode()
    return {
        "webhook-id": identity,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{digest}",
    }


def _pair(word: str) -> tuple[str, bytes]:
    version, _, text = word.partition(",")
    try:
        return version, base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return "", b""


def _matches(secret: bytes, version: str, given: bytes, signed: bytes) -> bool:
    if version == "v1a" and secret.startswith(b"whpk_"):
        try:
            key = Ed25519PublicKey.from_public_bytes(_decoded(secret[5:]))
            key.verify(given, signed)
        except (ValueError, InvalidSignature):
            return False
        return True
    made = hmac_sha256(_key(secret), signed)
    return hmac.compare_digest(given, made) and version == "v1" and not secret.startswith(b"whpk_")


def _key(secret: bytes) -> bytes:
    """The bytes of a `whsec_` secret; any other secret is taken as it is."""
    if not secret.startswith(b"whsec_"):
        return secret
    try:
        return _decoded(secret[6:])
    except ValueError:
        return secret


def _decoded(text: bytes) -> bytes:
    return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
