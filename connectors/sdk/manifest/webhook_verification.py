"""Verify webhooks, answer handshakes and sign examples, as a manifest declares it."""

import base64
import binascii
import hashlib
import hmac
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

from connectors.sdk import standard_webhooks
from connectors.sdk.auth import (
    InvalidSignature,
    MalformedSignatureHeader,
    check_token_matches_a_secret,
)
from connectors.sdk.manifest.webhook_rule import HandshakeRule, VerifyRule
from connectors.sdk.rsa_signatures import parse_public_keys, verify_rsa_signature
from connectors.sdk.webhook_and_poll_types import WebhookRequest, WebhookResponse

HASHES = {"sha1": hashlib.sha1, "sha256": hashlib.sha256, "sha512": hashlib.sha512}
MAX_ECHO = 4096


def verify(
    rule: VerifyRule,
    request: WebhookRequest,
    secrets: Sequence[bytes],
    now: datetime,
    public_keys: str = "",
) -> None:
    """Check that a request comes from its sender.

    `public_keys`: PEM or JWKS, for signatures by RSA. With `or_query_token`, the token counts if
    there is no signature (HMAC), or no public key that could check it (RSA). Raises
    InvalidSignature or MalformedSignatureHeader.
    """
    if rule.method == "standard_webhooks":
        standard_webhooks.verify_signature(request.headers, request.body, secrets, now)
    elif rule.method == "hmac" and (not rule.query_token or rule.header in request.headers):
        _verify_signature(rule, request, now, partial(_check_hmac, rule, secrets))
    elif rule.method == "rsa" and (not rule.query_token or public_keys):
        key_id = request.headers.get(rule.key_id_header, "")
        _verify_signature(rule, request, now, partial(_check_rsa, public_keys, key_id))
    else:
        token = _given_token(rule, request)
        if not token:
            raise InvalidSignature("the token is missing")
        check_token_matches_a_secret(token, secrets)


def _given_token(rule: VerifyRule, request: WebhookRequest) -> str:
    if rule.query_token:
        return request.query.get(rule.query_token, "")
    if rule.method == "token_header":
        return request.headers.get(rule.header, "")
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != rule.method:
        return ""
    if rule.method == "bearer":
        return token.strip()
    try:
        return base64.b64decode(token.strip().encode("ascii"), validate=True).decode()
    except (UnicodeError, binascii.Error):
        raise InvalidSignature("the credentials are not valid base64") from None


def _verify_signature(
    rule: VerifyRule,
    request: WebhookRequest,
    now: datetime,
    check: Callable[[bytes, bytes], None],
) -> None:
    """Check the signature and its time. `check` gets the signature and the signed bytes."""
    text = request.headers.get(rule.header, "")
    fields = _parse_signature_header_fields(text) if rule.signature_field else {}
    signature = fields.get(rule.signature_field, "") if rule.signature_field else text
    if not signature.startswith(rule.prefix) or not signature:
        raise InvalidSignature("the signature is missing")
    given = _decode_signature(signature.removeprefix(rule.prefix), rule.encoding)
    timestamp = (
        fields.get(rule.timestamp_field, "")
        if rule.timestamp_field
        else request.headers.get(rule.timestamp_header, "")
    )
    signed = _signed_bytes(rule, request.body, timestamp, request.headers.get(rule.id_header, ""))
    check(given, signed)
    if "timestamp" in rule.signed and abs(now - _parse_time(timestamp)) > rule.tolerance:
        raise InvalidSignature("the timestamp is too far from now")


def _check_hmac(rule: VerifyRule, secrets: Sequence[bytes], given: bytes, signed: bytes) -> None:
    matches = [
        hmac.compare_digest(given, _digest(rule, secret, signed)) for secret in secrets
    ]  # all of them, to keep the time constant
    if not any(matches):
        raise InvalidSignature("the signature does not match any secret of this source")


def _check_rsa(public_keys: str, key_id: str, given: bytes, signed: bytes) -> None:
    try:
        keys = parse_public_keys(public_keys)
    except ValueError as error:
        raise InvalidSignature(f"the public keys of this source are invalid: {error}") from None
    verify_rsa_signature(keys, key_id, given, signed)


def build_signed_headers_as_sender(
    rule: VerifyRule, body: bytes, secret: bytes, now: datetime
) -> Mapping[str, str]:
    """Return the headers that the sender sends with `body`; for examples and tests."""
    text = secret.decode("utf-8", "replace")
    timestamp, message_id = str(int(now.timestamp())), hashlib.sha256(body).hexdigest()[:24]
    if rule.method == "standard_webhooks":
        return standard_webhooks.build_signature_headers(body, secret, now, f"msg_{message_id}")
    if rule.method == "basic":
        return {"authorization": f"Basic {base64.b64encode(secret).decode()}"}
    if rule.method == "bearer":
        return {"authorization": f"Bearer {text}"}
    if rule.method == "token_header":
        return {rule.header: text}
    if rule.method in {"query_token", "rsa"}:
        return {}  # nobody but the sender has the private key
    digest = _digest(rule, secret, _signed_bytes(rule, body, timestamp, message_id))
    encoded = digest.hex() if rule.encoding == "hex" else base64.b64encode(digest).decode()
    signature = rule.prefix + encoded
    if rule.signature_field:
        fields = {rule.timestamp_field: timestamp} if rule.timestamp_field else {}
        pairs = {**fields, rule.signature_field: signature}
        signature = ",".join(f"{name}={value}" for name, value in pairs.items())
    headers = {rule.header: signature}
    if rule.timestamp_header:
        headers[rule.timestamp_header] = timestamp
    if rule.id_header:
        headers[rule.id_header] = message_id
    return headers


def answer_handshake(
    rules: Sequence[HandshakeRule], request: WebhookRequest
) -> WebhookResponse | None:
    """Return the response to a setup request, or None for an ordinary message."""
    for rule in rules:
        if not _is_handshake(rule, request):
            continue
        query, header = request.query.get(rule.query, ""), request.headers.get(rule.header, "")
        if len(query) > MAX_ECHO or len(header) > MAX_ECHO:
            return WebhookResponse(400)
        headers = {rule.header: header} if rule.echo == "header" else {}
        body = query if rule.echo == "body" else rule.body
        return WebhookResponse(rule.status, body.encode(), rule.content_type, headers)
    return None


def _is_handshake(rule: HandshakeRule, request: WebhookRequest) -> bool:
    return (
        (not rule.method or request.method == rule.method)
        and (not rule.query or bool(request.query.get(rule.query)))
        and (not rule.header or bool(request.headers.get(rule.header)))
        and request.body.startswith(rule.body_begins)
    )


def _parse_signature_header_fields(text: str) -> dict[str, str]:
    """Parse `t=1700000000,v1=abc`."""
    pairs = (piece.partition("=") for piece in text.split(","))
    return {name.strip(): value.strip() for name, _, value in pairs}


def _decode_signature(text: str, encoding: str) -> bytes:
    try:
        if encoding == "hex":
            return bytes.fromhex(text)
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, ValueError):
        raise InvalidSignature(f"the signature is not valid {encoding}") from None


def _signed_bytes(rule: VerifyRule, body: bytes, timestamp: str, message_id: str) -> bytes:
    if rule.signed == "body":
        return body
    pieces = [timestamp.encode(), body]
    return b".".join([message_id.encode(), *pieces] if rule.signed.startswith("id.") else pieces)


def _digest(rule: VerifyRule, secret: bytes, signed: bytes) -> bytes:
    return hmac.new(_secret_key(rule, secret), signed, HASHES[rule.algorithm]).digest()


def _secret_key(rule: VerifyRule, secret: bytes) -> bytes:
    """The key of a secret. A secret that cannot be decoded is used unchanged."""
    try:
        if rule.key_form == "base64":
            return base64.b64decode(secret, validate=True)
        if rule.key_form == "nfkd":
            return unicodedata.normalize("NFKD", secret.decode()).encode()
    except (UnicodeDecodeError, binascii.Error):
        return secret
    return secret


def _parse_time(text: str) -> datetime:
    """Parse a signed timestamp: Unix seconds or ISO 8601."""
    try:
        if text.isascii() and text.isdecimal():
            return datetime.fromtimestamp(int(text[:12]), UTC)
        parsed = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        raise MalformedSignatureHeader(
            "the timestamp is neither Unix seconds nor ISO 8601"
        ) from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
