"""What every alert channel offers."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Note:
    """One thing to say. `id` is the same on every attempt, so that a receiver can tell repeats."""

    id: str
    subject: str
    text: str


class Undelivered(RuntimeError):
    """The channel could not send; it will be tried again."""


class Channel(ABC):
    """A way to reach people."""

    code: ClassVar[str]
    title: ClassVar[str]

    @abstractmethod
    def send(self, note: Note, address: str) -> None:
        """Send to one address. Raises Undelivered."""
