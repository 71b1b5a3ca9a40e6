"""Webhooks: the alerts as JSON, signed as Standard Webhooks (standardwebhooks.com)."""

import base64
import binascii
from typing import Any, ClassVar

import orjson

from connectors.sdk.event_codec import format_rfc3339
from connectors.sdk.settings import ParsedSettings, Setting, SettingType
from connectors.sdk.standard_webhooks import build_signature_headers
from visibility.notify.channel import AlertSummary, Channel, OutgoingMessage
from visibility.notify.post_to_receiver import (
    DETAILS,
    check_webhook_url,
    details_setting,
    post_json,
)

# A slow receiver must not delay the messages of other subscriptions for long.
MAX_SECONDS = 10.0
MIN_SECRET_BYTES, MAX_SECRET_BYTES = 24, 64
PREFIX = "whsec_"


def check_webhook_secret(text: str) -> None:
    """Check a secret of Standard Webhooks: `whsec_` and base64 of 24 to 64 bytes.

    Raises ValueError with a sentence that does not contain the secret.
    """
    try:
        key = base64.b64decode(text.removeprefix(PREFIX).encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        key = b""
    is_valid = MIN_SECRET_BYTES <= len(key) <= MAX_SECRET_BYTES
    if not (text.startswith(PREFIX) and is_valid):
        raise ValueError("The secret must be whsec_ followed by 24 to 64 bytes in base64.")


class Webhook(Channel):
    """A signed POST request. The receiver has accepted the message if its status is 2xx.

    `webhook-id` is the message id, so that receivers can detect duplicates.
    """

    code: ClassVar[str] = "webhook"
    title: ClassVar[str] = "Webhook"
    description: ClassVar[str] = (
        "A signed HTTPS request with the alerts as JSON, for a chat, a pager or a system of yours."
    )
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            "url",
            "Where the request is sent. Redirects are not followed.",
            SettingType.URL,
            required=True,
            check=check_webhook_url,
            label="URL",
        ),
        Setting(
            "secret",
            "Signs each request as Standard Webhooks. The receiver checks the signature with the "
            "same secret: whsec_ and the output of openssl rand -base64 32.",
            SettingType.SECRET,
            required=True,
            check=check_webhook_secret,
            label="Signing secret",
        ),
        details_setting(default="no"),
    )

    def send(self, message: OutgoingMessage, settings: ParsedSettings) -> str:
        """Send one request. Raises DeliveryFailed unless the status of the response is 2xx."""
        is_personal = settings.is_on(DETAILS)
        body = orjson.dumps(build_webhook_payload(message, is_personal=is_personal))
        signed = build_signature_headers(
            body, settings.text("secret").encode(), message.sent_at, message.id
        )
        return post_json(settings.text("url"), body, headers=signed, seconds=MAX_SECONDS)


def build_webhook_payload(message: OutgoingMessage, *, is_personal: bool = False) -> dict[str, Any]:
    """Return the JSON document: `type` is `alerts.notified`, or `test` for a test message.

    The document is the same on every attempt, unless an alert has changed. `is_personal`: with
    customers and values.
    """
    return {
        "type": "alerts.notified" if message.alerts else "test",
        "data": {
            "subject": message.subject,
            "text": message.text,
            "alerts": [_alert_as_json(alert, is_personal=is_personal) for alert in message.alerts],
        },
    }


def _alert_as_json(alert: AlertSummary, *, is_personal: bool) -> dict[str, Any]:
    """Return an alert. Empty texts become null, and times RFC 3339 in UTC."""
    return {
        "id": alert.id,
        "title": alert.title,
        "state": alert.state,
        "severity": alert.severity,
        "team": alert.team or None,
        "rule": alert.rule or None,
        "order": alert.order or None,
        "source": alert.source or None,
        "customer": (alert.customer if is_personal else "") or None,
        "value": (alert.value if is_personal else "") or None,
        "missing": alert.missing or None,
        "response": alert.response or None,
        "due_at": format_rfc3339(alert.due_at),
        "opened_at": format_rfc3339(alert.opened_at),
        "url": alert.url,
    }
