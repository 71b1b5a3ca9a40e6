"""Standard Webhooks: signed JSON with a type, a time and our own event data."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from connectors.sdk import event_json, standard_webhooks
from connectors.sdk.connector import Connector, Message, Parsed, Request, Role
from connectors.sdk.payload import load_json
from connectors.sdk.timestamps import instant


class StandardWebhooks(Connector):
    """Any system that signs by Standard Webhooks (Svix too): `whsec_` secrets are base64, others
    plain text, `whpk_` is an Ed25519 public key. The body is {"type", "timestamp", "data"}."""

    slug = "standard_webhooks"
    title = "Standard Webhooks"
    role = Role.OTHER
    settings: ClassVar[Mapping[str, str]] = event_json.SETTINGS
    kept_headers: ClassVar[frozenset[str]] = standard_webhooks.HEADERS | standard_webhooks.SVIX

    def verify(self, request: Request, secrets: Sequence[bytes], now: datetime) -> None:
        """The three headers over the raw body, within five minutes."""
        standard_webhooks.check(request.headers, request.body, secrets, now)

    def sign(self, body: bytes, secret: bytes, now: datetime) -> Mapping[str, str]:
        """The three headers; the id is made of the body."""
        return standard_webhooks.sign(body, secret, now, _made_id(body))

    def dedupe_key(self, request: Request) -> str:
        """The webhook-id: the same on every retry."""
        return standard_webhooks.header(request.headers, "id")

    def infer_headers(self, body: bytes) -> Mapping[str, str]:
        """An id, for a body without a request."""
        return {"webhook-id": _made_id(body)}

    def parse(self, message: Message) -> Parsed:
        """One event of our own vocabulary."""
        root = load_json(message.body)
        event = event_json.read(
            root.at("data"),
            word=root.need("type"),
            path="type",
            key=standard_webhooks.header(message.headers, "id") or _made_id(message.body),
            at=instant(root.text("timestamp"), "timestamp", self.config.get("zone") or None),
            config=self.config,
            source=self.source,
        )
        return Parsed((event,))


def _made_id(body: bytes) -> str:
    return f"msg_{hashlib.sha256(body).hexdigest()[:24]}"
