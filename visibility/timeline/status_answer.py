"""A one-sentence answer about an order, and what is expected next and from whom."""

from dataclasses import dataclass
from datetime import date, datetime

from connectors.sdk.events import Attribute, EventType, Measure
from visibility.formatting import (
    count_with_noun,
    format_date,
    format_date_in_zone,
    in_zone,
    local_or_bare_utc_date,
)
from visibility.timeline.answer_clauses import (
    AnswerClause,
    Evidence,
    clauses_with_separators,
    join_clauses,
)
from visibility.timeline.answer_warnings import conflict_warnings
from visibility.timeline.customer_answer import (
    SHIPPING_STATUSES,
    customer_answer,
    is_shipped_quantity_unknown,
)
from visibility.timeline.holds import is_credit_hold_reason
from visibility.timeline.model import MilestoneCode, Status, Timeline, parse_timestamp_or_none
from visibility.timeline.shipping_progress import progress_text
from visibility.timeline.shortage_clauses import (
    customer_shortage_clauses,
    expected_stock_date,
    shortage_clauses,
    why_seller_cancelled,
)
from visibility.timeline.state_and_flag_enums import LineFlag, OrderState


@dataclass(frozen=True, slots=True)
class StatusAnswer:
    """The status of an order as text.

    `text`: the status and since when, which is its `clauses`, joined. `next_step`: what is expected
    next and from whom. `customer`: a version without internal reasons, system names and prices
    that can be sent to the customer.
    """

    text: str
    next_step: str
    customer: str = ""
    since: datetime | None = None
    due: datetime | None = None
    clauses: tuple[AnswerClause, ...] = ()


STATUS_LABELS = {
    Status.UNKNOWN: "Order record not received",
    Status.RECEIVED: "Received",
    Status.ACCEPTED: "Accepted",
    Status.REJECTED: "Rejected",
    Status.ON_HOLD: "On hold",
    Status.RELEASED: "Released to the warehouse",
    Status.ALLOCATED: "Allocated",
    Status.BACKORDERED: "Back-ordered",
    Status.PICKED: "Picked",
    Status.PACKED: "Packed",
    Status.PARTIALLY_SHIPPED: "Partially shipped",
    Status.SHIPPED: "Shipped",
    Status.PARTIALLY_DELIVERED: "Partially delivered",
    Status.DELIVERED: "Delivered",
    Status.COMPLETED: "Delivered and invoiced",
    Status.RETURNED: "Returned",
    Status.CREDITED: "Returned and credited",
    Status.CANCELLED: "Cancelled",
}
STATE_LABELS = {
    OrderState.CREDIT_REVIEW: "Pending credit review",
    OrderState.ON_HOLD: "On hold",
    OrderState.RELEASED: "Released",
    OrderState.ALLOCATED: "Allocated",
    OrderState.PARTIALLY_ALLOCATED: "Partially allocated",
    OrderState.BACKORDERED: "Back-ordered",
    OrderState.STOCK_SHORTAGE: "Short on stock",
    OrderState.PARTIALLY_SHIPPED: "Partially shipped",
    OrderState.SHIPPED: "Shipped",
    OrderState.PARTIALLY_DELIVERED: "Partially delivered",
    OrderState.DELIVERED: "Delivered",
    OrderState.PARTIALLY_INVOICED: "Partially invoiced",
    OrderState.INVOICED: "Invoiced",
    OrderState.PARTIALLY_RETURNED: "Partially returned",
    OrderState.RETURNED: "Returned",
    OrderState.PARTIALLY_CREDITED: "Partially credited",
    OrderState.CREDITED: "Credited",
    OrderState.CANCELLED: "Cancelled",
    OrderState.SHORT_CANCELLED: "Cancelled by seller",
    OrderState.SUBSTITUTED: "Substituted",
    OrderState.CONTRADICTION: "Cancelled but shipped",
    OrderState.CONFLICT: "Systems disagree",
}
WAREHOUSE_STATUSES = frozenset({Status.RELEASED, Status.ALLOCATED, Status.PICKED, Status.PACKED})
CANCELLED_STATUSES = frozenset({Status.CANCELLED, Status.REJECTED})


def status_answer(timeline: Timeline, *, zone: str) -> StatusAnswer:
    """The answer for an order, with dates in the time zone."""
    days_late, promise = _days_late_and_promise_sentences(timeline, zone)
    shortages = shortage_clauses(timeline, zone)
    clauses = clauses_with_separators(
        [
            (_status_clause(timeline, zone), Evidence.STATUS),
            *((text, Evidence.SHORTAGES) for text in shortages),
            *((text, Evidence.BILLING) for text in _invoice_clauses(timeline)),
            *((text, Evidence.RETURNS) for text in _return_clauses(timeline)),
        ],
        [
            *((text, Evidence.DISCREPANCIES) for text in conflict_warnings(timeline, zone)),
            *((text, Evidence.PROMISE) for text in promise),
        ],
    )
    next_step, due = _next_step_and_due_time(timeline)
    return StatusAnswer(
        text=join_clauses(clauses),
        next_step=next_step + _format_due_clause(timeline, due, zone) if next_step else "",
        customer=customer_answer(
            timeline,
            shortages=customer_shortage_clauses(timeline, zone),
            days_late=days_late,
            zone=zone,
        ),
        since=timeline.status_since if next_step else None,
        due=due if next_step else None,
        clauses=clauses,
    )


def _status_clause(timeline: Timeline, zone: str) -> str:
    title, since = STATUS_LABELS[timeline.status], timeline.status_since
    if timeline.status is Status.UNKNOWN:
        return f"{title} (known from a tracking or invoice number)"
    when = f" {format_date_in_zone(since, zone)}" if since else ""
    if is_shipped_quantity_unknown(timeline):
        verb = "Delivered" if timeline.status is Status.PARTIALLY_DELIVERED else "Shipped"
        return f"{verb} in part or in full{when}"
    if timeline.status is Status.ON_HOLD:
        credit = is_credit_hold_reason(timeline.hold_reason)
        reason = f" ({timeline.hold_reason})" if timeline.hold_reason else ""
        return f"{STATE_LABELS[OrderState.CREDIT_REVIEW] if credit else title}{reason} since{when}"
    progress = _shipping_progress_text(timeline, zone)
    if progress:
        return f"{title}: {progress}"
    if timeline.status is Status.CANCELLED and OrderState.SHORT_CANCELLED in timeline.states:
        return f"{title} {why_seller_cancelled(timeline)}{when}"
    if timeline.status in {Status.RELEASED, Status.BACKORDERED}:
        return f"{title} since{when}"
    return f"{title}{when}"


def _shipping_progress_text(timeline: Timeline, zone: str) -> str:
    progress = progress_text(timeline, Measure.SHIPPED)
    if timeline.status not in SHIPPING_STATUSES or not progress:
        return ""
    shipments = [s for s in timeline.shipments if not s.voided_at]
    warehouses = sorted({s.warehouse for s in shipments if s.warehouse})
    last = max((s.shipped_at for s in shipments if s.shipped_at), default=None)
    text = f"{progress} shipped"
    text += f" from {' and '.join(warehouses)}" if warehouses else ""
    return text + (f" on {format_date_in_zone(last, zone)}" if last else "")


def _invoice_clauses(timeline: Timeline) -> list[str]:
    """How much is invoiced, unless the status says it."""
    if timeline.status in {Status.COMPLETED, Status.RETURNED, Status.CREDITED}:
        return []
    if OrderState.INVOICED in timeline.states:
        return ["invoiced"]
    if OrderState.PARTIALLY_INVOICED not in timeline.states:
        return []
    invoices = {
        entry.recorded.event.scope
        for entry in timeline.entries
        if not entry.superseded and entry.recorded.event.type is EventType.INVOICE_ISSUED
    }
    # One invoice per shipment is assumed, and one more while the order is not completely shipped.
    shipments = sum(1 for s in timeline.shipments if s.shipped_at and not s.voided_at)
    sent = len(invoices)
    total = max(shipments, sent + 1 if timeline.status is Status.PARTIALLY_SHIPPED else 0)
    return [f"invoice {sent} of {total} sent" if total > sent else "partially invoiced"]


def _return_clauses(timeline: Timeline) -> list[str]:
    if timeline.status in {Status.RETURNED, Status.CREDITED}:
        return []
    shown = (
        OrderState.RETURNED,
        OrderState.PARTIALLY_RETURNED,
        OrderState.CREDITED,
        OrderState.PARTIALLY_CREDITED,
    )
    return [STATE_LABELS[state].lower() for state in shown if state in timeline.states]


def _days_late_and_promise_sentences(timeline: Timeline, zone: str) -> tuple[int, list[str]]:
    """Days late, and the sentence about the promise date, if there is one."""
    promised = parse_timestamp_or_none(timeline.attributes.get(Attribute.PROMISED_AT))
    if promised is None:
        return 0, []
    due: date = local_or_bare_utc_date(promised, zone)
    delivered_at = timeline.milestone_completed_at(MilestoneCode.DELIVERED)
    days_late = (in_zone(delivered_at or timeline.as_of, zone).date() - due).days
    text = f"Promised {format_date(due)}"
    if days_late > 0 and timeline.status not in CANCELLED_STATUSES:
        text += f": {'delivered ' if delivered_at else ''}{count_with_noun(days_late, 'day')} late"
    return max(days_late, 0), [text]


def _next_step_and_due_time(timeline: Timeline) -> tuple[str, datetime | None]:
    """What is expected next and from whom, and when it is due."""
    warehouse = timeline.attributes.get(Attribute.WAREHOUSE) or "the warehouse"
    status = timeline.status
    plans = {code: m.planned_at for code, m in timeline.milestones.items()}
    ship_by, deliver_by = (
        plans.get(code) for code in (MilestoneCode.SHIPPED, MilestoneCode.DELIVERED)
    )
    is_open = OrderState.PARTIALLY_SHIPPED in timeline.states
    if status is Status.SHIPPED or (status is Status.PARTIALLY_DELIVERED and not is_open):
        return _expected_carrier_step(timeline), deliver_by
    if status in WAREHOUSE_STATUSES:
        return f"ship confirmation from {warehouse}", ship_by
    if status is Status.BACKORDERED:
        return f"stock at {warehouse}", expected_stock_date(timeline)
    if is_shipped_quantity_unknown(timeline):
        is_kit = any(LineFlag.NO_COUNTERPART in line.flags for line in timeline.lines)
        return (
            f"a mapping of the {'lines that do not match' if is_kit else 'unknown unit or item'}",
            None,
        )
    if status in {Status.PARTIALLY_SHIPPED, Status.PARTIALLY_DELIVERED}:
        return f"{warehouse} ships the open quantity", expected_stock_date(timeline) or ship_by
    if status is Status.ON_HOLD:
        credit = is_credit_hold_reason(timeline.hold_reason)
        return f"release of the hold by {'credit control' if credit else 'its owner'}", None
    returned = {OrderState.RETURNED, OrderState.PARTIALLY_RETURNED} & set(timeline.states)
    if returned and not {OrderState.CREDITED, OrderState.PARTIALLY_CREDITED} & set(timeline.states):
        is_undelivered = any(s.returned_at for s in timeline.shipments)
        alternative = "a new shipment, or " if is_undelivered else ""
        return f"{alternative}credit for the returned goods, from finance", None
    return {
        Status.UNKNOWN: "the order record, from the shop or the ERP",
        Status.RECEIVED: "release to the warehouse, from the ERP",
        Status.ACCEPTED: "release to the warehouse, from the ERP",
        Status.DELIVERED: "invoice, from finance",
    }.get(status, ""), None


def _expected_carrier_step(timeline: Timeline) -> str:
    shipments = [s for s in timeline.shipments if not s.voided_at]
    carrier = next((s.carrier for s in shipments if s.carrier), "") or "the carrier"
    if any(s.status == "returned" for s in shipments):
        return f"return to the sender by {carrier}"
    is_scanned = any(s.first_scan_at for s in shipments)
    return f"{'delivery' if is_scanned else 'first scan'} by {carrier}"


def _format_due_clause(timeline: Timeline, due: datetime | None, zone: str) -> str:
    """`, due Thu, Mar 5`, or `, was due ...` if that day has passed."""
    if due is None:
        return ""
    today, day = in_zone(timeline.as_of, zone).date(), local_or_bare_utc_date(due, zone)
    return f", {'due' if day >= today else 'was due'} {format_date(day)}"
