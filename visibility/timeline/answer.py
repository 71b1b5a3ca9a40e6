"""The answer in one sentence, and what is awaited from whom."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from connectors.sdk.events import Attribute, EventType, Measure, plain
from visibility.timeline.cancellations import for_stock
from visibility.timeline.claims import Line
from visibility.timeline.customer_answer import for_customer
from visibility.timeline.days import count, day_of, said
from visibility.timeline.enums import State
from visibility.timeline.model import MilestoneCode, Status, Timeline, moment
from visibility.timeline.status import of_credit, waits


@dataclass(frozen=True, slots=True)
class Answer:
    """`text`: where the order stands and since when. `awaited`: what comes next and from whom.

    `customer`: the same without our own words and without prices, fit to be passed on.
    """

    text: str
    awaited: str
    late_by_days: int = 0
    customer: str = ""
    since: datetime | None = None
    due: datetime | None = None


TITLES = {
    Status.UNKNOWN: "Known only from a parcel or a bill",
    Status.RECEIVED: "Received",
    Status.ACCEPTED: "Accepted",
    Status.REJECTED: "Rejected",
    Status.HELD: "On hold",
    Status.RELEASED: "Released to the warehouse",
    Status.ALLOCATED: "Allocated",
    Status.BACKORDERED: "Waiting for stock",
    Status.PICKED: "Picked",
    Status.PACKED: "Packed",
    Status.PARTIALLY_SHIPPED: "Partly shipped",
    Status.SHIPPED: "Shipped",
    Status.PARTIALLY_DELIVERED: "Partly delivered",
    Status.DELIVERED: "Delivered",
    Status.COMPLETED: "Delivered and invoiced",
    Status.RETURNED: "Returned",
    Status.CREDITED: "Returned and credited",
    Status.CANCELLED: "Cancelled",
}
STATES = {
    State.CREDIT_REVIEW: "Pending credit review",
    State.HELD: "On hold",
    State.RELEASED: "Released",
    State.ALLOCATED: "Allocated",
    State.PARTIALLY_ALLOCATED: "Partly allocated",
    State.BACKORDERED: "Back-ordered",
    State.STOCK_SHORTAGE: "Delayed by stock shortage",
    State.PARTIALLY_SHIPPED: "Partly shipped",
    State.SHIPPED: "Shipped",
    State.PARTIALLY_DELIVERED: "Partly delivered",
    State.DELIVERED: "Delivered",
    State.PARTIALLY_INVOICED: "Partly invoiced",
    State.INVOICED: "Invoiced",
    State.PARTIALLY_RETURNED: "Partly returned",
    State.RETURNED: "Returned",
    State.PARTIALLY_CREDITED: "Partly credited",
    State.CREDITED: "Credited",
    State.CANCELLED: "Cancelled",
    State.SHORT_CANCELLED: "Cancelled by us",
    State.SUBSTITUTED: "Substituted",
    State.CONTRADICTION: "Cancelled, and shipped",
    State.CONFLICT: "Conflicting claims",
}
ON_THE_WAY = frozenset({Status.PARTIALLY_SHIPPED, Status.SHIPPED, Status.PARTIALLY_DELIVERED})
AT_THE_WAREHOUSE = frozenset({Status.RELEASED, Status.ALLOCATED, Status.PICKED, Status.PACKED})
UNWANTED = frozenset({Status.CANCELLED, Status.REJECTED})


def answer(timeline: Timeline, *, zone: str) -> Answer:
    """The sentence a clerk reads out, in the organisation's zone."""
    info = ZoneInfo(zone)
    late, words = _promised(timeline, info)
    waiting = _waiting(timeline, info)
    clauses = [_opening(timeline, info), *waiting, *_billed(timeline), *_came_back(timeline)]
    parts = ["; ".join(clauses), *_odd(timeline, info), *words]
    awaited, due = _awaited(timeline)
    return Answer(
        text=". ".join(parts) + ".",
        awaited=awaited + _when(timeline, due, info) if awaited else "",
        late_by_days=late,
        customer=for_customer(timeline, waiting=waiting, late=late, info=info),
        since=timeline.status_since if awaited else None,
        due=due if awaited else None,
    )


def _opening(timeline: Timeline, info: ZoneInfo) -> str:
    title, since = TITLES[timeline.status], timeline.status_since
    if timeline.status is Status.UNKNOWN:
        return f"{title}: no system has told of the order itself yet"
    when = f" {said(day_of(since, info))}" if since else ""
    if timeline.status is Status.HELD:
        credit = of_credit(timeline.held_reason)
        reason = f" ({timeline.held_reason})" if timeline.held_reason else ""
        return f"{STATES[State.CREDIT_REVIEW] if credit else title}{reason} since{when}"
    counted = _counted(timeline, info)
    if counted:
        return f"{title}: {counted}"
    if timeline.status is Status.CANCELLED and State.SHORT_CANCELLED in timeline.states:
        stock = any(for_stock(entry.spoken) for entry in timeline.entries)
        return f"{title} {'for want of stock' if stock else 'by the warehouse'}{when}"
    if timeline.status in {Status.RELEASED, Status.BACKORDERED}:
        return f"{title} since{when}"
    return f"{title}{when}"


def _counted(timeline: Timeline, info: ZoneInfo) -> str:
    lines = [line for line in timeline.lines if line.counted and line.due]
    if timeline.status not in ON_THE_WAY or not lines:
        return ""
    gone = [line for line in lines if line.get(Measure.SHIPPED) >= line.due]
    started = [line for line in lines if 0 < line.get(Measure.SHIPPED) < line.due]
    sent = [s for s in timeline.shipments if not s.voided_at]
    places = sorted({s.warehouse for s in sent if s.warehouse})
    last = max((s.shipped_at for s in sent if s.shipped_at), default=None)
    text = f"{len(gone)} of {count(len(lines), 'line')} left"
    text += f" {' and '.join(places)}" if places else ""
    text += f" on {said(day_of(last, info))}" if last else ""
    return text + (f", {len(started)} in part" if started else "")


def expected(timeline: Timeline) -> datetime | None:
    """When the missing stock was last said to come."""
    told = [
        entry.spoken.event.attributes
        for entry in timeline.entries
        if not entry.superseded
        and entry.spoken.event.type in {EventType.LINE_BACKORDERED, EventType.LINE_SHORTED}
    ]
    dates = [t.get(Attribute.ETA) or t.get(Attribute.SHIP_BY) for t in told]
    return moment(next((text for text in reversed(dates) if text), None))


def _waiting(timeline: Timeline, info: ZoneInfo) -> list[str]:
    lines = [line for line in timeline.lines if waits(line)]
    cancelled = sum((_gone(line) for line in timeline.lines if line.counted), Decimal(0))
    parts = []
    if lines:
        verb = "waits" if len(lines) == 1 else "wait"
        alone = timeline.status in ON_THE_WAY
        what = str(len(lines)) if alone else count(len(lines), "line")
        comes = expected(timeline)
        when = f", expected {said(day_of(comes, info))}" if comes else ""
        parts.append(f"{what} {verb} for stock{when}")
    elif State.STOCK_SHORTAGE in timeline.states:
        parts.append("stock came up short")
    if cancelled and timeline.status is not Status.CANCELLED:
        why = " for want of stock" if State.SHORT_CANCELLED in timeline.states else ""
        parts.append(f"{plain(cancelled)} cancelled{why}")
    return parts


def _gone(line: Line) -> Decimal:
    return line.get(Measure.CANCELLED)


def _billed(timeline: Timeline) -> list[str]:
    """How much of it is invoiced, where the status does not say so."""
    if timeline.status in {Status.COMPLETED, Status.RETURNED, Status.CREDITED}:
        return []
    if State.INVOICED in timeline.states:
        return ["invoiced"]
    if State.PARTIALLY_INVOICED not in timeline.states:
        return []
    bills = {
        entry.spoken.event.part
        for entry in timeline.entries
        if not entry.superseded and entry.spoken.event.type is EventType.INVOICE_ISSUED
    }
    sent = sum(1 for s in timeline.shipments if s.shipped_at and not s.voided_at)
    whole = max(sent, len(bills) + 1 if timeline.status is Status.PARTIALLY_SHIPPED else 0)
    return [f"invoice {len(bills)} of {whole} sent" if whole > len(bills) else "invoiced in part"]


def _came_back(timeline: Timeline) -> list[str]:
    if timeline.status in {Status.RETURNED, Status.CREDITED}:
        return []
    shown = (
        State.RETURNED,
        State.PARTIALLY_RETURNED,
        State.CREDITED,
        State.PARTIALLY_CREDITED,
    )
    return [STATES[state].lower() for state in shown if state in timeline.states]


def _odd(timeline: Timeline, info: ZoneInfo) -> list[str]:
    """What a clerk must know before believing the rest."""
    found = []
    if State.CONTRADICTION in timeline.states:
        at = timeline.when(MilestoneCode.CANCELLED)
        when = f" on {said(day_of(at, info))}" if at else ""
        found.append(f"It was cancelled{when} all the same")
    aside = sum(line.aside for line in timeline.lines)
    if aside:
        found.append(f"{count(aside, 'line')} can't be counted")
    if timeline.conflicts:
        names = dict.fromkeys(c.field.value.replace("_at", " date") for c in timeline.conflicts)
        found.append(f"Systems contradict each other: {', '.join(names)}")
    return found


def _promised(timeline: Timeline, info: ZoneInfo) -> tuple[int, list[str]]:
    """Days late, and the words for it."""
    promised = moment(timeline.attributes.get(Attribute.PROMISED_AT))
    if promised is None:
        return 0, []
    due: date = day_of(promised, info)
    done = timeline.completed(MilestoneCode.DELIVERED)
    late = ((done or timeline.as_of).astimezone(info).date() - due).days
    words = f"Promised {said(due)}"
    if late > 0 and timeline.status not in UNWANTED:
        words += f": {'delivered ' if done else ''}{count(late, 'day')} late"
    return max(late, 0), [words]


def _awaited(timeline: Timeline) -> tuple[str, datetime | None]:
    """What comes next and from whom, and when it is due."""
    warehouse = timeline.attributes.get(Attribute.WAREHOUSE) or "the warehouse"
    status = timeline.status
    plans = {code: m.planned_at for code, m in timeline.milestones.items()}
    ship_by, deliver_by = (
        plans.get(code) for code in (MilestoneCode.SHIPPED, MilestoneCode.DELIVERED)
    )
    if status in {Status.SHIPPED, Status.PARTIALLY_DELIVERED}:
        return _from_carrier(timeline), deliver_by
    if status in AT_THE_WAREHOUSE:
        return f"ship confirmation from {warehouse}", ship_by
    if status is Status.BACKORDERED:
        return f"stock at {warehouse}", expected(timeline)
    if status is Status.PARTIALLY_SHIPPED:
        return f"the remaining lines from {warehouse}", expected(timeline) or ship_by
    if status is Status.HELD:
        credit = of_credit(timeline.held_reason)
        return f"release of the hold, from {'credit control' if credit else 'its owner'}", None
    owed = {State.RETURNED, State.PARTIALLY_RETURNED} & set(timeline.states)
    if owed and not {State.CREDITED, State.PARTIALLY_CREDITED} & set(timeline.states):
        return "the credit of what came back, from finance", None
    return {
        Status.UNKNOWN: "the order itself, from the shop or the ERP",
        Status.RECEIVED: "release to the warehouse, from the ERP",
        Status.ACCEPTED: "release to the warehouse, from the ERP",
        Status.DELIVERED: "the invoice, from finance",
    }.get(status, ""), None


def _from_carrier(timeline: Timeline) -> str:
    sent = [s for s in timeline.shipments if not s.voided_at]
    carrier = next((s.carrier for s in sent if s.carrier), "") or "the carrier"
    scanned = any(s.first_scan_at for s in sent)
    return f"{'delivery' if scanned else 'first scan'} from {carrier}"


def _when(timeline: Timeline, due: datetime | None, info: ZoneInfo) -> str:
    """`, due Thu 5 Mar`; once that has passed, how long ago."""
    if due is None:
        return ""
    today, day = timeline.as_of.astimezone(info).date(), day_of(due, info)
    return f", {'due' if day >= today else 'was due'} {said(day)}"
