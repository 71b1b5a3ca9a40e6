"""Open orders by stage and age against their target, and what entered and left in the last hour."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from visibility.boards.tile import Tile
from visibility.boards.tile_table import TileReader, TileTable
from visibility.formatting import format_number, start_of_day
from visibility.models.permission import Permission
from visibility.screens.lists.list_definition import ColumnValue
from visibility.screens.orders.at_risk_and_unknown import (
    CLOSE_TO_LIMIT,
    silent_slugs,
    unknown_status_sql,
)
from visibility.storage.organization import organization_time_zone
from visibility.timeline.model import MilestoneCode, Status

# The stages of the main flow, then those beside it.
STAGES: tuple[tuple[str, tuple[Status, ...]], ...] = (
    ("Received", (Status.RECEIVED, Status.ACCEPTED)),
    ("Released", (Status.RELEASED,)),
    ("Allocated", (Status.ALLOCATED,)),
    ("Picking", (Status.PICKED,)),
    ("Packed", (Status.PACKED,)),
    ("In transit", (Status.PARTIALLY_SHIPPED, Status.SHIPPED, Status.PARTIALLY_DELIVERED)),
    ("Delivered", (Status.DELIVERED,)),
)
EXCEPTIONS: tuple[tuple[str, tuple[Status, ...]], ...] = (
    ("Back-ordered", (Status.BACKORDERED,)),
    ("Credit hold", (Status.ON_HOLD,)),
    ("Other holds", (Status.ON_HOLD,)),
    ("Returned, not credited", (Status.RETURNED,)),
    ("Unmatched shipments and invoices", (Status.UNKNOWN,)),
)
# Stages that are a part of a status: the further condition of the list, and what it means here.
SUBSETS = {
    "Credit hold": ("&state=credit_review", True),
    "Other holds": ("&without=credit_review", False),
}
MILESTONES: Mapping[str, Sequence[MilestoneCode]] = {
    "Received": (MilestoneCode.RECEIVED, MilestoneCode.ACCEPTED),
    "Released": (MilestoneCode.RELEASED,),
    "Allocated": (MilestoneCode.ALLOCATED,),
    "Picking": (MilestoneCode.PICKED,),
    "Packed": (MilestoneCode.PACKED,),
    "In transit": (MilestoneCode.SHIPPED,),
    "Delivered": (MilestoneCode.DELIVERED,),
    "": (MilestoneCode.INVOICED, MilestoneCode.CANCELLED),
}
# Label and tone of each band, the order of the bar.
BANDS = {
    "on_target": ("on target", "ok"),
    "close": ("close to limit", "risk"),
    "over": ("over", "late"),
    "unknown": ("unknown", "unknown"),
    "no_target": ("no target set", "plain"),
}
# Over: an SLA alert is active. Unknown: a source is silent, or the deadline has passed and no alert
# is open, because the alert waits for a source or for the backlog. Timer: the next unfinished one.
OPEN_ORDERS = """
SELECT o.status, o.status = 'on_hold' AND 'credit_review' = ANY(o.states), band.code, count(*),
    min(o.status_since)
FROM visibility_order o
LEFT JOIN (
    SELECT DISTINCT order_id FROM visibility_alert
    WHERE state IN ('open', 'acknowledged', 'snoozed') AND order_id IS NOT NULL
) AS over ON over.order_id = o.object_id
LEFT JOIN LATERAL (
    SELECT clock.order_id, clock.due_at, {close} AS is_close FROM visibility_slaclock clock
    WHERE clock.order_id = o.object_id AND clock.state IN ('running', 'breached')
        AND clock.stopped_at IS NULL
    ORDER BY clock.due_at LIMIT 1
) AS timer ON true
CROSS JOIN LATERAL (
    SELECT CASE WHEN over.order_id IS NOT NULL THEN 'over'
        WHEN {unknown} OR timer.due_at < %s THEN 'unknown'
        WHEN timer.order_id IS NULL THEN 'no_target'
        WHEN timer.is_close THEN 'close' ELSE 'on_target' END AS code
) AS band
WHERE o.is_open AND o.last_event_at IS NOT NULL{scope} GROUP BY 1, 2, 3
"""
COMPLETED_TODAY = """
SELECT count(*) FROM visibility_order o WHERE o.status = 'completed' AND o.status_since >= %s{scope}
"""
# Each move of an order from one stage to another within the last hour.
MOVES = """
SELECT moved.stage, moved.before, count(*) FROM (
    SELECT stages.stage, step.reached_at, lag(stages.stage) OVER (
        PARTITION BY step.order_id ORDER BY step.reached_at, stages.rank
    ) AS before
    FROM visibility_milestone step
    JOIN unnest(%s::text[], %s::text[], %s::int[]) AS stages (code, stage, rank)
        ON stages.code = step.code
    JOIN visibility_order o ON o.object_id = step.order_id
    WHERE step.reached_at <= %s AND step.order_id IN (
        SELECT order_id FROM visibility_milestone
        WHERE code = ANY(%s) AND reached_at > %s AND reached_at <= %s
    ){scope}
) AS moved
WHERE moved.reached_at > %s AND moved.stage IS DISTINCT FROM moved.before GROUP BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class AgeBand:
    """The orders of a stage in one band."""

    label: str
    tone: str
    count: int
    # Of the orders of the stage, as a fraction.
    share: float = 1.0

    @property
    def is_labeled(self) -> bool:
        """Whether its part of the bar is wide enough for the count."""
        return self.share >= 0.05 + 0.05 * len(format_number(self.count))

    @property
    def text(self) -> str:
        """`48 over`."""
        return f"{format_number(self.count)} {self.label}"


@dataclass(frozen=True, slots=True)
class FunnelStage:
    """One stage with the bands of its orders. `entered` and `left`: in the last hour."""

    title: str
    href: str
    order_count: int
    oldest_at: datetime | None
    bands: Sequence[AgeBand] = field(default_factory=tuple)
    entered: int = 0
    left: int = 0

    @property
    def bands_text(self) -> str:
        """The bands in words: `71 on target, 23 close to limit, 48 over`."""
        return ", ".join(band.text for band in self.bands)

    def band(self, label: str) -> int:
        """The number of orders in the band with this label."""
        return sum(band.count for band in self.bands if band.label == label)

    @property
    def note(self) -> str:
        """What a stage without a bar says about its targets."""
        over = self.band("over")
        if over:
            return f"{format_number(over)} with an SLA alert"
        has_target = self.band("no target set") < self.order_count
        return "" if has_target or not self.order_count else "no target set"


class OrderFunnel(Tile):
    """Open orders by stage, with their age bands, the moves of the last hour, and the oldest."""

    code = "order_funnel"
    title = "Flow"
    kinds = ("order", "alert", "source")
    width = 4
    href = "/orders?open=1"
    permission = Permission.ORDERS
    has_fixed_height = True
    is_filtered = True
    definition = (
        "Open orders by status. Close to limit: 80% of the time until the next SLA deadline is "
        "used. Over: an SLA alert is active. Unknown: a source is silent, or a passed deadline is "
        "not evaluated yet. No target set: no SLA rule applies. In and out: orders that reached, "
        "and left, the stage in the last hour."
    )

    def load_context(self, now: datetime) -> Mapping[str, Any]:
        """Load all stages with three SQL statements, and the states of the sources."""
        counts, moves, done = self._load_counts(now)
        link = self.board.orders.link
        stages = [_build_stage(title, statuses, counts, moves) for title, statuses in STAGES]
        exceptions = [_build_stage(title, statuses, counts, {}) for title, statuses in EXCEPTIONS]
        shown = {band.label for stage in stages for band in stage.bands}
        return {
            "stages": [(stage, link(stage.href)) for stage in stages],
            "exceptions": [(stage, link(stage.href)) for stage in exceptions],
            "legend": [pair for pair in BANDS.values() if pair[0] in shown],
            "subtitle": "Orders by stage and age against target",
            "done": done,
            "now": now,
        }

    def build_table(self, context: Mapping[str, Any], reader: TileReader) -> TileTable:
        """The orders of each stage, by band; stages off the main flow have no moves."""
        labels = [label for label, _ in BANDS.values()]
        rows: list[list[ColumnValue]] = []
        for group in ("stages", "exceptions"):
            for stage, _ in context[group]:
                moves = [stage.entered, stage.left] if group == "stages" else [None, None]
                bands = [stage.band(label) for label in labels]
                rows.append([stage.title, stage.order_count, *bands, *moves, stage.oldest_at])
        done = ["Completed today", context["done"], *([None] * (len(labels) + 3))]
        return TileTable(
            (
                *("Stage", "Orders", *(label.capitalize() for label in labels)),
                *("In (last hour)", "Out (last hour)", "Oldest since"),
            ),
            [*rows, done],
        )

    def _load_counts(
        self, now: datetime
    ) -> tuple[list[Any], dict[tuple[str, str | None], int], int]:
        scope, values = self.board.orders.sql("o")
        slugs = silent_slugs(self.board.source_chips(now))
        unknown, unknown_values = unknown_status_sql("o", slugs)
        hour = now - timedelta(hours=1)
        ranked = [
            (code.value, stage, rank)
            for rank, (stage, codes) in enumerate(MILESTONES.items())
            for code in codes
        ]
        codes = [code for code, _, _ in ranked]
        columns: list[list[Any]] = [
            codes,
            [stage for _, stage, _ in ranked],
            [rank for _, _, rank in ranked],
        ]
        with connection.cursor() as cursor:
            sql = OPEN_ORDERS.format(close=CLOSE_TO_LIMIT, unknown=unknown, scope=scope)
            cursor.execute(sql, [now, *unknown_values, now, *values])
            counts = cursor.fetchall()
            cursor.execute(
                MOVES.format(scope=scope), [*columns, now, codes, hour, now, *values, hour]
            )
            moves = {(stage, before): many for stage, before, many in cursor.fetchall()}
            midnight = start_of_day(now, organization_time_zone())
            cursor.execute(COMPLETED_TODAY.format(scope=scope), [midnight, *values])
            return counts, moves, cursor.fetchone()[0]


def _build_stage(
    title: str,
    statuses: tuple[Status, ...],
    counts: Sequence[tuple[str, bool, str, int, datetime | None]],
    moves: Mapping[tuple[str, str | None], int],
) -> FunnelStage:
    """Merge the counts of the statuses into one stage."""
    query, is_credit = SUBSETS.get(title, ("", None))
    rows = [
        row for row in counts if row[0] in statuses and (is_credit is None or row[1] == is_credit)
    ]
    total = sum(row[3] for row in rows)
    bands = [
        AgeBand(label, tone, many, many / total)
        for code, (label, tone) in BANDS.items()
        if (many := sum(row[3] for row in rows if row[2] == code))
    ]
    return FunnelStage(
        title=title,
        href="/orders?" + "&".join(f"status={status.value}" for status in statuses) + query,
        order_count=total,
        oldest_at=min((row[4] for row in rows if row[4]), default=None),
        bands=bands,
        entered=sum(many for (stage, _), many in moves.items() if stage == title),
        left=sum(many for (_, before), many in moves.items() if before == title),
    )
