"""Where an order stands: one status from its quantities, and every state that holds."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from connectors.sdk.events import Attribute, EventType, Measure
from visibility.timeline.cancellations import cancelled, sellers, standing
from visibility.timeline.claims import Line
from visibility.timeline.enums import LineFlag, State
from visibility.timeline.milestones import MEASURED, OF_THE_ORDER
from visibility.timeline.model import Milestone, MilestoneCode, Spoken, Status
from visibility.timeline.quantity_claims import ZERO
from visibility.timeline.quantity_ledger import Ledger

# Words in a hold's reason that make it a matter of credit.
CREDIT_WORDS = ("credit", "payment", "overdue", "limit", "prepay", "dunning")
# Neither nothing nor all of it: nobody knows how much.
SOME = Decimal("0.5")
ENDS_HOLD = frozenset(
    {
        EventType.ORDER_HOLD_RELEASED,
        EventType.ORDER_RELEASED,
        EventType.SHIPMENT_CONFIRMED,
        EventType.ORDER_CANCELLED,
    }
)
BEFORE_SHIPPING = (
    MilestoneCode.PACKED,
    MilestoneCode.PICKED,
    MilestoneCode.ALLOCATED,
    MilestoneCode.RELEASED,
)
# (measure, the state when it is whole, the state when it is begun)
LADDER = (
    (Measure.SHIPPED, State.SHIPPED, State.PARTIALLY_SHIPPED),
    (Measure.DELIVERED, State.DELIVERED, State.PARTIALLY_DELIVERED),
    (Measure.INVOICED, State.INVOICED, State.PARTIALLY_INVOICED),
)


@dataclass(frozen=True, slots=True)
class Known:
    """What the status is derived from."""

    heard: Sequence[Spoken]
    ledger: Ledger
    milestones: Mapping[MilestoneCode, Milestone]
    at: datetime
    held: bool

    def share(self, code: MilestoneCode) -> Decimal:
        """The share that has reached a step: by quantities, or 1 where only the event is known."""
        known = self.ledger.share(MEASURED[code], self.at) if code in MEASURED else None
        if known is not None:
            return known
        milestone = self.milestones.get(code)
        if milestone is None or milestone.reached_at is None or milestone.share == 0:
            return Decimal(0)
        some = code in MEASURED and self.ledger.uncounted(MEASURED[code])
        return SOME if some else Decimal(1)

    def back(self, measure: Measure) -> Decimal | None:
        """The share of what left that came back, or was credited; None where nothing did."""
        gone = came = ZERO
        for key in self.ledger.main_lines():
            if self.ledger.aside(key):
                continue
            shipped, delivered, back = (
                self.ledger.got(key, m, self.at) or ZERO
                for m in (Measure.SHIPPED, Measure.DELIVERED, measure)
            )
            left, scale = max(shipped, delivered, ZERO), self.ledger.reading.goods[key].scale
            gone, came = gone + left / scale, came + min(max(back, ZERO), left) / scale
        return came / gone if gone and came else None


def hold(heard: Sequence[Spoken]) -> tuple[datetime | None, str]:
    """Since when a hold stands: each source's last word on holds decides for that source."""
    holds: dict[str, tuple[datetime, str]] = {}
    for spoken in heard:
        if spoken.event.type is EventType.ORDER_HELD:
            reason = spoken.event.attributes.get(Attribute.REASON, "")
            holds.setdefault(spoken.source, (spoken.occurred_at, reason))
        elif spoken.event.type in ENDS_HOLD:
            holds.pop(spoken.source, None)
    return min(holds.values()) if holds else (None, "")


def of_credit(reason: str) -> bool:
    """Whether a hold is a matter of credit."""
    return any(word in reason.lower() for word in CREDIT_WORDS)


def status(known: Known) -> Status:
    """The one word: the furthest step reached, by quantities before messages."""
    shipped, delivered = (
        known.share(code) for code in (MilestoneCode.SHIPPED, MilestoneCode.DELIVERED)
    )
    if not shipped and not delivered and cancelled(known.heard, known.ledger):
        return Status.CANCELLED
    if (shipped == 1 or delivered == 1) and known.back(Measure.RETURNED) == 1:
        credited = known.back(Measure.CREDITED) == 1
        return Status.CREDITED if credited else Status.RETURNED
    if delivered == 1:
        whole = known.share(MilestoneCode.INVOICED) == 1
        return Status.COMPLETED if whole else Status.DELIVERED
    if delivered:
        return Status.PARTIALLY_DELIVERED
    if shipped:
        return Status.SHIPPED if shipped == 1 else Status.PARTIALLY_SHIPPED
    return _before_shipping(known)


def _before_shipping(known: Known) -> Status:
    if known.held:
        return Status.HELD
    if _all_backordered(known.ledger):
        return Status.BACKORDERED
    for code in BEFORE_SHIPPING:
        if code in known.milestones and known.share(code):
            return Status(code.value)
    if any(s.event.type is EventType.ORDER_REJECTED for s in known.heard):
        return Status.REJECTED
    if MilestoneCode.ACCEPTED in known.milestones:
        return Status.ACCEPTED
    told = any(s.event.type in OF_THE_ORDER | {EventType.UNMAPPED} for s in known.heard)
    return Status.RECEIVED if told else Status.UNKNOWN


def _all_backordered(ledger: Ledger) -> bool:
    waiting = [
        (due, ledger.value(key, Measure.BACKORDERED) or ZERO)
        for key in ledger.main_lines()
        if not ledger.aside(key) and (due := ledger.due(key))
    ]
    return bool(waiting) and all(backordered >= due for due, backordered in waiting)


def since(
    found: Status,
    milestones: Mapping[MilestoneCode, Milestone],
    held_since: datetime | None,
    heard: Sequence[Spoken],
) -> datetime | None:
    """Since when the order is in its status."""
    if found is Status.HELD:
        return held_since
    codes = {
        Status.PARTIALLY_SHIPPED: (MilestoneCode.SHIPPED, "reached_at"),
        Status.SHIPPED: (MilestoneCode.SHIPPED, "completed_at"),
        Status.PARTIALLY_DELIVERED: (MilestoneCode.DELIVERED, "reached_at"),
        Status.DELIVERED: (MilestoneCode.DELIVERED, "completed_at"),
        Status.COMPLETED: (MilestoneCode.INVOICED, "completed_at"),
    }
    code, attribute = codes.get(found, (None, "reached_at"))
    if code is None and found.value in set(MilestoneCode):
        code = MilestoneCode(found.value)
    milestone = milestones.get(code) if code else None
    if milestone is None or milestone.reached_at is None:
        return heard[0].occurred_at if heard else None
    reached: datetime | None = getattr(milestone, attribute) or milestone.reached_at
    if found is Status.COMPLETED:
        delivered = milestones[MilestoneCode.DELIVERED].completed_at
        return max(m for m in (reached, delivered) if m) if reached or delivered else None
    return reached


def states(
    known: Known, found: Status, lines: Collection[Line], *, reason: str, conflict: bool
) -> Iterator[State]:
    """Everything customer service would call the order."""
    if known.held:
        yield State.CREDIT_REVIEW if of_credit(reason) else State.HELD
    shipped = known.share(MilestoneCode.SHIPPED)
    for measure, whole, begun in LADDER:
        share = known.share(MilestoneCode(measure.value))
        if share:
            yield whole if share == 1 else begun
    if not shipped and found not in {Status.CANCELLED, Status.REJECTED}:
        if known.share(MilestoneCode.RELEASED):
            yield State.RELEASED
        allocated = known.share(MilestoneCode.ALLOCATED)
        if allocated:
            yield State.ALLOCATED if allocated == 1 else State.PARTIALLY_ALLOCATED
    yield from _short_of_stock(known, lines)
    yield from _came_back(known)
    yield from _taken_back(known, found, lines)
    if any(LineFlag.SUBSTITUTED in line.flags for line in lines):
        yield State.SUBSTITUTED
    if conflict:
        yield State.CONFLICT


def _short_of_stock(known: Known, lines: Collection[Line]) -> Iterator[State]:
    waiting = [line for line in lines if waits(line)]
    if any(line.get(Measure.BACKORDERED) > 0 for line in waiting):
        yield State.BACKORDERED
    if waiting or shorted(known.heard, lines):
        yield State.STOCK_SHORTAGE


def waits(line: Line) -> bool:
    """Whether a line waits for stock."""
    short = line.get(Measure.BACKORDERED) > 0
    return line.counted and short and line.get(Measure.SHIPPED) < line.due


def shorted(heard: Sequence[Spoken], lines: Collection[Line]) -> bool:
    """Whether a line came up short, nobody said what becomes of it, and it has not left since."""
    owed = any(line.counted and line.get(Measure.SHIPPED) < line.due for line in lines)
    return owed and any(s.event.type is EventType.LINE_SHORTED for s in heard)


def _came_back(known: Known) -> Iterator[State]:
    for measure, code, whole, begun in (
        (Measure.RETURNED, MilestoneCode.RETURNED, State.RETURNED, State.PARTIALLY_RETURNED),
        (Measure.CREDITED, MilestoneCode.CREDITED, State.CREDITED, State.PARTIALLY_CREDITED),
    ):
        share = known.back(measure)
        if share is not None:
            yield whole if share == 1 else begun
        elif code in known.milestones:
            yield whole


def _taken_back(known: Known, found: Status, lines: Collection[Line]) -> Iterator[State]:
    cancels = standing(known.heard)
    if found is Status.CANCELLED:
        yield State.CANCELLED
    if any(line.short for line in lines) or (cancels and all(sellers(s) for s in cancels)):
        yield State.SHORT_CANCELLED
    left = known.share(MilestoneCode.SHIPPED) or known.share(MilestoneCode.DELIVERED)
    whole = [
        s for s in cancels if not any(Measure.CANCELLED in n.quantities for n in s.event.lines)
    ]
    if (left and whole) or any(LineFlag.CONTRADICTION in line.flags for line in lines):
        yield State.CONTRADICTION
