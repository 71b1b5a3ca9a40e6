"""Slack: an incoming webhook of one Slack channel (docs.slack.dev/messaging)."""

from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import urlsplit

import orjson

from connectors.sdk.settings import ParsedSettings, Setting, SettingType
from visibility.notify.channel import AlertSummary, Channel, OutgoingMessage
from visibility.notify.message_facts import (
    list_alert_facts,
    short_alert_line,
    title_with_order,
)
from visibility.notify.post_to_receiver import (
    DETAILS,
    check_webhook_url,
    details_setting,
    post_json,
)

# Limits of Slack: characters of a header and of a section, fields of a section, alerts of ours.
MAX_HEADER, MAX_SECTION, MAX_FIELDS = 150, 2_900, 10
MAX_LISTED = 20
# A webhook that was removed, or whose Slack channel was archived, never works again.
REVOKED = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)


def check_slack_url(text: str) -> None:
    """Check an incoming webhook. Raises ValueError with a sentence that does not contain it."""
    check_webhook_url(text)
    components = urlsplit(text)
    is_slack = (components.hostname or "").endswith((".slack.com", ".slack-gov.com"))
    if is_slack and not components.path.startswith("/services/"):
        raise ValueError(
            "An incoming webhook of Slack looks like https://hooks.slack.com/services/T.../B.../..."
        )


class Slack(Channel):
    """A message to an incoming webhook. Slack accepted it if the response is `200 ok`.

    Texts of alerts are sent as `plain_text` or escaped, so that they mention nobody.
    """

    code: ClassVar[str] = "slack"
    title: ClassVar[str] = "Slack"
    is_proper_name: ClassVar[bool] = True
    description: ClassVar[str] = "A message in one Slack channel, through an incoming webhook."
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            "place",
            "The Slack channel of the webhook, such as #order-alerts. Shown in lists here.",
            required=True,
            label="Slack channel",
        ),
        Setting(
            "url",
            "In Slack: Apps, Incoming Webhooks, Add to Slack. The URL is a secret.",
            SettingType.SECRET,
            required=True,
            check=check_slack_url,
            label="Webhook URL",
        ),
        details_setting(default="yes"),
    )

    def send(self, message: OutgoingMessage, settings: ParsedSettings) -> str:
        """Send one message. Raises DeliveryFailed unless Slack accepts it."""
        content = build_slack_payload(message, is_personal=settings.is_on(DETAILS))
        return post_json(settings.text("url"), orjson.dumps(content), permanent=REVOKED)


def build_slack_payload(message: OutgoingMessage, *, is_personal: bool) -> dict[str, Any]:
    """Return the document with its blocks. `text` is for notifications of devices."""
    text = escape_slack_text(message.subject)
    if not message.alerts:
        return {"text": escape_slack_text(f"{message.subject}\n{message.text}")}
    header = {
        "type": "header",
        "text": {"type": "plain_text", "text": message.subject[:MAX_HEADER], "emoji": False},
    }
    if len(message.alerts) == 1:
        blocks = _blocks_of_single_alert(message.alerts[0], is_personal=is_personal)
    else:
        blocks = [
            _section(_alert_line(alert, is_personal=is_personal))
            for alert in message.alerts[:MAX_LISTED]
        ]
        if len(message.alerts) > MAX_LISTED:
            blocks.append(_section(f"and {len(message.alerts) - MAX_LISTED} more"))
    return {"text": text, "blocks": [header, *blocks]}


def escape_slack_text(text: str) -> str:
    """Escape what Slack reads as a link or a mention, such as `<!channel>`."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _blocks_of_single_alert(alert: AlertSummary, *, is_personal: bool) -> list[dict[str, Any]]:
    facts = list_alert_facts(alert, is_personal=is_personal)[:MAX_FIELDS]
    fields = [
        {"type": "plain_text", "text": f"{label}: {text}"[:2_000], "emoji": False}
        for label, text in facts
    ]
    return [{"type": "section", "fields": fields}, _section(_link(alert, "Open the alert"))]


def _alert_line(alert: AlertSummary, *, is_personal: bool) -> str:
    title = _link(alert, f"[{alert.severity}] {title_with_order(alert)}")
    short = escape_slack_text(short_alert_line(alert, is_personal=is_personal))
    return f"{title}\n{short}" if short else title


def _link(alert: AlertSummary, text: str) -> str:
    return f"<{alert.url}|{escape_slack_text(text[:500]).replace('|', '/')}>"


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:MAX_SECTION]}}
