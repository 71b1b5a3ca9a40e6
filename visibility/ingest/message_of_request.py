"""What is stored of a request to a source, or of a message from its queue."""

from connectors.sdk import trace_context
from connectors.sdk.connector import Connector
from connectors.sdk.webhook_and_poll_types import WebhookRequest
from visibility.ingest.insert_messages import IncomingMessage

# Headers stored with every message, in addition to those of the connector.
STORED_HEADERS = frozenset({"content-type", "content-encoding"})

# The protocol and the queue from which a message came. No request can have it stored.
QUEUE_HEADER = "x-queue"


def build_message_to_store(
    source_id: int, connector: Connector, key: str, request: WebhookRequest
) -> IncomingMessage:
    """The message to store, with only the headers that parsing needs and the trace context.

    Without a `key`, the hash of the content is one.
    """
    headers = {
        name: value
        for name, value in request.headers.items()
        if name in STORED_HEADERS or name in connector.stored_headers
    }
    headers |= trace_context.valid_trace_headers(
        {**request.headers, **connector.event_trace_headers(request)}
    )
    body = connector.body_to_store(request)
    message = IncomingMessage(source_id, key, headers, body)
    if key:
        return message
    return IncomingMessage(source_id, f"sha256 {message.content_hash}", headers, body)
