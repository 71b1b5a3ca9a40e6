"""Apprise: messages over HTTP to a receiver, and what counts as sent."""

import json
import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from tests.builders.sink import RecordingServer
from tests.unit.notify.channels.receivers import ALERT, FACTS, MESSAGE, documents, settings_of
from visibility.notify.channel import DeliveryFailed, OutgoingMessage
from visibility.notify.channels.apprise import Apprise, build_text, without_mentions

TOKEN = "AbCdEfGhIjKlMnO"


def url_of(server: RecordingServer, scheme: str = "json", path: str = "/hook-token") -> str:
    return f"{scheme}://{server.url.removeprefix('http://')}{path}"


def send(server: RecordingServer, message: OutgoingMessage = MESSAGE, **values: str) -> str:
    given = {"place": "Test", "url": url_of(server)} | values
    return Apprise().send(message, settings_of(Apprise(), **given))


def test_message_has_the_facts_and_the_link_and_mentions_nobody(server: RecordingServer) -> None:
    server.body = b"received"
    assert send(server) == "202 received"
    (content,) = documents(server)
    for label, text in FACTS.items():
        assert f"{label}: {text}" in content["message"]
    assert "http://localhost/alerts/17" in content["message"]
    assert content["type"] == "failure"  # of a severe alert
    assert server.posts[0].headers["user-agent"] == "Throughline"
    texts = f"{content['title']}{content['message']}"
    assert "<@" not in texts
    assert "<!channel" not in texts


def test_without_details_it_names_neither_customer_nor_value(server: RecordingServer) -> None:
    send(server, details="no")
    send(server, replace(MESSAGE, alerts=(ALERT, ALERT)), details="no")
    for post in server.posts:
        assert b"Acme" not in post.body
        assert b"1,200.50" not in post.body
        assert b"SO-1" in post.body


def test_test_message_has_its_text(server: RecordingServer) -> None:
    send(server, replace(MESSAGE, alerts=()))
    (content,) = documents(server)
    assert (content["message"], content["type"]) == ("Text", "info")


def test_gotify_gets_its_own_document(server: RecordingServer) -> None:
    server.respond = lambda _: (200, {})
    send(server, url=url_of(server, "gotify", f"/{TOKEN}"))
    (post,) = server.posts
    assert post.path == "/message"
    assert post.headers["x-gotify-key"] == TOKEN
    assert "SO-1" in json.loads(post.body)["message"]


@pytest.mark.parametrize("status", [400, 401, 500])
def test_message_is_not_sent_unless_the_server_confirms(
    server: RecordingServer, status: int
) -> None:
    server.respond, server.body = (lambda _: (status, {})), b"hook-token is wrong"
    with pytest.raises(DeliveryFailed, match=f"status {status}") as failed:
        send(server)
    assert failed.value.code == str(status)
    assert "hook-token" not in str(failed.value)
    assert "[secret] is wrong" in str(failed.value)


def test_acceptance_that_the_service_denies_is_no_success(server: RecordingServer) -> None:
    server.respond = lambda _: (201, {})  # Telegram, Gotify and others confirm with 200
    with pytest.raises(DeliveryFailed, match="Gotify did not accept the message"):
        send(server, url=url_of(server, "gotify", f"/{TOKEN}"))


def test_retry_after_and_gone_are_reported(server: RecordingServer) -> None:
    server.respond = lambda _: (429, {"retry-after": "30"})
    with pytest.raises(DeliveryFailed) as failed:
        send(server)
    assert failed.value.retry_after == timedelta(seconds=30)
    server.respond = lambda _: (410, {})
    with pytest.raises(DeliveryFailed) as failed:
        send(server)
    assert failed.value.is_permanent


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("location", ["http://169.254.169.254/latest", "/elsewhere"])
def test_redirects_are_not_followed(server: RecordingServer, status: int, location: str) -> None:
    requested: list[str] = []

    def redirect(post: Any) -> tuple[int, dict[str, str]]:
        requested.append(post.path)
        return status, {"location": location}

    server.respond = redirect
    with pytest.raises(DeliveryFailed, match=f"status {status}"):
        send(server, url=f"{url_of(server)}?redirect=yes")
    assert requested == ["/hook-token"]


def test_address_that_is_not_allowed_gets_no_request(
    server: RecordingServer, settings: Settings
) -> None:
    values = settings_of(Apprise(), place="Test", url=url_of(server))
    settings.OUTGOING_ALLOWED = []
    with pytest.raises(DeliveryFailed, match="must begin with https"):
        Apprise().send(MESSAGE, values)
    assert server.posts == []


def test_nothing_of_apprise_is_logged(
    server: RecordingServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.respond = lambda _: (500, {})
    with caplog.at_level(logging.DEBUG), pytest.raises(DeliveryFailed):
        send(server)
    assert [record for record in caplog.records if record.name.startswith("apprise")] == []


def test_many_alerts_are_as_many_as_fit_and_a_count_of_the_others() -> None:
    message = replace(MESSAGE, alerts=tuple(replace(ALERT, id=n) for n in range(20)))
    text = build_text(message, is_personal=False, limit=700)
    assert len(text) < 750
    listed = text.count("[high]")
    assert 1 < listed < 20
    assert text.endswith(f"and {20 - listed} more")
    short = build_text(message, is_personal=False, limit=10)
    assert short.count("[high]") == 1


@pytest.mark.parametrize("text", ["@everyone", "x@here", "<!channel>", "<@U1>", "(@anna)"])
def test_mention_is_interrupted_and_reads_the_same(text: str) -> None:
    changed = without_mentions(text)
    assert changed != text
    assert changed.replace("\u200b", "") == text
    assert without_mentions("anna@example.com < 5") == "anna@example.com < 5"
