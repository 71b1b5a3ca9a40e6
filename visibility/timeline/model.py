"""A timeline and its parts: recorded events and everything derived from them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from connectors.sdk.connector import SourceRole
from connectors.sdk.events import (
    SHARED_KINDS,
    Attribute,
    CanonicalEvent,
    EventIdentifier,
    EventLine,
    Flag,
    IdentifierScheme,
    ObjectKind,
)
from visibility.timeline.claim_line_conflict_types import (
    Claim,
    Promise,
    TimelineConflict,
    TimelineLine,
)
from visibility.timeline.master_data_dictionary import EMPTY_DICTIONARY, MasterDataDictionary
from visibility.timeline.state_and_flag_enums import OrderState

# Clocks of two systems may differ by this much.
CLOCK_SKEW = timedelta(minutes=1)


def parse_timestamp_or_none(text: str | None) -> datetime | None:
    """Parse the date or time of an attribute; a date without a time is midnight UTC."""
    if not text:
        return None
    parsed = datetime.fromisoformat(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


class MilestoneCode(StrEnum):
    """A milestone of an order, in the usual order."""

    RECEIVED = "received"
    ACCEPTED = "accepted"
    PAYMENT_APPROVED = "payment_approved"
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
    """The status of an order, derived from quantities first and events second."""

    UNKNOWN = "unknown"  # known only from a shipment or an invoice
    RECEIVED = "received"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    ON_HOLD = "on_hold"
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
    RETURNED = "returned"  # everything that was shipped came back
    CREDITED = "credited"  # and was credited
    CANCELLED = "cancelled"


CLOSED = frozenset({Status.COMPLETED, Status.CREDITED, Status.CANCELLED, Status.REJECTED})


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """A stored event with its source, its times and the objects that it was resolved to.

    `occurred_at` is the event's own time, or the time of receipt if it has none. `object_keys` are
    the canonical keys of `event.objects`, in order. `order_index` is the index of the folded order
    among them, -1 if the event concerns the order through a shipment or an invoice.
    `has_only_lines_of_order`: lines without an order are its own, also in a shared package.
    `corrected_at`: when each event that withdraws it (also of other orders) occurred, was received.
    """

    event: CanonicalEvent
    source: str
    role: SourceRole
    occurred_at: datetime
    received_at: datetime
    content_hash: str
    object_keys: tuple[str, ...]
    order_index: int
    event_id: int = 0
    message_id: int = 0
    has_only_lines_of_order: bool = False
    corrected_at: tuple[tuple[datetime, datetime], ...] = ()
    replaces: str = ""  # the source that its source replaced

    @property
    def flags_with_future_if_after_receipt(self) -> tuple[Flag, ...]:
        """The flags of the event; `FUTURE` if it was received before it occurred."""
        if self.occurred_at - self.received_at > CLOCK_SKEW:
            return (*self.event.flags, Flag.FUTURE)
        return self.event.flags

    def does_line_name_this_or_no_order(self, line: EventLine) -> bool:
        """Whether a line names the folded order (so may two references of one event), or none."""
        if line.order_index in {-1, self.order_index}:
            return True
        key = self.object_keys[line.order_index]
        return self.order_index >= 0 and bool(key) and key == self.object_keys[self.order_index]

    @property
    def identifiers_of_this_order(self) -> tuple[EventIdentifier, ...]:
        """The numbers by which the event names the folded order."""
        return self.event.objects[self.order_index].identifiers if self.order_index >= 0 else ()

    def owned_object_keys(self) -> set[str]:
        """The keys of the objects that belong to orders: shipments, packages, invoices, returns."""
        return {
            key
            for ref, key in zip(self.event.objects, self.object_keys, strict=True)
            if key and ref.kind is not ObjectKind.ORDER and ref.kind not in SHARED_KINDS
        }


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One entry of the activity list.

    `repeats`: how often the source repeated it unchanged. `is_update`: the source had already
    reported this state; only its figures changed.
    """

    recorded: RecordedEvent
    superseded: bool = False
    repeats: int = 0
    is_update: bool = False


@dataclass(frozen=True, slots=True)
class PackageItem:
    """A line in a package; `quantity` is None if it was not reported."""

    name: str
    quantity: Decimal | None
    unit: str
    serials: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RelatedObject:
    """An object that may concern many orders, such as a contract or a vehicle, by its number."""

    kind: ObjectKind
    number: str


@dataclass(frozen=True, slots=True)
class Package:
    """One package: its numbers, what its carrier reports, and its items.

    `returned_at`: when it arrived back at the sender.
    """

    key: str
    tracking: str
    sscc: str
    status: str
    first_scan_at: datetime | None
    last_scan_at: datetime | None
    delivered_at: datetime | None
    items: tuple[PackageItem, ...] = ()
    returned_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TimelineShipment:
    """Goods that were shipped together, as reported by any system.

    `transport`: its loads, vehicles, containers and transport documents. `scanned_at`: when the
    last of its packages had its first scan. `returned_at`: when all were back at the sender.
    """

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
    transport: tuple[RelatedObject, ...] = ()
    scanned_at: datetime | None = None
    returned_at: datetime | None = None

    @property
    def status(self) -> str:
        """void, delivered, the carrier's last status, shipped, label_created or planned."""
        if self.voided_at:
            return "void"
        if self.delivered_at:
            return "delivered"
        statuses = sorted({p.status for p in self.packages if p.status} - {"delivered"})
        if statuses:
            return statuses[0]
        return "shipped" if self.shipped_at else "label_created" if self.label_at else "planned"


@dataclass(frozen=True, slots=True)
class TimelineMilestone:
    """When a milestone is planned, reached and completed; `share`: fraction of the quantity."""

    code: MilestoneCode
    planned_at: datetime | None = None
    reached_at: datetime | None = None
    completed_at: datetime | None = None
    share: Decimal | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Timeline:
    """Everything derived from the events of one order up to `as_of`.

    `conflicts` are open, `pending_conflicts` still within their grace period. `next_change_at`:
    when the timeline changes without a new event.
    """

    key: str
    as_of: datetime
    status: Status
    status_since: datetime | None
    entries: tuple[TimelineEntry, ...]
    lines: tuple[TimelineLine, ...]
    shipments: tuple[TimelineShipment, ...]
    milestones: Mapping[MilestoneCode, TimelineMilestone]
    claims: tuple[Claim, ...]
    attributes: Mapping[Attribute, str]
    on_hold_since: datetime | None = None
    hold_reason: str = ""
    numbers: Mapping[str, str] = field(default_factory=dict)
    states: tuple[OrderState, ...] = ()
    conflicts: tuple[TimelineConflict, ...] = ()
    pending_conflicts: tuple[TimelineConflict, ...] = ()
    promises: tuple[Promise, ...] = ()
    related: tuple[RelatedObject, ...] = ()
    next_change_at: datetime | None = None
    # Currencies that sources use besides the order's own. Their amounts are never compared.
    currencies: tuple[str, ...] = ()
    # The dictionary that the events were translated with.
    dictionary: MasterDataDictionary = field(default=EMPTY_DICTIONARY, compare=False, repr=False)
    # Cache of derived values that several KPIs need.
    cache: dict[tuple[str, str], Any] = field(
        init=False, default_factory=dict, compare=False, repr=False
    )

    def milestone_reached_at(self, code: MilestoneCode) -> datetime | None:
        """When a milestone was first reached."""
        return self.milestones[code].reached_at if code in self.milestones else None

    def milestone_completed_at(self, code: MilestoneCode) -> datetime | None:
        """When a milestone was completed for the whole order."""
        return self.milestones[code].completed_at if code in self.milestones else None

    def first_number_of_schemes(self, *schemes: IdentifierScheme) -> str:
        """The number of the first of these schemes that the order has, "" if it has none."""
        for scheme in schemes:
            values = sorted(v for k, v in self.numbers.items() if k.startswith(f"{scheme.value}:"))
            if values:
                return values[0]
        return ""

    def first_promise_of_kind(self, kind: str) -> Promise | None:
        """The first date of a kind in the history of the order, without those of lines."""
        return next((p for p in self.promises if p.kind == kind and not p.line_key), None)

    @property
    def is_open(self) -> bool:
        """Whether anything is still outstanding."""
        return self.status not in CLOSED
