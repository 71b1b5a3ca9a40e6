"""The shape of a timeline: what was said, what follows from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from connectors.sdk.connector import Role
from connectors.sdk.events import Attribute, CanonicalEvent, Flag
from visibility.timeline.claims import Claim, Conflict, Line, Promise
from visibility.timeline.dictionary import NOTHING, Dictionary
from visibility.timeline.enums import State

# The clocks of two systems may be so far apart.
AHEAD = timedelta(minutes=1)


def moment(text: str | None) -> datetime | None:
    """An attribute's date or time, aware; a bare date is midnight UTC."""
    if not text:
        return None
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


class MilestoneCode(StrEnum):
    """The steps of the rail, in the order of the trade."""

    RECEIVED = "received"
    ACCEPTED = "accepted"
    RELEASED = "released"
    ALLOCATED = "allocated"
    PICKED = "picked"
    PACKED = "packed"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    INVOICED = "invoiced"
    PAID = "paid"
    RETURNED = "returned"
    CREDITED = "credited"
    CANCELLED = "cancelled"


class Status(StrEnum):
    """Where an order stands, derived from its quantities before its messages."""

    UNKNOWN = "unknown"  # only known from a parcel or an invoice
    RECEIVED = "received"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    HELD = "held"
    RELEASED = "released"
    ALLOCATED = "allocated"
    BACKORDERED = "backordered"
    PICKED = "picked"
    PACKED = "packed"
    PARTIALLY_SHIPPED = "partially_shipped"
    SHIPPED = "shipped"
    PARTIALLY_DELIVERED = "partially_delivered"
    DELIVERED = "delivered"
    COMPLETED = "completed"  # delivered and invoiced
    RETURNED = "returned"  # everything that was sent came back
    CREDITED = "credited"  # and was credited
    CANCELLED = "cancelled"


CLOSED = frozenset({Status.COMPLETED, Status.CREDITED, Status.CANCELLED, Status.REJECTED})


@dataclass(frozen=True, slots=True)
class Spoken:
    """An event as kept: who said it, when it was heard, which objects it turned out to name.

    `occurred_at` is the event's own, or the receive time where it has none. `objects` are the
    canonical keys of the objects of `event.objects`, in order. `order` is the index of the folded
    order among them, -1 where the event reached the order through a shipment or an invoice.
    """

    event: CanonicalEvent
    source: str
    role: Role
    occurred_at: datetime
    received_at: datetime
    content_hash: str
    objects: tuple[str, ...]
    order: int
    event_id: int = 0
    message_id: int = 0

    @property
    def flags(self) -> tuple[Flag, ...]:
        """The event's, and whether it was told ahead of its time by more than clocks differ."""
        if self.occurred_at - self.received_at > AHEAD:
            return (*self.event.flags, Flag.FUTURE)
        return self.event.flags


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the timeline.

    `repeats`: how often the same was said again afterwards. `again`: the source had told of this
    state before, now with other figures: an update, no new step.
    """

    spoken: Spoken
    superseded: bool = False
    repeats: int = 0
    again: bool = False


@dataclass(frozen=True, slots=True)
class Package:
    """One parcel: its number and what its carrier says."""

    key: str
    tracking: str
    sscc: str
    status: str
    first_scan_at: datetime | None
    last_scan_at: datetime | None
    delivered_at: datetime | None


@dataclass(frozen=True, slots=True)
class Shipment:
    """Goods that left together, whichever systems spoke of them."""

    key: str
    number: str
    carrier: str
    service: str
    warehouse: str
    sources: tuple[str, ...]
    packages: tuple[Package, ...]
    label_at: datetime | None
    shipped_at: datetime | None
    voided_at: datetime | None
    first_scan_at: datetime | None
    last_scan_at: datetime | None
    delivered_at: datetime | None
    eta: datetime | None

    @property
    def status(self) -> str:
        """The furthest word: void, delivered, the carrier's last, shipped, label_created."""
        if self.voided_at:
            return "void"
        if self.delivered_at:
            return "delivered"
        words = sorted({p.status for p in self.packages if p.status} - {"delivered"})
        if words:
            return words[0]
        return "shipped" if self.shipped_at else "label_created" if self.label_at else "planned"


@dataclass(frozen=True, slots=True)
class Milestone:
    """A step: planned, first reached, completed, and the share of the quantity (0..1)."""

    code: MilestoneCode
    planned_at: datetime | None = None
    reached_at: datetime | None = None
    completed_at: datetime | None = None
    share: Decimal | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Timeline:
    """Everything that follows from the events of one order up to `as_of`.

    `conflicts` are open; `waiting` differ for no longer than a word may take. `changes_at`: when
    time alone will change the answer.
    """

    key: str
    as_of: datetime
    status: Status
    status_since: datetime | None
    entries: tuple[Entry, ...]
    lines: tuple[Line, ...]
    shipments: tuple[Shipment, ...]
    milestones: Mapping[MilestoneCode, Milestone]
    claims: tuple[Claim, ...]
    attributes: Mapping[Attribute, str]
    held_since: datetime | None = None
    held_reason: str = ""
    numbers: Mapping[str, str] = field(default_factory=dict)
    states: tuple[State, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    waiting: tuple[Conflict, ...] = ()
    promises: tuple[Promise, ...] = ()
    changes_at: datetime | None = None
    # Currencies that sources name beside the order's own: their amounts are never compared.
    currencies: tuple[str, ...] = ()
    # The words it was read with; what follows from them is above.
    dictionary: Dictionary = field(default=NOTHING, compare=False, repr=False)
    # What was worked out of it once: several numbers ask the same.
    kept: dict[tuple[str, str], Any] = field(
        init=False, default_factory=dict, compare=False, repr=False
    )

    def when(self, code: MilestoneCode) -> datetime | None:
        """When a step was first reached."""
        return self.milestones[code].reached_at if code in self.milestones else None

    def completed(self, code: MilestoneCode) -> datetime | None:
        """When a step was completed for the whole order."""
        return self.milestones[code].completed_at if code in self.milestones else None

    def promise(self, kind: str) -> Promise | None:
        """The first word of a kind in the promise ledger."""
        return next((p for p in self.promises if p.kind == kind), None)

    @property
    def is_open(self) -> bool:
        """Whether anything is still owed."""
        return self.status not in CLOSED
