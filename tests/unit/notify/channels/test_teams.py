"""Microsoft Teams: the card, and the retired kind of webhook."""

from dataclasses import replace

import pytest

from tests.builders.sink import RecordingServer
from tests.unit.notify.channels.receivers import (
    ALERT,
    FACTS,
    MESSAGE,
    documents,
    settings_of,
)
from visibility.notify.channel import DeliveryFailed
from visibility.notify.channels.teams import Teams
from visibility.notify.check_and_encrypt_channel_settings import parse_channel_settings_with_errors


def test_card_has_the_facts_and_a_button_that_opens_the_alert(server: RecordingServer) -> None:
    server.body = b""
    values = settings_of(Teams(), place="Ops", url=f"{server.url}/workflows/1?sig=2")
    assert Teams().send(MESSAGE, values) == "202"
    (content,) = documents(server)
    (attachment,) = content["attachments"]
    assert content["type"] == "message"
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    texts = [block["inlines"][0]["text"] for block in card["body"]]
    assert {f"{label}: {text}" for label, text in FACTS.items()} <= set(texts)
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    assert card["actions"] == [
        {"type": "Action.OpenUrl", "title": "Open the alert", "url": "http://localhost/alerts/17"}
    ]


def test_card_of_many_alerts_stays_below_28_kilobytes(server: RecordingServer) -> None:
    alerts = tuple(replace(ALERT, id=n, title="t" * 9_000) for n in range(200))
    values = settings_of(Teams(), place="Ops", url=f"{server.url}/a", details="no")
    Teams().send(replace(MESSAGE, alerts=alerts), values)
    (post,) = server.posts
    assert len(post.body) < 28_000
    assert b"and 180 more" in post.body
    assert b"Acme" not in post.body


def test_deleted_workflow_is_a_permanent_failure(server: RecordingServer) -> None:
    server.respond = lambda _: (404, {})
    with pytest.raises(DeliveryFailed, match="status 404") as failed:
        Teams().send(MESSAGE, settings_of(Teams(), place="Ops", url=f"{server.url}/a"))
    assert failed.value.is_permanent


def test_retired_connector_of_office_365_is_refused_on_entry() -> None:
    values = {"place": "Ops", "url": "https://acme.webhook.office.com/webhookb2/1"}
    (error,) = parse_channel_settings_with_errors(Teams(), values).errors
    assert (error.name, "retired" in error.sentence) == ("url", True)
