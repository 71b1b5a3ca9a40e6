"""Every sample as a request: signatures, rotation, handshakes, repetition and replay."""

import dataclasses
from collections.abc import Mapping
from datetime import timedelta

import pytest

from connectors.catalog import connectors_by_slug
from connectors.sdk.connector import Connector
from connectors.sdk.event_codec import event_to_dict
from connectors.sdk.manifest.connector import ManifestConnector
from connectors.sdk.manifest.webhook_rule import VerifyRule
from connectors.sdk.webhook_and_poll_types import NOTICE_KEY, WebhookRequest
from tests.builders.rsa_sender import RsaSender
from tests.unit.connectors.contract_samples import (
    NOW,
    ContractSample,
    all_contract_samples,
    check_outcome,
    parse_as_pipeline,
)
from tests.unit.connectors.signatures import is_accepted
from visibility.ingest.message_of_request import build_message_to_store

SAMPLES = all_contract_samples()
NEW, OLD, FOREIGN = (
    b"new-secret-of-this-source-1",
    b"old-secret-of-this-source-2",
    b"a-secret-of-another-sender-3",
)
SLUGS = sorted(connectors_by_slug())
PUSHED = [slug for slug in SLUGS if connectors_by_slug()[slug].accepts_webhooks]
NOT_PUSHED = sorted(set(SLUGS) - set(PUSHED))
# The setup request of each vendor that has one, and what its response has.
HANDSHAKES: Mapping[str, tuple[WebhookRequest, int, bytes, Mapping[str, str]]] = {
    "adobe_commerce": (
        WebhookRequest("GET", "/", {"challenge": "abc-1"}, {}, b""),
        200,
        b"abc-1",
        {},
    ),
    "business_central": (
        WebhookRequest("POST", "/", {"validationToken": "abc-1"}, {}, b""),
        200,
        b"abc-1",
        {},
    ),
    "cloudevents": (
        WebhookRequest("OPTIONS", "/", {}, {"webhook-request-origin": "example.com"}, b""),
        200,
        b"",
        {"webhook-allowed-origin": "example.com"},
    ),
    "sap_s4hana": (
        WebhookRequest("OPTIONS", "/", {}, {"webhook-request-origin": "example.com"}, b""),
        200,
        b"",
        {"webhook-allowed-origin": "example.com"},
    ),
    "woocommerce": (WebhookRequest("POST", "/", {}, {}, b"webhook_id=142"), 200, b"", {}),
}


def samples_of(slug: str) -> list[ContractSample]:
    samples = [sample for sample in SAMPLES if sample.slug == slug]
    assert samples
    return samples


def signed_request(
    sample: ContractSample, secret: bytes, body: bytes | None = None
) -> WebhookRequest:
    """The sample as its vendor sends it."""
    connector, body = sample.connector(), sample.body if body is None else body
    headers = {**sample.headers, **connector.build_signed_headers(body, secret, NOW)}
    return WebhookRequest("POST", "/", token_query(connector, secret), headers, body)


def token_query(connector: Connector, secret: bytes) -> dict[str, str]:
    """The query that the vendor sends because the URL has it."""
    name, _, value = connector.webhook_url_query(secret.decode()).removeprefix("?").partition("=")
    return {name: value} if name else {}


def accepts(sample: ContractSample, request: WebhookRequest, *secrets: bytes) -> bool:
    return is_accepted(sample.connector(), request, secrets, NOW)


def proof_mixed_with(request: WebhookRequest, other: WebhookRequest) -> WebhookRequest:
    """The request with one character of each signature or token replaced by that of another."""
    return dataclasses.replace(
        request,
        headers=_mixed(request.headers, other.headers),
        query=_mixed(request.query, other.query),
    )


def _mixed(texts: Mapping[str, str], others: Mapping[str, str]) -> dict[str, str]:
    mixed = dict(texts)
    for name, text in texts.items():
        other = others.get(name, "")
        at = next((i for i, (a, b) in enumerate(zip(text, other, strict=False)) if a != b), -1)
        if at >= 0:
            mixed[name] = text[:at] + other[at] + text[at + 1 :]
    return mixed


@pytest.mark.parametrize("slug", PUSHED)
class TestSignatureOfEachSample:
    def test_the_secrets_of_a_rotation_are_accepted_and_no_others(self, slug: str) -> None:
        for sample in samples_of(slug):
            by_new, by_old = signed_request(sample, NEW), signed_request(sample, OLD)
            assert accepts(sample, by_new, NEW), sample
            assert accepts(sample, by_new, NEW, OLD), sample
            assert accepts(sample, by_old, NEW, OLD), sample
            assert not accepts(sample, by_old, NEW), sample
            assert not accepts(sample, signed_request(sample, FOREIGN), NEW, OLD), sample

    def test_a_changed_proof_or_none_is_refused(self, slug: str) -> None:
        for sample in samples_of(slug):
            request, other = signed_request(sample, NEW), signed_request(sample, FOREIGN)
            assert not accepts(sample, proof_mixed_with(request, other), NEW, OLD), sample
            unsigned = WebhookRequest("POST", "/", {}, {}, sample.body)
            assert not accepts(sample, unsigned, NEW, OLD), sample

    def test_a_changed_body_is_refused_if_the_vendor_signs_it(self, slug: str) -> None:
        for sample in samples_of(slug):
            request = signed_request(sample, NEW)
            changed = dataclasses.replace(request, body=sample.body[:-1] + b" ")
            signs_body = request.headers != signed_request(sample, NEW, changed.body).headers
            assert accepts(sample, changed, NEW) is not signs_body, sample


@pytest.mark.parametrize("slug", NOT_PUSHED)
def test_connectors_without_webhooks_refuse_every_request(slug: str) -> None:
    connector = connectors_by_slug()[slug]({"source": slug})
    headers = {"authorization": f"Bearer {NEW.decode()}"}
    request = WebhookRequest("POST", "/", {"token": NEW.decode()}, headers, b"{}")
    assert not is_accepted(connector, request, [NEW], NOW)


def rsa_request(rule: VerifyRule, sender: RsaSender, body: bytes) -> WebhookRequest:
    timestamp = str(int(NOW.timestamp()))
    signed = f"{timestamp}.".encode() + body if "timestamp" in rule.signed else body
    headers = {rule.header: rule.prefix + sender.sign(signed)}
    headers |= {rule.timestamp_header: timestamp} if rule.timestamp_header else {}
    return WebhookRequest("POST", "/", {}, headers, body)


def test_rsa_signatures_of_manifests_are_checked_by_the_body_and_during_a_rotation() -> None:
    old, new, foreign = RsaSender("old"), RsaSender("new"), RsaSender("foreign")
    signed_by_rsa = 0
    for slug, kind in connectors_by_slug().items():
        webhook = kind.manifest.webhook if issubclass(kind, ManifestConnector) else None
        if webhook is None or webhook.verify.method != "rsa":
            continue
        signed_by_rsa += 1
        rule = webhook.verify
        both = kind({"source": slug, rule.public_keys_setting: f"{old.pem}\n{new.pem}"})
        newest = kind({"source": slug, rule.public_keys_setting: new.pem})
        for sample in samples_of(slug):
            by_old, by_new = (rsa_request(rule, key, sample.body) for key in (old, new))
            assert is_accepted(both, by_old, [], NOW), sample
            assert is_accepted(both, by_new, [], NOW), sample
            assert not is_accepted(newest, by_old, [], NOW), sample
            assert not is_accepted(both, rsa_request(rule, foreign, sample.body), [], NOW), sample
            changed = dataclasses.replace(by_new, body=sample.body + b" ")
            assert not is_accepted(both, changed, [], NOW), sample
    assert signed_by_rsa


class TestHandshakes:
    def test_every_connector_with_a_setup_request_is_listed(self) -> None:
        with_handshake = {
            slug
            for slug, kind in connectors_by_slug().items()
            if (
                kind.manifest.webhook and kind.manifest.webhook.handshakes
                if issubclass(kind, ManifestConnector)
                else kind.handshake is not Connector.handshake
            )
        }
        assert with_handshake == HANDSHAKES.keys()

    @pytest.mark.parametrize("slug", HANDSHAKES)
    def test_a_setup_request_is_answered_without_a_signature(self, slug: str) -> None:
        request, status, body, headers = HANDSHAKES[slug]
        connector = connectors_by_slug()[slug]({"source": slug})
        response = connector.handshake(request, [NEW])
        assert response
        assert (response.status, response.body) == (status, body)
        assert headers.items() <= dict(response.headers).items()

    @pytest.mark.parametrize("slug", PUSHED)
    def test_no_message_is_taken_for_a_setup_request(self, slug: str) -> None:
        for sample in samples_of(slug):
            assert sample.connector().handshake(signed_request(sample, NEW), [NEW]) is None


@pytest.mark.parametrize("slug", SLUGS)
class TestRepeatedMessages:
    def test_a_repeated_request_has_the_same_key(self, slug: str) -> None:
        for sample in samples_of(slug):
            keys = set()
            for _ in range(2):
                connector, request = sample.connector(), signed_request(sample, NEW)
                key = connector.dedupe_key(request)
                keys.add(build_message_to_store(1, connector, key, request).dedupe_key)
            if all(key.startswith(NOTICE_KEY) for key in keys):
                continue  # it names no delivery, and each makes the poll due
            assert len(keys) == 1, sample
            assert keys.pop().strip()

    def test_a_replay_gives_the_same_events(self, slug: str) -> None:
        for sample in samples_of(slug):
            parsed, events, errors = parse_as_pipeline(sample.connector(), sample.message())
            check_outcome(parsed, events, errors, NOW)
            _, replayed, errors_of_replay = parse_as_pipeline(sample.connector(), sample.message())
            assert [event_to_dict(event) for event in replayed] == [
                event_to_dict(e) for e in events
            ]
            assert list(map(str, errors_of_replay)) == list(map(str, errors))

    def test_a_copy_that_arrives_later_reports_the_same_facts(self, slug: str) -> None:
        for sample in samples_of(slug):
            _, events, _ = parse_as_pipeline(sample.connector(), sample.message())
            later = sample.message(later=timedelta(days=40))
            _, repeated, _ = parse_as_pipeline(sample.connector(), later)
            assert [(event.key, event.type) for event in repeated] == [
                (event.key, event.type) for event in events
            ], sample
