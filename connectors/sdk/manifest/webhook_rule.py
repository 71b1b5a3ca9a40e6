"""How a manifest receives webhooks, after parsing."""

from dataclasses import dataclass, field
from datetime import timedelta

from connectors.sdk.manifest.operators import FieldCondition, ValueOperator


@dataclass(frozen=True, slots=True)
class VerifyRule:
    """How a webhook proves its sender. `method` is the only one that applies."""

    method: str
    header: str = ""
    algorithm: str = "sha256"
    encoding: str = "hex"
    prefix: str = ""
    signature_field: str = ""
    timestamp_field: str = ""
    signed: str = "body"
    timestamp_header: str = ""
    id_header: str = ""
    tolerance: timedelta = timedelta(minutes=5)
    key_form: str = "text"
    # RSA: the setting with the public keys, and the header with the id of the key.
    public_keys_setting: str = ""
    key_id_header: str = ""
    # The member of the query with the secret: the only proof, or one in place of a signature.
    query_token: str = ""


@dataclass(frozen=True, slots=True)
class HandshakeRule:
    """A setup request and its response. All given conditions must hold."""

    status: int
    method: str = ""
    query: str = ""
    header: str = ""
    body_begins: bytes = b""
    echo: str = ""
    body: str = ""
    content_type: str = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class NoticeRule:
    """Webhooks that only say that something changed; the poll reads it."""

    condition: FieldCondition
    reason: str


@dataclass(frozen=True, slots=True)
class WebhookRule:
    """The webhook door."""

    verify: VerifyRule
    handshakes: tuple[HandshakeRule, ...] = ()
    delivery_id_header: str = ""
    delivery_id_field: ValueOperator | None = None
    delivery_id_condition: FieldCondition = field(default_factory=FieldCondition)
    stored_headers: frozenset[str] = frozenset()
    answer: tuple[int, bytes, str] | None = None
    notice: NoticeRule | None = None
