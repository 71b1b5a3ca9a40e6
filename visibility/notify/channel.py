"""The base class of notification channels."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

from connectors.sdk.settings import ParsedSettings, Setting


@dataclass(frozen=True, slots=True)
class AlertSummary:
    """One alert of a message, for channels that send data. Absent texts are empty.

    `order` is the number of the order, `source` the slug of the source, `rule` the code of the SLA
    rule, and `url` the page of the alert. `age` is as of sending. `customer` and `value` are those
    that the subscriber may see, and `value_label` says what the value is. `transitions`: what
    happened to the alert that is reported with this message, such as `opened`.
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
    started_at: datetime | None = None
    age: str = field(default="", compare=False)
    customer: str = ""
    value: str = ""
    value_label: str = ""
    missing: str = ""
    response: str = ""
    transitions: Sequence[str] = ()


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
    """The channel could not send the message; the outbox retries it.

    `code`: the status of the response, if there was one. `retry_after`: how long the server asks
    to wait. `is_permanent`: the server answered that the address no longer exists.
    """

    def __init__(
        self,
        text: str,
        *,
        code: str = "",
        retry_after: timedelta | None = None,
        is_permanent: bool = False,
    ) -> None:
        super().__init__(text)
        self.code = code
        self.retry_after = retry_after
        self.is_permanent = is_permanent


class Channel(ABC):
    """A way to send notifications to people or systems.

    `settings` declares what each subscription must enter. The form, its checks, the API and the
    encryption of secret settings follow from it.
    """

    code: ClassVar[str]
    title: ClassVar[str]
    # Whether the title is a proper name, which keeps its capital letters in a sentence.
    is_proper_name: ClassVar[bool] = False
    # One sentence for the person who chooses a channel.
    description: ClassVar[str] = ""
    settings: ClassVar[tuple[Setting, ...]] = ()
    # Alerts in one message at most; further ones go in the next message.
    max_alerts: ClassVar[int] = 5_000
    # It also reports that an alert which it received was acknowledged or closed.
    follows_alerts: ClassVar[bool] = False

    @property
    def name_in_sentence(self) -> str:
        """`webhook`, but `Slack`."""
        return self.title if self.is_proper_name else self.title.lower()

    def not_installed_sentence(self) -> str:
        """Why it cannot be used without a package, and how to install that; empty if it can."""
        return ""

    def missing_server_sentence(self) -> str:
        """Why no server can accept messages, as a sentence; empty if one is configured.

        If `send()` succeeds nevertheless, the message counts as written, and not as sent.
        """
        return ""

    @abstractmethod
    def send(self, message: OutgoingMessage, settings: ParsedSettings) -> str | None:
        """Send the message, and return once a server has accepted it. Raises DeliveryFailed.

        Return the answer of the server, if it gave one.
        """
