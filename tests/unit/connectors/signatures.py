"""Whether a connector accepts a request, for assertions."""

from collections.abc import Sequence
from datetime import datetime

from connectors.sdk.auth import InvalidSignature
from connectors.sdk.connector import Connector
from connectors.sdk.webhook_and_poll_types import WebhookRequest


def is_accepted(
    connector: Connector, request: WebhookRequest, secrets: Sequence[bytes], now: datetime
) -> bool:
    """Return whether the signature or token of the request belongs to one of the secrets."""
    try:
        connector.verify(request, secrets, now)
    except InvalidSignature:
        return False
    return True
