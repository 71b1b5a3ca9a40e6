"""Poll a fake vendor over real HTTP, and read the stored rows as events."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from connectors.sdk.connector import Connector, RawMessage
from connectors.sdk.events import CanonicalEvent
from connectors.sdk.webhook_and_poll_types import (
    NO_TOKENS,
    OpenPackage,
    PollContext,
    PolledPage,
    PollError,
    TokenStore,
)
from visibility.outbound.http_client import OutgoingHttpClient

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
) -> list[PolledPage]:
    """Run a poll to its end. Raises PollError."""
    context = PollContext(NOW, lambda *_: packages, tokens)
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
