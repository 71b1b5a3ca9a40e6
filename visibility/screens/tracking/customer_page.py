"""What the page for customers shows of an order: facts of its timeline, and nothing internal."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from connectors.sdk.connector import SourceRole
from connectors.sdk.events import EventType, IdentifierScheme, Measure, ObjectKind
from visibility.formatting import format_date, format_date_in_zone, in_zone
from visibility.screens.orders.source_reports import SourceReport
from visibility.screens.tracking import dates_and_quantities as formats
from visibility.screens.tracking.headline import Headline, headline_of
from visibility.screens.tracking.parcels import Parcel, parcels_of
from visibility.timeline import MilestoneCode, Status, Timeline, TimelineLine
from visibility.timeline.shipping_progress import progress_text

RETURN_TITLES = {
    EventType.RETURN_AUTHORIZED: "Return approved",
    EventType.RETURN_DELIVERY_CREATED: "Return announced",
    EventType.RETURN_RECEIVED: "Return received",
    EventType.RETURN_CREDITED: "Return credited",
}
# Orders without a way to the customer.
WITHOUT_RAIL = frozenset({Status.CANCELLED, Status.REJECTED, Status.UNKNOWN})
MAX_PARCELS, MAX_LINES = 30, 200


@dataclass(frozen=True, slots=True)
class RailStep:
    """One of the five steps. `state`: done, part, now, none."""

    title: str
    state: str
    note: str

    @property
    def state_text(self) -> str:
        """The state in words, for those who do not see the sign."""
        return {"done": "done", "part": "in part", "now": "now", "none": "not yet"}[self.state]


@dataclass(frozen=True, slots=True)
class TrackedLine:
    """A line: its name, the quantity ordered, and where it is, in formats."""

    name: str
    sku: str
    ordered: str
    amounts: tuple[str, ...]
    is_waiting: bool


@dataclass(frozen=True, slots=True)
class TrackedOrder:
    """An order as its customer sees it."""

    po: str
    number: str
    headline: Headline
    rail: tuple[RailStep, ...]
    parcels: tuple[Parcel, ...]
    lines: tuple[TrackedLine, ...]
    returns: tuple[str, ...]
    outdated: str
    is_delivered: bool
    hidden_parcels: int = 0
    hidden_lines: int = 0

    @property
    def waiting(self) -> tuple[TrackedLine, ...]:
        """The lines that wait for stock."""
        return tuple(line for line in self.lines if line.is_waiting)


def tracked_order(
    timeline: Timeline, reports: Mapping[str, SourceReport], *, zone: str
) -> TrackedOrder:
    """The facts for the customer, with dates in the time zone."""
    parcels = parcels_of(timeline, reports, zone=zone)
    lines = [line for line in timeline.lines if not line.unexpected]
    return TrackedOrder(
        po=timeline.first_number_of_schemes(IdentifierScheme.CUSTOMER_PO),
        number=timeline.first_number_of_schemes(
            IdentifierScheme.SALES_ORDER, IdentifierScheme.WEB_ORDER, IdentifierScheme.ORDER_NUMBER
        ),
        headline=headline_of(timeline, parcels, zone),
        rail=() if timeline.status in WITHOUT_RAIL else _rail(timeline, parcels, zone),
        parcels=parcels[:MAX_PARCELS],
        lines=tuple(_line(line) for line in lines[:MAX_LINES]),
        returns=tuple(_returns(timeline, zone)),
        outdated=_outdated(timeline, reports, zone),
        is_delivered=timeline.milestone_completed_at(MilestoneCode.DELIVERED) is not None,
        hidden_parcels=max(len(parcels) - MAX_PARCELS, 0),
        hidden_lines=max(len(lines) - MAX_LINES, 0),
    )


def _rail(timeline: Timeline, parcels: Iterable[Parcel], zone: str) -> tuple[RailStep, ...]:
    """Five steps. A step before one that is done is done too, if nobody reported it."""
    delivered = _step(timeline, "Delivered", MilestoneCode.DELIVERED, Measure.DELIVERED, zone)
    shipped = _step(timeline, "Shipped", MilestoneCode.SHIPPED, Measure.SHIPPED, zone)
    out = next((p for p in parcels if p.code == "out_for_delivery"), None)
    if delivered.state == "done":
        delivering = RailStep("Out for delivery", "done", "")
    elif out:
        delivering = RailStep("Out for delivery", "now", "on the truck")
    else:
        state = "part" if delivered.state == "part" else "none"
        delivering = RailStep("Out for delivery", state, "")
    prepared = _prepared(timeline, shipped, zone)
    ordered = _day(timeline, (MilestoneCode.RECEIVED, MilestoneCode.ACCEPTED), zone)
    steps = [RailStep("Ordered", "done", ordered), prepared, shipped, delivering, delivered]
    last = max(index for index, step in enumerate(steps) if step.state == "done")
    return tuple(
        RailStep(step.title, "done", step.note) if index < last and step.state == "none" else step
        for index, step in enumerate(steps)
    )


def _prepared(timeline: Timeline, shipped: RailStep, zone: str) -> RailStep:
    packed = (MilestoneCode.PACKED, MilestoneCode.PICKED)
    if shipped.state == "done":
        return RailStep("Prepared", "done", _day(timeline, packed, zone))
    if timeline.milestone_completed_at(MilestoneCode.PACKED):
        return RailStep("Prepared", "done", _day(timeline, packed, zone))
    if shipped.state == "part" or any(timeline.milestone_reached_at(code) for code in packed):
        return RailStep("Prepared", "part", "")
    is_released = timeline.milestone_reached_at(MilestoneCode.RELEASED)
    return RailStep("Prepared", "now" if is_released else "none", "in work" if is_released else "")


def _step(
    timeline: Timeline, title: str, code: MilestoneCode, measure: Measure, zone: str
) -> RailStep:
    completed_at = timeline.milestone_completed_at(code)
    if completed_at:
        return RailStep(title, "done", _short(completed_at, zone))
    if timeline.milestone_reached_at(code):
        return RailStep(title, "part", progress_text(timeline, measure) or "in part or in full")
    return RailStep(title, "none", "")


def _day(timeline: Timeline, codes: Iterable[MilestoneCode], zone: str) -> str:
    moments = (timeline.milestone_reached_at(code) for code in codes)
    return next((_short(moment, zone) for moment in moments if moment), "")


def _short(moment: datetime, zone: str) -> str:
    return format_date(in_zone(moment, zone).date(), weekday=False)


def _line(line: TimelineLine) -> TrackedLine:
    """The line in words: each quantity where it was last reported to be."""
    delivered, shipped = line.quantity(Measure.DELIVERED), line.quantity(Measure.SHIPPED)
    is_waiting = line.is_counted and shipped < line.net_ordered_quantity
    quantities = [
        (delivered, "delivered"),
        (max(shipped - delivered, type(shipped)(0)), "shipped"),
        (line.quantity(Measure.BACKORDERED) if is_waiting else None, "waiting for stock"),
        (line.quantity(Measure.CANCELLED), "cancelled"),
        (line.quantity(Measure.RETURNED), "returned"),
    ]
    texts = [
        f"{formats.quantity(amount, line.unit)} {verb}" for amount, verb in quantities if amount
    ]
    if line.uncountable:
        texts = ["quantity being checked"]
    elif not texts and line.is_goods:
        texts = ["not shipped yet"]
    return TrackedLine(
        name=line.description or line.sku or "Item",
        sku=line.sku if line.description else "",
        ordered=formats.quantity(line.quantity(Measure.ORDERED), line.unit),
        amounts=tuple(texts),
        is_waiting=is_waiting and line.quantity(Measure.BACKORDERED) > 0,
    )


def _returns(timeline: Timeline, zone: str) -> Iterable[str]:
    """`Return received Tue, Nov 17, RMA 4711`, the oldest first."""
    entries = sorted(timeline.entries, key=lambda entry: entry.recorded.occurred_at)
    for entry in entries:
        event = entry.recorded.event
        if entry.superseded or event.type not in RETURN_TITLES:
            continue
        numbers = [
            identifier.value
            for ref in event.objects
            if ref.kind is ObjectKind.RETURN
            for identifier in ref.identifiers
            if identifier.scheme is IdentifierScheme.RMA
        ]
        when = format_date_in_zone(entry.recorded.occurred_at, zone)
        yield ", ".join([f"{RETURN_TITLES[event.type]} {when}", *(f"RMA {n}" for n in numbers)])


def _outdated(timeline: Timeline, reports: Mapping[str, SourceReport], zone: str) -> str:
    """Since when our own systems that know the order have not reported, as a sentence, or ""."""
    if not timeline.is_open:
        return ""
    slugs = {entry.recorded.source for entry in timeline.entries}
    since = [
        report.silent_since
        for slug, report in reports.items()
        if slug in slugs and report.role is not SourceRole.CARRIER and report.silent_since
    ]
    if not since:
        return ""
    last_report_text = formats.since_when(min(since), timeline.as_of, zone)
    return f"Some of this was last updated {last_report_text}. More may have happened since."
