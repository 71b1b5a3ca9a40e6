"""Webhooks: the alerts as JSON, signed as Standard Webhooks (standardwebhooks.com)."""

import base64
import binascii
from typing import Any, ClassVar
from urllib.parse import urlsplit

import orjson

from connectors.sdk.event_codec import format_rfc3339
from connectors.sdk.parse_setting_values import check_and_return_http_url
from connectors.sdk.settings import ParsedSettings, Setting, SettingType
from connectors.sdk.standard_webhooks import build_signature_headers
from connectors.sdk.webhook_and_poll_types import HttpRequest
from visibility.notify.channel import AlertSummary, Channel, DeliveryFailed, OutgoingMessage
from visibility.outbound.address_guard import is_url_in_outgoing_allowed
from visibility.outbound.http_client import OutgoingHttpClient
from visibility.outbound.request_time_and_count_limits import RequestBudget

# A slow receiver must not delay the messages of other subscriptions for long.
MAX_SECONDS = 10.0
MIN_SECRET_BYTES, MAX_SECRET_BYTES = 24, 64
PREFIX = "whsec_"


def check_webhook_url(text: str) -> None:
    """Check that a URL has https, or is one that an administrator allows. Raises ValueError."""
    check_and_return_http_url(text)
    if urlsplit(text).scheme != "https" and not is_url_in_outgoing_allowed(text):
        raise ValueError(
            "The URL must begin with https://. Without https, an administrator must list its host "
            "and port in OUTGOING_ALLOWED."
        )


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
    )

    def send(self, message: OutgoingMessage, settings: ParsedSettings) -> None:
        """Send one request. Raises DeliveryFailed unless the status of the response is 2xx."""
        body = orjson.dumps(build_webhook_payload(message))
        signed = build_signature_headers(
            body, settings.text("secret").encode(), message.sent_at, message.id
        )
        client = OutgoingHttpClient(RequestBudget(seconds=MAX_SECONDS, requests=1))
        try:
            response = client.send(
                HttpRequest(
                    "POST",
                    settings.text("url"),
                    headers={**signed, "content-type": "application/json"},
                    body=body,
                )
            )
        except ConnectionError as error:
            raise DeliveryFailed(f"The request failed: {error}") from error
        if not 200 <= response.status < 300:
            raise DeliveryFailed(f"The receiver answered with status {response.status}.")


def build_webhook_payload(message: OutgoingMessage) -> dict[str, Any]:
    """Return the JSON document: `type` is `alerts.notified`, or `test` for a test message.

    The document is the same on every attempt, unless an alert has changed.
    """
    return {
        "type": "alerts.notified" if message.alerts else "test",
        "data": {
            "subject": message.subject,
            "text": message.text,
            "alerts": [_alert_as_json(alert) for alert in message.alerts],
        },
    }


def _alert_as_json(alert: AlertSummary) -> dict[str, Any]:
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
        "due_at": format_rfc3339(alert.due_at),
        "opened_at": format_rfc3339(alert.opened_at),
        "url": alert.url,
    }
