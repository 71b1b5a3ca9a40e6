"""The base class of notification channels."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from connectors.sdk.settings import ParsedSettings, Setting


@dataclass(frozen=True, slots=True)
class AlertSummary:
    """One alert of a message, for channels that send data. Absent texts are empty.

    `order` is the number of the order, `source` the slug of the source, `rule` the code of the SLA
    rule, and `url` the page of the alert. Prices and customers are left out.
    """

    id: int
    title: str
    state: str
    severity: str
    team: str
    rule: str
    order: str
    source: str
    due_at: datetime
    opened_at: datetime
    url: str


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A message to send. `id` is the same on every attempt: receivers can detect duplicates.

    `sent_at` is the time of this attempt. A test message has no `alerts`. `text` has no prices and
    customers. `personal_text` has those that the subscriber may see, for channels that deliver to
    people; it is empty if there are none.
    """

    id: str
    subject: str
    text: str
    sent_at: datetime = field(compare=False)
    alerts: Sequence[AlertSummary] = ()
    personal_text: str = ""


class DeliveryFailed(RuntimeError):
    """The channel could not send the message; the outbox retries it."""


class Channel(ABC):
    """A way to send notifications to people or systems.

    `settings` declares what each subscription must enter. The form, its checks, the API and the
    encryption of secret settings follow from it.
    """

    code: ClassVar[str]
    title: ClassVar[str]
    # One sentence for the person who chooses a channel.
    description: ClassVar[str] = ""
    settings: ClassVar[tuple[Setting, ...]] = ()

    def missing_server_sentence(self) -> str:
        """Why no server can accept messages, as a sentence; empty if one is configured.

        If `send()` succeeds nevertheless, the message counts as written, and not as sent.
        """
        return ""

    @abstractmethod
    def send(self, message: OutgoingMessage, settings: ParsedSettings) -> None:
        """Send the message, and return once a server has accepted it. Raises DeliveryFailed."""
