"""Verification of webhooks and handshakes, as declared in manifests."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import timedelta

import pytest

from connectors.sdk.auth import InvalidSignature, MalformedSignatureHeader
from connectors.sdk.webhook_and_poll_types import WebhookRequest
from tests.unit.connectors.sdk.manifest.samples import NOW, changed, connector

SECRET, OLD = b"the-current-secret", b"the-previous-secret"
BODY = b'{"id": 1}'
SECONDS = str(int(NOW.timestamp()))
METHODS = {
    "hex": "{hmac: sha256, header: X-Sig, prefix: 'sha256='}",
    "base64": "{hmac: sha512, encoding: base64, header: x-sig}",
    "sha1": "{hmac: sha1, header: x-sig}",
    "timestamp": "{hmac: sha256, header: x-sig, signed: timestamp.body, timestamp_header: x-at}",
    "id": "{hmac: sha256, header: x-sig, signed: id.timestamp.body, timestamp_header: x-at, "
    "id_header: x-id}",
    "fields": "{hmac: sha256, header: x-sig, signed: timestamp.body, "
    "fields: {timestamp: t, signature: v1}}",
    "nfkd": "{hmac: sha256, header: x-sig, secret: nfkd}",
    "token": "{token_header: X-Token}",
    "basic": "{basic: yes}",
    "bearer": "{bearer: yes}",
    "standard": "{standard_webhooks: yes}",
}


def request(
    headers: Mapping[str, str], body: bytes = BODY, query: Mapping[str, str] | None = None
) -> WebhookRequest:
    return WebhookRequest("POST", "/hooks/s", query or {}, headers, body)


def manifest(verify: str, more: str = "") -> str:
    return changed(("{verify: {bearer: yes}}", f"{{verify: {verify}{more}}}"))


@pytest.mark.parametrize("name", METHODS)
def test_current_and_previous_secret_are_accepted_and_others_rejected(name: str) -> None:
    system = connector(manifest(METHODS[name]))
    for secret in (SECRET, OLD):
        headers = system.build_signed_headers(BODY, secret, NOW)
        assert all(header == header.lower() for header in headers)
        system.verify(request(headers), [SECRET, OLD], NOW)
        with pytest.raises(InvalidSignature):
            system.verify(request(headers), [b"another secret"], NOW)
        with pytest.raises(InvalidSignature):
            system.verify(request(headers), [], NOW)
    with pytest.raises(InvalidSignature):
        system.verify(request({}), [SECRET], NOW)


@pytest.mark.parametrize("name", sorted(METHODS.keys() - {"token", "basic", "bearer"}))
def test_a_changed_body_is_rejected(name: str) -> None:
    system = connector(manifest(METHODS[name]))
    headers = system.build_signed_headers(BODY, SECRET, NOW)
    for body in (BODY + b" ", b"", b"\xff"):
        with pytest.raises(InvalidSignature):
            system.verify(request(headers, body), [SECRET], NOW)


@pytest.mark.parametrize("name", ["timestamp", "id", "fields", "standard"])
def test_an_old_timestamp_is_rejected(name: str) -> None:
    system = connector(manifest(METHODS[name]))
    headers = system.build_signed_headers(BODY, SECRET, NOW)
    system.verify(request(headers), [SECRET], NOW + timedelta(minutes=4))
    with pytest.raises(InvalidSignature):
        system.verify(request(headers), [SECRET], NOW + timedelta(minutes=6))


def test_signatures_are_those_of_the_vendors() -> None:
    """Computed here from the documentation of the vendors, not by the code under test."""
    woo = connector(manifest("{hmac: sha256, encoding: base64, header: x-wc-webhook-signature}"))
    digest = hmac.new(SECRET, BODY, hashlib.sha256).digest()
    signature = {"x-wc-webhook-signature": base64.b64encode(digest).decode()}
    woo.verify(request(signature), [SECRET], NOW)
    shippo = connector(manifest(METHODS["fields"].replace("x-sig", "shippo-auth-signature")))
    hexdigest = hmac.new(SECRET, f"{SECONDS}.".encode() + BODY, hashlib.sha256).hexdigest()
    shippo.verify(request({"shippo-auth-signature": f"t={SECONDS}, v1={hexdigest}"}), [SECRET], NOW)


@pytest.mark.parametrize("text", ["zz", "größe", "", "sha256=zz", "v1=", "t=1,v1=zz"])
@pytest.mark.parametrize("name", ["hex", "base64", "fields"])
def test_a_malformed_signature_is_rejected(name: str, text: str) -> None:
    with pytest.raises((InvalidSignature, MalformedSignatureHeader)):
        connector(manifest(METHODS[name])).verify(request({"x-sig": text}), [SECRET], NOW)


def test_a_malformed_timestamp_is_reported() -> None:
    system = connector(manifest(METHODS["timestamp"]))
    digest = hmac.new(SECRET, b"soon." + BODY, hashlib.sha256).hexdigest()
    with pytest.raises(MalformedSignatureHeader):
        system.verify(request({"x-sig": digest, "x-at": "soon"}), [SECRET], NOW)


def test_the_token_of_the_query_is_compared() -> None:
    system = connector(manifest("{query_token: token}"))
    system.verify(request({}, query={"token": SECRET.decode()}), [OLD, SECRET], NOW)
    for query in ({}, {"token": ""}, {"token": "no"}, {"Token": SECRET.decode()}):
        with pytest.raises(InvalidSignature):
            system.verify(request({}, query=query), [SECRET], NOW)


HANDSHAKES = """, handshakes: [
    {body_begins: webhook_id=, status: "200"},
    {query: challenge, method: GET, echo: body, status: "200"},
    {header: x-hook-secret, echo: header, status: "204"}]"""


def test_handshakes_are_answered_and_messages_are_not() -> None:
    system = connector(manifest("{bearer: yes}", HANDSHAKES))
    ping = system.handshake(request({}, b"webhook_id=142"), [])
    assert ping is not None
    assert (ping.status, ping.body) == (200, b"")
    challenge = WebhookRequest("GET", "/", {"challenge": "<b>7"}, {}, b"")
    echoed = system.handshake(challenge, [])
    assert echoed is not None
    assert (echoed.body, echoed.content_type) == (b"<b>7", "text/plain; charset=utf-8")
    header = system.handshake(request({"x-hook-secret": "s3"}), [])
    assert header is not None
    assert (header.status, header.headers) == (204, {"x-hook-secret": "s3"})
    assert system.handshake(request({}, query={"challenge": "7"}), []) is None
    assert system.handshake(request({}), []) is None
    long = WebhookRequest("GET", "/", {"challenge": "x" * 5_000}, {}, b"")
    refused = system.handshake(long, [])
    assert refused is not None
    assert refused.status == 400


def test_delivery_ids_and_answers() -> None:
    more = (
        ', delivery_id: {header: X-Id}, store_headers: [X-Topic], answer: {status: "201", body: ok}'
    )
    system = connector(manifest("{bearer: yes}", more))
    assert system.dedupe_key(request({"x-id": "d-1"})) == "d-1"
    assert system.stored_headers == {"x-topic"}
    answer = system.success_response()
    assert answer is not None
    assert (answer.status, answer.body) == (201, b"ok")
    by_field = connector(manifest("{bearer: yes}", ", delivery_id: {field: event.id}"))
    assert by_field.dedupe_key(request({}, b'{"event": {"id": 7}}')) == "7"
    assert by_field.dedupe_key(request({}, b"{")) == ""
    assert connector(manifest("{bearer: yes}")).dedupe_key(request({})) == ""
