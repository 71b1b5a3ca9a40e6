"""Pure answers for the numbers: what left first, what was wanted then, when the last arrived."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from connectors.sdk.events import Attribute, EventType, Measure
from visibility.timeline.cancellations import sellers
from visibility.timeline.claims import Line
from visibility.timeline.enums import LineFlag
from visibility.timeline.interpretation import READ, Reading, meaning
from visibility.timeline.lines import rounded
from visibility.timeline.model import MilestoneCode, Spoken, Status, Timeline
from visibility.timeline.quantity_claims import ZERO
from visibility.timeline.quantity_ledger import Ledger
from visibility.timeline.shipments import Parcels


@dataclass(frozen=True, slots=True)
class FirstShipment:
    """When goods first left, and how much of each line (by its key) left then.

    `uncounted`: why some of it can't be counted.
    """

    at: datetime
    quantities: dict[str, Decimal]
    uncounted: frozenset[LineFlag] = frozenset()


@dataclass(frozen=True, slots=True)
class Demand:
    """What counts of one order on its cut-off day: (wanted, left with the first shipment) a line.

    `excluded` says why nothing counts; `aside` how many lines could not be counted, and why.
    """

    day: date
    lines: tuple[tuple[Decimal, Decimal], ...] = ()
    excluded: str = ""
    aside: Mapping[str, int] = field(default_factory=dict)


def first_shipment(timeline: Timeline) -> FirstShipment | None:
    """The first shipment: every telling of the goods that left first, and of no later ones."""
    return _first(timeline, *_read(timeline))


def _first(timeline: Timeline, heard: Sequence[Spoken], reading: Reading) -> FirstShipment | None:
    voided = {
        (s.source, s.event.part)
        for s in heard
        if s.event.type is EventType.SHIPMENT_VOID and s.event.part
    }
    told = [s for s in heard if _ships(s, reading) and (s.source, s.event.part) not in voided]
    if not told:
        return None
    parcels = Parcels(heard)
    root = parcels.root(told[0].objects)
    ledger = Ledger(reading)
    opened: dict[str, Spoken] = {}
    for spoken in told:
        first = opened.setdefault(spoken.source, spoken)
        own = parcels.root(spoken.objects)
        same = own == root if own and root else _continues(first, spoken)
        if same:
            ledger.hear(spoken)
    quantities = {
        line.key: _shown(figure, line, reading)
        for line in timeline.lines
        if (figure := _left(line, ledger, timeline.as_of)) is not None
    }
    return FirstShipment(told[0].occurred_at, quantities, frozenset(_uncounted(ledger)))


def _uncounted(ledger: Ledger) -> Iterator[LineFlag]:
    if ledger.apart:
        yield LineFlag.UNIT
    if any(not ledger.reading.goods[key].known for key in ledger.keys):
        yield LineFlag.UNKNOWN_SKU


def _read(timeline: Timeline) -> tuple[Sequence[Spoken], Reading]:
    """What counts, in our words, and its reading: the fold's own where it is at hand."""
    if READ not in timeline.kept:
        heard = [
            meaning(e.spoken, timeline.dictionary) for e in timeline.entries if not e.superseded
        ]
        timeline.kept[READ] = (heard, Reading(heard, timeline.dictionary))
    found: tuple[Sequence[Spoken], Reading] = timeline.kept[READ]
    return found


def _left(line: Line, ledger: Ledger, at: datetime) -> Decimal | None:
    """A kit counts at its parent; what was sent in place of a line does not count at first."""
    if LineFlag.KIT in line.flags:
        return ledger.got(line.key, Measure.SHIPPED, at)
    return ledger.value(line.key, Measure.SHIPPED)


def _shown(figure: Decimal, line: Line, reading: Reading) -> Decimal:
    scale = reading.goods[line.key].scale
    return figure if scale == 1 else rounded(figure / scale)


def first_pass(timeline: Timeline, zone: str) -> Demand | None:
    """What an order wanted and got at its cut-off; None while the cut-off is still to come.

    The cut-off is the promise or the first shipment, whichever came first. A line the customer
    took back before it is no demand; one we cancelled for want of stock is demand not met.
    """
    key = ("first_pass", zone)
    if key not in timeline.kept:
        timeline.kept[key] = _first_pass(timeline, zone)
    found: Demand | None = timeline.kept[key]
    return found


def _first_pass(timeline: Timeline, zone: str) -> Demand | None:
    heard, reading = _read(timeline)
    shipment = _first(timeline, heard, reading)
    shipped_at = shipment.at if shipment else timeline.when(MilestoneCode.SHIPPED)
    cut_off = _cut_off(timeline, shipped_at, zone)
    if cut_off is None:
        return _without_cut_off(timeline, zone)
    moment, day = cut_off
    if moment > timeline.as_of:
        return None
    wanted, aside = _wanted(timeline, reading, heard, moment), _aside(timeline)
    if not wanted:
        return Demand(day, excluded=next(iter(aside), "") or _why_nothing(timeline))
    if shipped_at and (shipment is None or not (shipment.quantities or shipment.uncounted)):
        return Demand(day, excluded="no_shipped_quantity")
    if shipment and LineFlag.UNKNOWN_SKU in shipment.uncounted:
        return Demand(day, excluded=LineFlag.UNKNOWN_SKU.value)
    left = shipment.quantities if shipment else {}
    lines = tuple((q, min(max(left.get(key, ZERO), ZERO), q)) for key, q in wanted)
    return Demand(day, lines, aside=aside)


def _aside(timeline: Timeline) -> dict[str, int]:
    """The lines of the order that can't be counted, by the reason."""
    found: dict[str, int] = {}
    for line in timeline.lines:
        if line.aside and not line.extra:
            why = LineFlag.UNIT if LineFlag.UNIT in line.flags else LineFlag.UNKNOWN_SKU
            found[why.value] = found.get(why.value, 0) + 1
    return dict(sorted(found.items()))


def promise(timeline: Timeline, zone: str) -> tuple[datetime, date] | None:
    """The end of the promise and its day: a bare date lasts until its midnight in `zone`."""
    text = timeline.attributes.get(Attribute.PROMISED_AT)
    if not text:
        return None
    info = ZoneInfo(zone)
    moment = datetime.fromisoformat(text)
    if (moment.hour, moment.minute, moment.second) == (0, 0, 0):
        day = moment.date()
        return datetime.combine(day + timedelta(days=1), moment.time(), info), day
    moment = moment if moment.tzinfo else moment.replace(tzinfo=info)
    return moment, moment.astimezone(info).date()


def last_delivery(timeline: Timeline) -> datetime | None:
    """When the last of a wholly delivered order arrived, by its parcels; None while any is owed.

    The milestone is complete only when the quantities are known as well: where those were told
    after the parcels had arrived, the parcels' own time counts.
    """
    completed = timeline.completed(MilestoneCode.DELIVERED)
    if completed is None:
        return None
    arrivals = [
        shipment.delivered_at
        for shipment in timeline.shipments
        if shipment.delivered_at and not shipment.voided_at and shipment.delivered_at <= completed
    ]
    return max(arrivals, default=completed)


def _ships(spoken: Spoken, reading: Reading) -> bool:
    return any(told.quantities.get(Measure.SHIPPED, ZERO) > 0 for told in reading.lines(spoken))


def _continues(first: Spoken, spoken: Spoken) -> bool:
    """Without shipments to compare: the same part again, or the very first of running totals."""
    if spoken.event.part or first.event.part:
        return spoken.event.part == first.event.part
    return spoken.occurred_at == first.occurred_at


def _cut_off(
    timeline: Timeline, shipped_at: datetime | None, zone: str
) -> tuple[datetime, date] | None:
    info = ZoneInfo(zone)
    found = [cut for cut in [promise(timeline, zone)] if cut]
    settled = [shipped_at]
    if timeline.status in {Status.CANCELLED, Status.REJECTED}:
        settled.append(timeline.when(MilestoneCode.CANCELLED) or timeline.status_since)
    found += [(m, m.astimezone(info).date()) for m in settled if m]
    return min(found, default=None)


def _wanted(
    timeline: Timeline, reading: Reading, told: Sequence[Spoken], cut_off: datetime
) -> list[tuple[str, Decimal]]:
    """Each line's key and what the customer still wanted when the cut-off passed."""
    heard = [s for s in told if s.occurred_at <= cut_off and not sellers(s)]
    if timeline.status is Status.REJECTED or any(_cancels_all(spoken) for spoken in heard):
        return []
    ledger = Ledger(reading)
    for spoken in heard:
        ledger.hear(spoken)
    wanted = {
        line.key: _ordered(line, ledger)
        - _shown(ledger.taken_back(line.key) or ZERO, line, reading)
        for line in timeline.lines
        if line.counted
    }
    return [(key, quantity) for key, quantity in wanted.items() if quantity > 0]


def _ordered(line: Line, ledger: Ledger) -> Decimal:
    """As it stood then: what a system takes off later makes no demand undone."""
    told = ledger.value(line.key, Measure.ORDERED)
    return line.get(Measure.ORDERED) if told is None else _shown(told, line, ledger.reading)


def _cancels_all(spoken: Spoken) -> bool:
    """The order as a whole was cancelled, not some quantities of it."""
    return (
        spoken.event.type is EventType.ORDER_CANCELLED
        and spoken.order >= 0
        and not any(Measure.CANCELLED in line.quantities for line in spoken.event.lines)
    )


def _why_nothing(timeline: Timeline) -> str:
    if not any(not line.extra and line.get(Measure.ORDERED) > 0 for line in timeline.lines):
        return "no_lines"
    rejected = timeline.status is Status.REJECTED
    return "rejected" if rejected else "cancelled_before_cut_off"


def _without_cut_off(timeline: Timeline, zone: str) -> Demand | None:
    """Neither promised nor shipped: counted as left out, on the day it was received."""
    received = timeline.when(MilestoneCode.RECEIVED)
    if received is None:
        return None
    day = received.astimezone(ZoneInfo(zone)).date()
    lines = any(not line.extra and line.get(Measure.ORDERED) > 0 for line in timeline.lines)
    return Demand(day, excluded="no_cut_off" if lines else "no_lines")
