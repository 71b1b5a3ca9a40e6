"""How a message reached the product, as far as the stored message and its connector show it."""

import shlex
from dataclasses import dataclass
from http import HTTPStatus

import orjson
from django.conf import settings

from connectors.catalog import connectors_by_slug
from visibility.ingest.message_of_request import QUEUE_HEADER
from visibility.models.parked_message_decisions import EditedMessage
from visibility.models.sources_and_messages import InboundMessage
from visibility.screens.messages.message_queries import HIDDEN, redact_headers_or_settings

FILE_NAME_HEADER = "x-file-name"
# Of files from an SFTP server.
FILE_FOLDER_HEADER = "x-file-folder"
TRACE_HEADERS = ("traceparent", "tracestate")


@dataclass(frozen=True, slots=True)
class Delivery:
    """`signature`: what is known about the check of the sender, with its tone for the icon.

    `answer` and `answer_body`: what the intake answered. `curl`: a command that repeats the
    request, without its signature or token.
    """

    request: str
    signature: str
    tone: str
    answer: str = ""
    answer_body: str = ""
    curl: str = ""


def describe_delivery(message: InboundMessage) -> Delivery:
    """Describe the delivery. A webhook is stored only after its signature or token was checked."""
    if EditedMessage.objects.filter(message_id=message.pk).exists():
        return Delivery("Edited here", "Not signed: edited by a person", "unknown")
    connector = connectors_by_slug().get(message.source.connector)
    if file_name := message.headers.get(FILE_NAME_HEADER):
        if folder := message.headers.get(FILE_FOLDER_HEADER):
            verification = "Not signed: read from a server whose host key was checked"
            return Delivery(f"File {file_name} of {folder}", verification, "unknown")
        return Delivery(f"File {file_name}", "Not signed: read from the drop folder", "unknown")
    if queue := message.headers.get(QUEUE_HEADER):
        return Delivery(f"Queue {queue}", "Not signed: received from the broker", "unknown")
    if connector is None:
        return Delivery("Not known: its connector is not installed", "Not known", "unknown")
    webhook = f"POST /hooks/{message.source.slug}"
    if connector.is_webhook(message.headers):
        response = connector({"source": message.source.slug}).success_response()
        status = HTTPStatus(response.status if response else HTTPStatus.ACCEPTED)
        accepted = {"message_id": str(message.pk), "status": "accepted"}
        body = response.body if response else orjson.dumps(accepted)
        return Delivery(
            webhook,
            "Signature checked",
            "ok",
            f"{status.value} {status.phrase}, sent after the message was stored",
            body.decode("utf-8", "replace"),
            _curl_command(message),
        )
    if not connector.accepts_webhooks:
        return Delivery("Fetched by a poll", "Not signed: fetched by a poll", "unknown")
    return Delivery(
        f"{webhook}, or fetched by a poll", "Signature checked if it came by webhook", "unknown"
    )


def _curl_command(message: InboundMessage) -> str:
    """Repeats the request with the payload from a file. Headers with secrets are left out."""
    skipped = {"content-encoding", "content-length", *TRACE_HEADERS}
    headers = [
        f"{name}: {text}"
        for name, text in redact_headers_or_settings(message.headers)
        if name not in skipped and text != HIDDEN
    ]
    address = f"{settings.PUBLIC_URL}/hooks/{message.source.slug}"
    lines = [f"curl -X POST {shlex.quote(address)}"]
    lines += [f"-H {shlex.quote(header)}" for header in headers]
    lines.append(f"--data-binary @message-{message.pk}")
    return " \\\n  ".join(lines)
