"""Poll a fake vendor over real HTTP, and read the stored rows as events."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from connectors.sdk.connector import Connector, RawMessage
from connectors.sdk.event_codec import sha256_hex, to_canonical_json
from connectors.sdk.events import CanonicalEvent, ObjectKind, ObjectReference
from connectors.sdk.webhook_and_poll_types import (
    NO_TOKENS,
    OpenPackage,
    PollContext,
    PolledPage,
    PollError,
    TokenStore,
)
from visibility.outbound.http_client import OutgoingHttpClient
from visibility.timeline import RecordedEvent, fold
from visibility.timeline.model import Timeline

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
SECRETS = (b"a-secret-of-this-source-0123",)


class MemoryTokens:
    """A token store that counts what is stored. The tokens do not expire by themselves."""

    def __init__(self) -> None:
        self.tokens: dict[str, str] = {}

    def token(self, key: str) -> str:
        return self.tokens.get(key, "")

    def store(self, key: str, token: str, seconds: float) -> None:
        self.tokens[key] = token

    def discard(self, key: str) -> None:
        self.tokens.pop(key, None)


def poll_pages(
    connector: Connector,
    cursor: str = "",
    *,
    tokens: TokenStore = NO_TOKENS,
    packages: Sequence[OpenPackage] = (),
    secrets: Sequence[bytes] = SECRETS,
    notices: Sequence[bytes] = (),
) -> list[PolledPage]:
    """Run a poll to its end. Raises PollError."""
    context = PollContext(NOW, lambda *_: packages, tokens, notices=lambda _: notices)
    return list(connector.poll_with_context(OutgoingHttpClient(), cursor, secrets, context))


def poll_until_error(
    connector: Connector, cursor: str = "", *, tokens: TokenStore = NO_TOKENS
) -> tuple[list[PolledPage], PollError]:
    """Run a poll that fails; return the pages before the error, and the error."""
    pages: list[PolledPage] = []
    context = PollContext(NOW, tokens=tokens)
    try:
        pages.extend(connector.poll_with_context(OutgoingHttpClient(), cursor, SECRETS, context))
    except PollError as error:
        return pages, error
    raise AssertionError("the poll did not fail")


def events_of_pages(
    connector: Connector, pages: Sequence[PolledPage], headers: Mapping[str, str] | None = None
) -> list[CanonicalEvent]:
    """Parse each different row once, as the product does."""
    rows = {record.dedupe_key: record for page in pages for record in page.records}
    return [
        event
        for record in rows.values()
        for event in connector.parse(
            RawMessage(record.body, {**(headers or {}), **record.headers}, NOW)
        ).events
    ]


def keys_of_pages(pages: Sequence[PolledPage]) -> list[str]:
    """The keys of the rows, in the order of their arrival, each once."""
    return list(dict.fromkeys(record.dedupe_key for page in pages for record in page.records))


def fold_messages(connector: Connector, *bodies: object) -> Timeline:
    """The timeline of one order after these messages, in the order of their arrival."""
    events = [
        event
        for body in bodies
        for event in connector.parse(RawMessage(json.dumps(body).encode(), {}, NOW)).events
    ]
    recorded = [
        RecordedEvent(
            event=event,
            source=connector.source_slug,
            role=connector.role,
            occurred_at=event.occurred_at or NOW,
            received_at=NOW,
            content_hash=sha256_hex(to_canonical_json(event)),
            object_keys=tuple(_object_key(ref) for ref in event.objects),
            order_index=0,
        )
        for event in events
    ]
    return fold(recorded, key="order", as_of=NOW)


def _object_key(ref: ObjectReference) -> str:
    is_order = ref.kind is ObjectKind.ORDER
    return "order" if is_order else f"{ref.kind.value} {ref.identifiers[0].value}"
