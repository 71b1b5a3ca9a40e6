"""Receivers that speak as Slack, Teams and PagerDuty do, and the alerts that they receive."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.sdk.settings import ParsedSettings
from tests.builders.sink import RecordedPost, RecordingServer
from visibility.notify.channel import AlertSummary, Channel, OutgoingMessage
from visibility.notify.check_and_encrypt_channel_settings import parse_channel_settings_with_errors

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
ALERT = AlertSummary(
    id=17,
    title="Released 9 h ago & <!channel> not shipped",
    state="open",
    severity="high",
    team="Warehouse",
    rule="stuck",
    order="SO-1",
    source="",
    due_at=NOON,
    opened_at=NOON,
    url="http://localhost/alerts/17",
    started_at=NOON - timedelta(hours=9),
    age="9 h",
    customer="Acme Tools",
    value="1,200.50 USD",
    value_label="Value at risk",
    missing="ship confirmation from Dallas",
    response="Call the warehouse.",
    transitions=("opened",),
)
MESSAGE = OutgoingMessage("msg-1", "[high] SO-1: Released <@U1>", "Text", NOON, (ALERT,))
FACTS = {
    "Order": "SO-1",
    "Customer": "Acme Tools",
    "Value at risk": "1,200.50 USD",
    "Missing": "ship confirmation from Dallas",
    "Age": "9 h",
    "Team": "Warehouse",
    "Expected response": "Call the warehouse.",
}


def settings_of(channel: Channel, **values: str) -> ParsedSettings:
    """Parse settings that are valid."""
    parsed = parse_channel_settings_with_errors(channel, values)
    assert parsed.errors == ()
    return parsed


def documents(server: RecordingServer) -> list[dict[str, Any]]:
    """The JSON documents that the server accepted."""
    return [json.loads(post.body) for post in server.posts]


def answer_as_slack(server: RecordingServer) -> None:
    """Accept what Slack accepts: a text or blocks of the form that it demands."""

    def answer(post: RecordedPost) -> tuple[int, dict[str, str]]:
        content = json.loads(post.body)
        blocks = content.get("blocks", [])
        is_valid = bool(content.get("text")) and len(blocks) <= 50
        for block in blocks:
            texts = [block["text"]] if "text" in block else block["fields"]
            is_valid &= len(texts) <= 10 and all(0 < len(t["text"]) <= 3_000 for t in texts)
        server.body = b"ok" if is_valid else b"invalid_blocks"
        return (200 if is_valid else 400), {"content-type": "text/plain"}

    server.respond = answer


def answer_as_pagerduty(server: RecordingServer, incidents: dict[str, str]) -> None:
    """Keep incidents by key as PagerDuty does: an event of an unknown one is accepted and lost."""

    def answer(post: RecordedPost) -> tuple[int, dict[str, str]]:
        event = json.loads(post.body)
        key, action = event["dedup_key"], event["event_action"]
        payload = event.get("payload", {})
        is_valid = len(event["routing_key"]) == 32 and (
            action != "trigger" or {"summary", "source", "severity"} <= payload.keys()
        )
        if not is_valid:
            server.body = b'{"status":"invalid event"}'
            return 400, {}
        is_open = incidents.get(key, "resolve") != "resolve"
        if is_open != (action == "trigger"):
            incidents[key] = action
        server.body = b'{"status":"success","message":"Event processed"}'
        return 202, {}

    server.respond = answer
