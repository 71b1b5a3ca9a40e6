"""Microsoft Teams: a webhook of a workflow, which posts an Adaptive Card.

The connectors of Office 365 are retired. The workflow is "Post to a channel when a webhook request
is received" (learn.microsoft.com, Microsoft Teams, incoming webhooks with Workflows).
"""

from http import HTTPStatus
from typing import Any, ClassVar

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

SCHEMA = "http://adaptivecards.io/schemas/adaptive-card.json"
# Teams refuses a card of more than 28 KB.
MAX_LISTED, MAX_TEXT = 20, 600
RETIRED_HOST = ".webhook.office.com"
# The workflow was deleted (404), is switched off, or its URL was replaced.
REVOKED = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)


def check_teams_url(text: str) -> None:
    """Check the URL of a workflow. Raises ValueError with a sentence that does not contain it."""
    check_webhook_url(text)
    if RETIRED_HOST in text:
        raise ValueError(
            "This is a connector of Office 365, which Microsoft has retired. Create a workflow for "
            "webhook requests in Teams, and enter its URL."
        )


class Teams(Channel):
    """An Adaptive Card. The workflow accepted it if the status is 2xx, usually 202.

    Texts of alerts are runs of rich text, which Teams does not read as Markdown or mentions.
    """

    code: ClassVar[str] = "teams"
    title: ClassVar[str] = "Microsoft Teams"
    is_proper_name: ClassVar[bool] = True
    description: ClassVar[str] = "A card in one channel or chat of Teams, through a workflow."
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            "place",
            "The team and channel to which the workflow posts. Shown in lists here.",
            required=True,
            label="Teams channel",
        ),
        Setting(
            "url",
            "In Teams: Workflows, “Post to a channel when a webhook request is received”. The URL "
            "is a secret.",
            SettingType.SECRET,
            required=True,
            check=check_teams_url,
            label="Workflow URL",
        ),
        details_setting(default="yes"),
    )

    def send(self, message: OutgoingMessage, settings: ParsedSettings) -> str:
        """Send one card. Raises DeliveryFailed unless the workflow accepts it."""
        content = build_teams_payload(message, is_personal=settings.is_on(DETAILS))
        return post_json(settings.text("url"), orjson.dumps(content), permanent=REVOKED)


def build_teams_payload(message: OutgoingMessage, *, is_personal: bool) -> dict[str, Any]:
    """Return the message with one Adaptive Card."""
    alerts = message.alerts
    body = [_text(message.subject, weight="Bolder", size="Medium")]
    actions: list[dict[str, Any]] = []
    if not alerts:
        body += [_text(line) for line in message.text.splitlines()]
    elif len(alerts) == 1:
        body += [
            _text(f"{label}: {text}")
            for label, text in list_alert_facts(alerts[0], is_personal=is_personal)
        ]
        actions = [_open_url("Open the alert", alerts[0].url)]
    else:
        for alert in alerts[:MAX_LISTED]:
            body += _texts_of_listed_alert(alert, is_personal=is_personal)
        if len(alerts) > MAX_LISTED:
            body.append(_text(f"and {len(alerts) - MAX_LISTED} more"))
    card = {"$schema": SCHEMA, "type": "AdaptiveCard", "version": "1.4", "body": body}
    return {
        "type": "message",
        "attachments": [
            {
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": None,
                "content": {**card, "actions": actions} if actions else card,
            }
        ],
    }


def _texts_of_listed_alert(alert: AlertSummary, *, is_personal: bool) -> list[dict[str, Any]]:
    """The title as a link to the alert, and a line with the facts."""
    title = _text(f"[{alert.severity}] {title_with_order(alert)}")
    title["inlines"][0]["selectAction"] = _open_url("Open the alert", alert.url)
    short = short_alert_line(alert, is_personal=is_personal)
    return [title, _text(short)] if short else [title]


def _text(text: str, **style: str) -> dict[str, Any]:
    run = {"type": "TextRun", "text": text[:MAX_TEXT], **style}
    return {"type": "RichTextBlock", "inlines": [run]}


def _open_url(title: str, url: str) -> dict[str, str]:
    return {"type": "Action.OpenUrl", "title": title, "url": url}
