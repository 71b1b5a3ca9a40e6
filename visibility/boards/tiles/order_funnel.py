"""Open orders by stage."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection

from visibility.boards.tile import Tile
from visibility.formatting import format_number, start_of_day
from visibility.models.permission import Permission
from visibility.timeline.model import Status

# The stages of the main flow, then the exceptions.
STAGES: tuple[tuple[str, tuple[Status, ...]], ...] = (
    ("Received", (Status.RECEIVED, Status.ACCEPTED)),
    ("Released", (Status.RELEASED,)),
    ("Picking", (Status.ALLOCATED, Status.PICKED)),
    ("Packed", (Status.PACKED,)),
    ("In transit", (Status.PARTIALLY_SHIPPED, Status.SHIPPED, Status.PARTIALLY_DELIVERED)),
    ("Delivered", (Status.DELIVERED,)),
)
EXCEPTIONS: tuple[tuple[str, tuple[Status, ...]], ...] = (
    ("On hold", (Status.ON_HOLD,)),
    ("Back-ordered", (Status.BACKORDERED,)),
    ("Returned, not credited", (Status.RETURNED,)),
    ("Unmatched shipments and invoices", (Status.UNKNOWN,)),
)
# Overdue: the order has an active SLA alert. Timed: an SLA timer of it runs. Not evaluated: the
# deadline of a timer has passed, and no alert of the order is open: the alert waits for a source or
# for the backlog.
OPEN_ORDERS = """
SELECT o.status, count(*), min(o.status_since), count(*) FILTER (WHERE over.order_id IS NOT NULL),
    count(*) FILTER (WHERE over.order_id IS NOT NULL OR timer.order_id IS NOT NULL),
    count(*) FILTER (WHERE over.order_id IS NULL AND timer.due_at < %(now)s)
FROM visibility_order o
LEFT JOIN (
    SELECT DISTINCT order_id FROM visibility_alert
    WHERE state IN ('open', 'acknowledged', 'snoozed') AND order_id IS NOT NULL
) AS over ON over.order_id = o.object_id
LEFT JOIN LATERAL (
    SELECT clock.order_id, clock.due_at FROM visibility_slaclock clock
    WHERE clock.order_id = o.object_id AND clock.state IN ('running', 'breached')
        AND clock.stopped_at IS NULL
    ORDER BY clock.due_at LIMIT 1
) AS timer ON true
WHERE o.is_open AND o.last_event_at IS NOT NULL GROUP BY o.status
"""
COMPLETED_TODAY = """
SELECT count(*) FROM visibility_order WHERE status = 'completed' AND status_since >= %s
"""


@dataclass(frozen=True, slots=True)
class FunnelStage:
    """One stage. `overdue_percent` is the percentage of its orders that are overdue.

    `timed`: how many of its orders have an SLA timer; `not_evaluated`: how many of these are past
    their deadline without an alert.
    """

    title: str
    href: str
    order_count: int
    oldest_at: datetime | None
    overdue: int
    timed: int
    not_evaluated: int
    overdue_percent: int
    bar_width: float

    @property
    def overdue_bar_width(self) -> float:
        """The width of the overdue section of the bar."""
        return round(self.bar_width * self.overdue / self.order_count, 1) if self.order_count else 0

    @property
    def tone(self) -> str:
        """The status tone, by the percentage of overdue orders; good only with a target."""
        if self.overdue:
            return "late" if self.overdue_percent >= 20 else "risk"
        return "ok" if self.timed and not self.not_evaluated else "unknown"

    @property
    def target_text(self) -> str:
        """What is known about targets of the orders that have no SLA alert."""
        if not self.order_count or self.overdue:
            return ""
        if self.not_evaluated:
            return f"{format_number(self.not_evaluated)} past their SLA deadline, not evaluated yet"
        if not self.timed:
            return "no target set"
        if self.timed < self.order_count:
            return f"{format_number(self.timed)} with a target, all on target"
        return "all on target"


class OrderFunnel(Tile):
    """Open orders by stage, with the oldest and the number of overdue ones."""

    code = "order_funnel"
    title = "Open orders by stage"
    kinds = ("order", "alert")
    width = 4
    href = "/orders"
    permission = Permission.ORDERS

    def load_context(self, now: datetime) -> Mapping[str, Any]:
        """Load all stages with two SQL statements."""
        with connection.cursor() as cursor:
            cursor.execute(OPEN_ORDERS, {"now": now})
            counts_by_status = {row[0]: row[1:] for row in cursor.fetchall()}
            cursor.execute(COMPLETED_TODAY, [start_of_day(now, settings.TIME_ZONE)])
            done = cursor.fetchone()[0]
        groups = (*STAGES, *EXCEPTIONS)
        top = max(
            sum(counts_by_status[s][0] for s in statuses if s in counts_by_status)
            for _, statuses in groups
        )
        return {
            "stages": [
                build_stage(title, statuses, counts_by_status, top) for title, statuses in STAGES
            ],
            "exceptions": [
                build_stage(title, statuses, counts_by_status, top)
                for title, statuses in EXCEPTIONS
            ],
            "done": done,
            "now": now,
        }


def build_stage(
    title: str,
    statuses: tuple[Status, ...],
    counts_by_status: Mapping[str, tuple[int, datetime | None, int, int, int]],
    top: int,
) -> FunnelStage:
    """Merge statuses into one stage.

    `bar_width` is its size as a percentage of the largest stage.
    """
    rows = [
        counts_by_status[status.value] for status in statuses if status.value in counts_by_status
    ]
    orders, over = sum(row[0] for row in rows), sum(row[2] for row in rows)
    return FunnelStage(
        title=title,
        href="/orders?" + "&".join(f"status={status.value}" for status in statuses),
        order_count=orders,
        oldest_at=min((row[1] for row in rows if row[1]), default=None),
        overdue=over,
        timed=sum(row[3] for row in rows),
        not_evaluated=sum(row[4] for row in rows),
        overdue_percent=round(100 * over / orders) if orders else 0,
        bar_width=round(100 * orders / top, 1) if top else 0,
    )
