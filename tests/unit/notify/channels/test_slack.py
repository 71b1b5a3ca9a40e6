"""Slack: the message, what it never mentions, and the answers of Slack."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.builders.sink import RecordingServer
from tests.unit.notify.channels.receivers import (
    ALERT,
    FACTS,
    MESSAGE,
    answer_as_slack,
    documents,
    settings_of,
)
from visibility.notify.channel import DeliveryFailed
from visibility.notify.channels.slack import Slack
from visibility.notify.check_and_encrypt_channel_settings import parse_channel_settings_with_errors


def test_message_has_the_facts_and_the_link_and_mentions_nobody(server: RecordingServer) -> None:
    answer_as_slack(server)
    url = f"{server.url}/services/T0/B0/x"
    assert Slack().send(MESSAGE, settings_of(Slack(), place="#ops", url=url)) == "200 ok"
    (content,) = documents(server)
    header, facts, link = content["blocks"]
    texts = [field["text"] for field in facts["fields"]]
    assert {f"{label}: {text}" for label, text in FACTS.items()} <= set(texts)
    assert {field["type"] for field in facts["fields"]} == {"plain_text"}
    assert header["text"]["type"] == "plain_text"
    assert "<http://localhost/alerts/17|" in link["text"]["text"]
    assert content["text"] == "[high] SO-1: Released &lt;@U1&gt;"


def test_without_details_it_names_neither_customer_nor_value(server: RecordingServer) -> None:
    answer_as_slack(server)
    values = settings_of(Slack(), place="#ops", url=f"{server.url}/a", details="no")
    Slack().send(MESSAGE, values)
    Slack().send(replace(MESSAGE, alerts=(ALERT, ALERT)), values)
    for post in server.posts:
        assert b"Acme" not in post.body
        assert b"1,200.50" not in post.body
        assert b"SO-1" in post.body


def test_many_alerts_stay_within_the_limits_of_slack(server: RecordingServer) -> None:
    answer_as_slack(server)
    alerts = tuple(replace(ALERT, id=n, title="t" * 9_000) for n in range(200))
    values = settings_of(Slack(), place="#ops", url=f"{server.url}/a")
    Slack().send(replace(MESSAGE, alerts=alerts, subject="s" * 500), values)
    (content,) = documents(server)
    assert content["blocks"][-1]["text"]["text"] == "and 180 more"
    assert "&lt;!channel&gt;" not in str(content)


def test_test_message_is_plain_text(server: RecordingServer) -> None:
    answer_as_slack(server)
    message = replace(MESSAGE, alerts=())
    Slack().send(message, settings_of(Slack(), place="#ops", url=f"{server.url}/a"))
    assert documents(server) == [{"text": "[high] SO-1: Released &lt;@U1&gt;\nText"}]


@pytest.mark.parametrize(
    ("status", "body", "is_permanent"),
    [
        (404, b"no_service", True),
        (410, b"channel_is_archived", True),
        (403, b"action_prohibited", False),
        (500, b"", False),
    ],
)
def test_refused_message_names_the_status_and_the_reason(
    server: RecordingServer, status: int, body: bytes, is_permanent: bool
) -> None:
    server.respond, server.body = (lambda _: (status, {})), body
    with pytest.raises(DeliveryFailed, match=f"status {status}") as failed:
        Slack().send(MESSAGE, settings_of(Slack(), place="#ops", url=f"{server.url}/a"))
    assert body.decode() in str(failed.value)
    assert (failed.value.code, failed.value.is_permanent) == (str(status), is_permanent)


def test_retry_after_of_slack_is_reported(server: RecordingServer) -> None:
    server.respond = lambda _: (429, {"retry-after": "30"})
    with pytest.raises(DeliveryFailed) as failed:
        Slack().send(MESSAGE, settings_of(Slack(), place="#ops", url=f"{server.url}/a"))
    assert failed.value.retry_after == timedelta(seconds=30)


def test_other_addresses_of_slack_are_refused_on_entry() -> None:
    values = {"place": "#ops", "url": "https://example.slack.com/archives/C1"}
    (error,) = parse_channel_settings_with_errors(Slack(), values).errors
    assert (error.name, "hooks.slack.com" in error.sentence) == ("url", True)
