"""Standard Webhooks, checked against the reference library."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from connectors.sdk.auth import InvalidSignature, MalformedSignatureHeader
from connectors.sdk.webhook_and_poll_types import WebhookRequest
from connectors.systems.standard_webhooks.connector import StandardWebhooks
from tests.unit.connectors.signatures import is_accepted

NOW = datetime(2026, 3, 10, 8, 0, tzinfo=UTC)
RAW = b"0123456789abcdef01234567"
SECRET = b"whsec_" + base64.b64encode(RAW)
OTHER = b"whsec_" + base64.b64encode(b"x" * 24)
BODY = '{"type":"order.received","data":{"order":"Größe 7"}}'


def headers(*, prefix: str = "webhook", at: datetime = NOW, key: bytes = SECRET) -> dict[str, str]:
    """Sign BODY with the reference library."""
    signature = Webhook(key.decode()).sign("msg_1", at, BODY)
    stamp = str(int(at.timestamp()))
    return {f"{prefix}-id": "msg_1", f"{prefix}-timestamp": stamp, f"{prefix}-signature": signature}


def verify(given: dict[str, str], *secrets: bytes, body: bytes = BODY.encode()) -> None:
    StandardWebhooks({}).verify(WebhookRequest("POST", "/", {}, given, body), secrets, NOW)


@pytest.mark.parametrize("prefix", ["webhook", "svix"])
def test_signatures_of_the_reference_library_are_accepted(prefix: str) -> None:
    signed = WebhookRequest("POST", "/", {}, headers(prefix=prefix), BODY.encode())
    assert is_accepted(StandardWebhooks({}), signed, [SECRET], NOW)
    assert not is_accepted(StandardWebhooks({}), signed, [OTHER], NOW)


def test_the_reference_library_accepts_our_signatures() -> None:
    now = datetime.fromtimestamp(int(datetime.now(UTC).timestamp()), UTC)  # noqa: TID251 - the library asks the clock
    signed = StandardWebhooks({}).build_signed_headers(BODY.encode(), SECRET, now)
    assert Webhook(SECRET.decode()).verify(BODY, dict(signed)) == json.loads(BODY)
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER.decode()).verify(BODY, dict(signed))


def test_old_and_new_secrets_are_accepted_during_rotation() -> None:
    verify(headers(key=OTHER), SECRET, OTHER)
    both = headers()
    both["webhook-signature"] += " " + headers(key=OTHER)["webhook-signature"]
    verify(both, OTHER)
    with pytest.raises(InvalidSignature):
        verify(headers(key=OTHER), SECRET)


def test_a_plain_text_secret_is_used_unchanged() -> None:
    plain = b"a plain text secret of a sender"
    signed = StandardWebhooks({}).build_signed_headers(BODY.encode(), plain, NOW)
    verify(dict(signed), plain)
    whsec = b"whsec_" + base64.b64encode(plain)
    assert StandardWebhooks({}).build_signed_headers(BODY.encode(), whsec, NOW) == signed


def test_an_ed25519_signature_is_accepted_by_its_public_key() -> None:
    private = Ed25519PrivateKey.generate()
    public = b"whpk_" + base64.b64encode(private.public_key().public_bytes_raw())
    given = headers()
    signed = f"msg_1.{given['webhook-timestamp']}.{BODY}".encode()
    signature = base64.b64encode(private.sign(signed)).decode()
    given["webhook-signature"] = f"v1,AAAA v1a,{signature}"
    verify(given, SECRET, public)
    with pytest.raises(InvalidSignature):
        verify(given, public, body=b"{}")


def test_a_public_key_cannot_be_used_as_shared_secret() -> None:
    public = b"whpk_" + base64.b64encode(b"k" * 32)
    with pytest.raises(InvalidSignature):
        verify(
            dict(StandardWebhooks({}).build_signed_headers(BODY.encode(), public, NOW)),
            public,
        )


@pytest.mark.parametrize(
    "changes",
    [
        {"webhook-id": "msg_2"},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,größe"},
        {"webhook-signature": "none,AAAA"},
        {"webhook-signature": "v2," + "A" * 44},
        {"webhook-id": ""},
        {"webhook-timestamp": ""},
    ],
)
def test_a_wrong_or_missing_header_is_rejected(changes: dict[str, str]) -> None:
    with pytest.raises(InvalidSignature):
        verify({**headers(), **changes}, SECRET)


def test_a_changed_body_is_rejected() -> None:
    with pytest.raises(InvalidSignature):
        verify(headers(), SECRET, body=BODY.encode() + b"\n")


@pytest.mark.parametrize("off", [timedelta(minutes=10), -timedelta(minutes=10)])
def test_a_stale_or_future_timestamp_is_rejected(off: timedelta) -> None:
    with pytest.raises(InvalidSignature):
        verify(headers(at=NOW + off), SECRET)


@pytest.mark.parametrize(
    "changes",
    [
        {"webhook-timestamp": "yesterday"},
        {"webhook-timestamp": "1772000000.5"},
        {"webhook-timestamp": "\u0661\u0667\u0667"},
        {"webhook-id": "msg 1"},
        {"webhook-id": "msg.1"},
        {"webhook-id": "msg\r\n1"},
        {"webhook-id": "größe"},
    ],
)
def test_an_unparseable_header_is_malformed(changes: dict[str, str]) -> None:
    with pytest.raises(MalformedSignatureHeader):
        verify({**headers(), **changes}, SECRET)


def test_an_implausible_timestamp_is_rejected_but_not_malformed() -> None:
    given = headers()
    signed = Webhook(SECRET.decode()).sign("msg_1", datetime.fromtimestamp(0, UTC), BODY)
    with pytest.raises(InvalidSignature):
        verify({**given, "webhook-timestamp": "0", "webhook-signature": signed}, SECRET)


def test_the_webhook_id_is_the_same_on_a_retry() -> None:
    request = WebhookRequest("POST", "/", {}, headers(), b"")
    assert StandardWebhooks({}).dedupe_key(request) == "msg_1"
    assert StandardWebhooks({}).dedupe_key(WebhookRequest("POST", "/", {}, {}, b"")) == ""
