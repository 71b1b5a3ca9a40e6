"""Where the open orders are on their way."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from visibility.boards.tile import Tile
from visibility.formatting import midnight
from visibility.timeline.model import Status

# The way of the goods, and beside it the pockets where they wait.
STAGES: tuple[tuple[str, tuple[Status, ...]], ...] = (
    ("Received", (Status.RECEIVED, Status.ACCEPTED)),
    ("Released", (Status.RELEASED,)),
    ("Picking", (Status.ALLOCATED, Status.PICKED)),
    ("Packed", (Status.PACKED,)),
    ("On the way", (Status.PARTIALLY_SHIPPED, Status.SHIPPED, Status.PARTIALLY_DELIVERED)),
    ("Delivered", (Status.DELIVERED,)),
)
POCKETS: tuple[tuple[str, tuple[Status, ...]], ...] = (
    ("On hold", (Status.HELD,)),
    ("Waiting for stock", (Status.BACKORDERED,)),
    ("Came back, not credited", (Status.RETURNED,)),
    ("Order not seen yet", (Status.UNKNOWN,)),
)
# Over target: a promise of the order is broken, by an alert that still stands.
OPEN = """
SELECT o.status, count(*), min(o.status_since), count(*) FILTER (WHERE over.order_id IS NOT NULL)
FROM visibility_order o
LEFT JOIN (
    SELECT DISTINCT order_id FROM visibility_alert
    WHERE state IN ('open', 'acknowledged', 'snoozed') AND order_id IS NOT NULL
) AS over ON over.order_id = o.object_id
WHERE o.is_open AND o.last_event_at IS NOT NULL GROUP BY o.status
"""
DONE = """
SELECT count(*) FROM visibility_order WHERE status = 'completed' AND status_since >= %s
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage. `share`: of its orders, how many percent are over their target."""

    title: str
    href: str
    many: int
    oldest_at: datetime | None
    over: int
    share: int
    weight: float

    @property
    def weight_over(self) -> float:
        """The part of the bar that is over target."""
        return round(self.weight * self.over / self.many, 1) if self.many else 0

    @property
    def tone(self) -> str:
        """By the share over target."""
        return "late" if self.share >= 20 else "risk" if self.over else "ok"


class Flow(Tile):
    """Open orders by stage: how many, the oldest of them, how many are over target."""

    code = "order_funnel"
    title = "Flow"
    kinds = ("order", "alert")
    width = 4
    href = "/orders"

    def data(self, now: datetime) -> Mapping[str, Any]:
        """Two statements."""
        with connection.cursor() as cursor:
            cursor.execute(OPEN)
            found = {row[0]: row[1:] for row in cursor.fetchall()}
            cursor.execute(DONE, [midnight(now)])
            done = cursor.fetchone()[0]
        places = (*STAGES, *POCKETS)
        top = max(sum(found[s][0] for s in statuses if s in found) for _, statuses in places)
        return {
            "stages": [stage(title, statuses, found, top) for title, statuses in STAGES],
            "pockets": [stage(title, statuses, found, top) for title, statuses in POCKETS],
            "done": done,
            "now": now,
        }


def stage(
    title: str,
    statuses: tuple[Status, ...],
    found: Mapping[str, tuple[int, datetime | None, int]],
    top: int,
) -> Stage:
    """Several statuses as one stage; `weight` is its part (0..100) of the fullest one."""
    rows = [found[status.value] for status in statuses if status.value in found]
    many, over = sum(row[0] for row in rows), sum(row[2] for row in rows)
    return Stage(
        title=title,
        href="/orders?" + "&".join(f"status={status.value}" for status in statuses),
        many=many,
        oldest_at=min((row[1] for row in rows if row[1]), default=None),
        over=over,
        share=round(100 * over / many) if many else 0,
        weight=round(100 * many / top, 1) if top else 0,
    )
