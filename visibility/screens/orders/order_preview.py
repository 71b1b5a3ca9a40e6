"""The preview of one order beside the list: what it waits for, its open lines, its last events."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby

from visibility.models import Alert, Order, OrderLine
from visibility.screens.orders.activity import ActivityItem, activity_item
from visibility.screens.orders.at_risk_sentences import load_at_risk_sentences
from visibility.screens.orders.claims_and_discrepancies import discrepancies
from visibility.screens.orders.milestones import MAX_SHOWN, active_alerts, load_timeline
from visibility.screens.orders.order_list import STATUS_TONES
from visibility.screens.orders.promise_time import slack_text_and_tone
from visibility.screens.orders.source_reports import load_source_reports
from visibility.screens.orders.suppress_conflicts_if_silent import split_suppressed_conflicts
from visibility.storage.organization import organization_time_zone
from visibility.timeline.state_and_flag_enums import LineFlag, LineState
from visibility.timeline.status_answer import STATUS_LABELS, StatusAnswer, status_answer

MAX_LINES, MAX_EVENTS, MAX_ALERTS = 6, 5, 3
# So many of the last reports are grouped by event.
MAX_REPORTS = 20
# The goods of these lines have left, or nothing of them is wanted any more.
FINISHED_LINES = (
    LineState.SHIPPED,
    LineState.PARTIALLY_DELIVERED,
    LineState.DELIVERED,
    LineState.RETURNED,
    LineState.CANCELLED,
)


@dataclass(frozen=True, slots=True)
class OpenLine:
    """A line that is not shipped completely. `value`: of the open quantity, None if unknown."""

    title: str
    shipped: Decimal
    ordered: Decimal | None
    unit: str
    value: Decimal | None


@dataclass(frozen=True, slots=True)
class PreviewEvent:
    """An event, and the systems that reported it one after the other. `item`: the newest report."""

    item: ActivityItem
    sources: Sequence[str]


@dataclass(frozen=True, slots=True)
class OrderPreview:
    """What the preview shows. `more_lines`, `more_alerts`: how many are not shown.

    `has_further_alerts`: there are more than those, which were not counted.
    """

    order: Order
    title: str
    tone: str
    slack_text: str
    slack_tone: str
    answer: StatusAnswer
    risks: Sequence[str]
    discrepancies: Sequence[str]
    alerts: Sequence[Alert]
    more_alerts: int
    has_further_alerts: bool
    lines: Sequence[OpenLine]
    more_lines: int
    events: Sequence[PreviewEvent]


def load_order_preview(
    order: Order, *, prices: bool, contacts: bool, now: datetime
) -> OrderPreview:
    """Fold the order as of now, like its page. `prices`, `contacts`: the reader may see them."""
    timeline = load_timeline(order.pk, as_of=now)
    timeline, _ = split_suppressed_conflicts(timeline, now=now)
    reports = load_source_reports(now)
    names = {slug: (report.title, report.connected_at) for slug, report in reports.items()}
    alerts, lines = active_alerts(order.pk), _open_lines(order, prices=prices)
    entries = [entry for entry in timeline.entries if not entry.superseded and not entry.is_update]
    conflicts = discrepancies(timeline, names, prices=prices)
    slack_text, slack_tone = slack_text_and_tone(order, now)
    latest = [
        activity_item(entry, reports, contacts=contacts)
        for entry in reversed(entries[-MAX_REPORTS:])
    ]
    return OrderPreview(
        order=order,
        title=STATUS_LABELS[timeline.status],
        tone="late" if slack_tone == "late" else STATUS_TONES[timeline.status],
        slack_text=slack_text,
        slack_tone=slack_tone,
        answer=status_answer(timeline, zone=organization_time_zone()),
        risks=load_at_risk_sentences([order.pk], now).get(order.pk, ()),
        discrepancies=[conflict.sentence for conflict in conflicts[:MAX_ALERTS]],
        alerts=alerts[:MAX_ALERTS],
        more_alerts=max(min(len(alerts), MAX_SHOWN) - MAX_ALERTS, 0),
        has_further_alerts=len(alerts) > MAX_SHOWN,
        lines=lines[:MAX_LINES],
        more_lines=max(len(lines) - MAX_LINES, 0),
        events=_group_reports(latest)[:MAX_EVENTS],
    )


def _group_reports(items: Sequence[ActivityItem]) -> list[PreviewEvent]:
    """One entry for each event: several systems report the same one after the other."""
    groups = [list(group) for _, group in groupby(items, key=lambda item: item.label.title)]
    return [
        PreviewEvent(group[0], list(dict.fromkeys(item.source for item in group)))
        for group in groups
    ]


def _open_lines(order: Order, *, prices: bool) -> list[OpenLine]:
    rows = (
        OrderLine.objects.filter(order=order)
        .exclude(state__in=[state.value for state in FINISHED_LINES])
        .exclude(flags__contains=[LineFlag.NOT_GOODS.value])
        .order_by("position")[:500]
    )
    return [_open_line(row, prices=prices) for row in rows]


def _open_line(row: OrderLine, *, prices: bool) -> OpenLine:
    shipped = row.shipped or Decimal(0)
    value = None
    if prices and row.price is not None and row.ordered is not None:
        value = max(row.ordered - shipped - (row.cancelled or 0), Decimal(0)) * row.price
    return OpenLine(row.description or row.sku, shipped, row.ordered, row.unit, value)
