"""How a message reached the product, as far as the stored message and its connector show it."""

from dataclasses import dataclass

from connectors.catalog import connectors_by_slug
from visibility.models.parked_message_decisions import EditedMessage
from visibility.models.sources_and_messages import InboundMessage

FILE_NAME_HEADER = "x-file-name"


@dataclass(frozen=True, slots=True)
class Delivery:
    """`signature`: what is known about the check of the sender, with its tone for the icon."""

    request: str
    signature: str
    tone: str
    answer: str = ""


def describe_delivery(message: InboundMessage) -> Delivery:
    """Describe the delivery. A webhook is stored only after its signature or token was checked."""
    if EditedMessage.objects.filter(message_id=message.pk).exists():
        return Delivery("Edited here", "Not signed: edited by a person", "unknown")
    connector = connectors_by_slug().get(message.source.connector)
    if file_name := message.headers.get(FILE_NAME_HEADER):
        return Delivery(f"File {file_name}", "Not signed: read from the drop folder", "unknown")
    if connector is None:
        return Delivery("Not known: its connector is not installed", "Not known", "unknown")
    webhook = f"POST /hooks/{message.source.slug}"
    if not connector.polls:
        response = connector({"source": message.source.slug}).success_response()
        answer = f"{response.status if response else 202}, sent after the message was stored"
        return Delivery(webhook, "Signature checked", "ok", answer)
    if not connector.accepts_webhooks:
        return Delivery("Fetched by a poll", "Not signed: fetched by a poll", "unknown")
    return Delivery(
        f"{webhook}, or fetched by a poll", "Signature checked if it came by webhook", "unknown"
    )
