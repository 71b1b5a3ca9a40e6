"""Webhooks, received by a real HTTP server on this machine."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pytest_django.fixtures import Settings

from connectors.sdk.auth import InvalidSignature
from connectors.sdk.settings import ParsedSettings
from connectors.sdk.standard_webhooks import verify_signature
from tests.builders.sink import RecordingServer
from visibility.notify.channel import AlertSummary, DeliveryFailed, OutgoingMessage
from visibility.notify.channels import webhook
from visibility.notify.channels.webhook import Webhook
from visibility.notify.check_and_encrypt_channel_settings import parse_channel_settings_with_errors

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # of the specification
ALERT = AlertSummary(
    id=17,
    title="Released and not shipped",
    state="open",
    severity="high",
    team="",
    rule="stuck",
    order="SO-1",
    source="",
    due_at=NOON,
    opened_at=NOON,
    url="http://localhost/alerts/17",
)
MESSAGE = OutgoingMessage("msg-1", "[high] Late", "Late.", NOON, (ALERT,))


def settings_for(receiver: RecordingServer) -> ParsedSettings:
    values = {"url": f"{receiver.url}/alerts?team=ops", "secret": SECRET}
    parsed = parse_channel_settings_with_errors(Webhook(), values)
    assert parsed.errors == ()
    return parsed


def test_receiver_gets_a_signed_document_with_the_alert(receiver: RecordingServer) -> None:
    Webhook().send(MESSAGE, settings_for(receiver))
    (post,) = receiver.posts
    assert post.path == "/alerts?team=ops"
    assert post.headers["webhook-id"] == "msg-1"
    verify_signature(post.headers, post.body, [SECRET.encode()], NOON)
    with pytest.raises(InvalidSignature):
        verify_signature(post.headers, post.body + b" ", [SECRET.encode()], NOON)
    content = json.loads(post.body)
    assert content["type"] == "alerts.notified"
    assert content["data"]["alerts"] == [
        {
            "id": 17,
            "title": "Released and not shipped",
            "state": "open",
            "severity": "high",
            "team": None,
            "rule": "stuck",
            "order": "SO-1",
            "source": None,
            "customer": None,
            "value": None,
            "missing": None,
            "response": None,
            "due_at": "2026-03-04T12:00:00.000000Z",
            "opened_at": "2026-03-04T12:00:00.000000Z",
            "url": "http://localhost/alerts/17",
        }
    ]


def test_repeated_attempt_has_the_same_id_and_document_and_a_current_signature(
    receiver: RecordingServer,
) -> None:
    later = NOON + timedelta(hours=2)
    Webhook().send(MESSAGE, settings_for(receiver))
    Webhook().send(replace(MESSAGE, sent_at=later), settings_for(receiver))
    first, second = receiver.posts
    assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])
    verify_signature(second.headers, second.body, [SECRET.encode()], later)


def test_test_message_has_no_alerts(receiver: RecordingServer) -> None:
    Webhook().send(replace(MESSAGE, alerts=()), settings_for(receiver))
    content = json.loads(receiver.posts[0].body)
    assert (content["type"], content["data"]["alerts"]) == ("test", [])


@pytest.mark.parametrize("status", [301, 400, 410, 500])
def test_any_other_status_is_a_failed_delivery(receiver: RecordingServer, status: int) -> None:
    receiver.respond = lambda _: (status, {"location": f"{receiver.url}/elsewhere"})
    with pytest.raises(DeliveryFailed, match=f"status {status}"):
        Webhook().send(MESSAGE, settings_for(receiver))
    assert receiver.posts == []


def test_slow_receiver_is_a_failed_delivery(
    receiver: RecordingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "MAX_SECONDS", 0.3)

    def wait(_: object) -> tuple[int, dict[str, str]]:
        import time

        time.sleep(1)
        return 202, {}

    receiver.respond = wait
    with pytest.raises(DeliveryFailed, match="The request failed: the response was not complete"):
        Webhook().send(MESSAGE, settings_for(receiver))


def test_private_address_that_is_not_allowed_gets_no_request(
    receiver: RecordingServer, settings: Settings
) -> None:
    parsed = settings_for(receiver)
    settings.OUTGOING_ALLOWED = []
    with pytest.raises(DeliveryFailed, match="must allow"):
        Webhook().send(MESSAGE, parsed)
    assert receiver.posts == []


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("url", "http://example.com/hook", "The URL must begin with https://."),
        ("url", "ftp://example.com", "is not an http or https URL"),
        ("url", "https://me:pw@example.com", "must not contain a user name"),
        ("url", "", "This setting is required."),
        ("url", "https://169.254.169.254/latest", "This address is refused"),
        ("url", "https://2852039166/latest", "This address is refused"),
        ("url", "https://[::1]/", "This address is refused"),
        ("url", "https://0x7f.1/", "This address is refused"),
        ("secret", "whsec_c2hvcnQ=", "24 to 64 bytes in base64"),
        ("secret", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "24 to 64 bytes in base64"),
        ("secret", "whsec_" + "\u00e9" * 40, "24 to 64 bytes in base64"),
        ("color", "red", "This channel has no setting 'color'."),
    ],
)
def test_invalid_settings_are_refused_with_a_sentence(name: str, value: str, sentence: str) -> None:
    values = {"url": "https://example.com/hook", "secret": SECRET} | {name: value}
    (error,) = parse_channel_settings_with_errors(Webhook(), values).errors
    assert error.name == name
    assert sentence in error.sentence
