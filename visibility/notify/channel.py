"""The base class of notification channels."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A message to send. `id` is the same on every attempt: receivers can detect duplicates."""

    id: str
    subject: str
    text: str


class DeliveryFailed(RuntimeError):
    """The channel could not send the message; the outbox retries it."""


class Channel(ABC):
    """A way to send notifications to people."""

    code: ClassVar[str]
    title: ClassVar[str]

    @abstractmethod
    def send(self, message: OutgoingMessage, address: str) -> None:
        """Send the message to one address. Raises Undelivered."""
