"""Send a test event to a webhook source: signed like the vendor's, through the intake itself."""

from collections.abc import MutableMapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from asgiref.sync import async_to_sync

from visibility.ingest.source_secrets import (
    decrypt_secrets,
    secret_setting_values_by_name,
    unexpired_signing_secrets,
)
from visibility.ingest.unstored_requests import TEST_HEADER, sign_test_header
from visibility.models.sources_and_messages import Source
from visibility.web.intake.source_cache import SourceCache
from visibility.web.intake.webhook_endpoint import PREFIX, WebhookEndpoint


class NoTestEvent(ValueError):
    """No test event can be sent; the message is a sentence that says why."""


@dataclass(frozen=True, slots=True)
class IntakeAnswer:
    """How the intake answered a test event. `content` is its JSON."""

    status: int
    content: dict[str, Any]


def send_test_event(source: Source, *, now: datetime) -> IntakeAnswer:
    """Send the example of the connector, and return the answer. Raises NoTestEvent.

    The request passes everything that a request of the vendor passes: limits, the switch of the
    source, its secrets, the signature and the connector. Its marker keeps it from being stored. The
    way from the vendor to this server is not tested.
    """
    sealed = decrypt_secrets(source.sealed_secrets)
    connector = source.build_connector(secret_setting_values_by_name(sealed))
    secrets = unexpired_signing_secrets(sealed, now)
    body = connector.example_payload()
    if not connector.accepts_webhooks:
        raise NoTestEvent("This source accepts no webhooks.")
    if not body:
        raise NoTestEvent("This connector has no example to send.")
    if not secrets:
        raise NoTestEvent("This source has no secret to sign with.")
    headers = {
        "content-type": "application/json",
        **connector.guess_headers(body),
        **connector.build_signed_headers(body, secrets[0], now),
        TEST_HEADER: sign_test_header(source.slug),
    }
    query = connector.webhook_url_query(secrets[0].decode()).removeprefix("?")
    return async_to_sync(_post_to_intake)(source.slug, query, headers, body)


async def _post_to_intake(
    slug: str, query: str, headers: dict[str, str], body: bytes
) -> IntakeAnswer:
    sources = SourceCache()
    scope: MutableMapping[str, Any] = {
        "type": "http",
        "method": "POST",
        "path": PREFIX + slug,
        "query_string": query.encode("latin-1"),
        "headers": [(k.encode("latin-1"), v.encode("latin-1")) for k, v in headers.items()],
    }
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await WebhookEndpoint(sources)(scope, receive, send)
    await sources.unstored.write_now()
    content = orjson.loads(sent[1]["body"])
    return IntakeAnswer(sent[0]["status"], content)
