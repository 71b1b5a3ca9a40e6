"""Which orders must leave by a cut-off, and how far they are.

An order must leave by the cut-off of its warehouse and carrier if its ship-by date, or else its
promise date, is the day of the cut-off or earlier, by the calendar of the cut-off; a date without a
time is that date. It is open and not completely shipped, or it left since the cut-off before.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import quote, unquote

from django.db import connection
from django.db.models import BooleanField, Q
from django.db.models.expressions import RawSQL

from visibility.screens.orders.order_scope import OrderScope
from visibility.sla.cutoff_times import CutOff, load_current_cutoffs

# What is not ready so shortly before the cut-off is at risk.
SHORTLY_BEFORE = timedelta(hours=1)


class CutoffStage(StrEnum):
    """How far an order is. The first that applies: gone, at risk, ready, not picked."""

    DEPARTED = "gone"  # completely shipped
    READY = "ready"  # completely picked or packed
    NOT_PICKED = "not_picked"
    # Not gone, and: the cut-off has passed, an SLA alert is open, the order is on hold or
    # back-ordered, or it is not ready in the last hour.
    AT_RISK = "at_risk"


STAGE_LABELS: Mapping[str, str] = {
    CutoffStage.DEPARTED: "Gone",
    CutoffStage.READY: "Ready",
    CutoffStage.NOT_PICKED: "Not picked",
    CutoffStage.AT_RISK: "At risk",
}
ALL_STAGES = "all"
ANY = "*"
CLASSIFIED = """
WITH entry AS MATERIALIZED (
    SELECT * FROM unnest(
        %s::int[], %s::text[], %s::text[], %s::timestamptz[], %s::date[], %s::timestamptz[],
        %s::text[]
    ) AS given (number, warehouse, carrier, at, day, counts_since, zone)
)
SELECT o.object_id, applied.number, CASE
    WHEN shipped.completed_at IS NOT NULL THEN 'gone'
    WHEN applied.at <= %s OR o.status IN ('on_hold', 'backordered')
        OR EXISTS (SELECT FROM visibility_alert alert WHERE alert.order_id = o.object_id
            AND alert.state IN ('open', 'acknowledged', 'snoozed'))
        OR (applied.at <= %s AND NOT picked.is_ready) THEN 'at_risk'
    WHEN picked.is_ready THEN 'ready'
    ELSE 'not_picked' END AS stage,
    CASE WHEN o.status IN ('on_hold', 'backordered') THEN o.status
        WHEN picked.is_ready THEN 'ready' ELSE 'not_picked' END AS progress
FROM visibility_order o
CROSS JOIN LATERAL (
    SELECT * FROM entry WHERE entry.warehouse IN ('', upper(o.warehouse))
        AND entry.carrier IN ('', upper(o.carrier))
    ORDER BY entry.warehouse <> '' DESC, entry.carrier <> '' DESC LIMIT 1
) AS applied
LEFT JOIN visibility_milestone shipped
    ON shipped.order_id = o.object_id AND shipped.code = 'shipped'
CROSS JOIN LATERAL (SELECT coalesce(shipped.planned_at, o.promised_at) AS moment) AS due
CROSS JOIN LATERAL (
    SELECT EXISTS (SELECT FROM visibility_milestone step WHERE step.order_id = o.object_id
        AND step.code IN ('picked', 'packed') AND step.completed_at IS NOT NULL) AS is_ready
) AS picked
WHERE o.last_event_at IS NOT NULL AND (o.is_open OR o.last_event_at >= %s)
    AND applied.at IS NOT NULL
    AND (due.moment AT TIME ZONE CASE WHEN (due.moment AT TIME ZONE 'UTC')::time = '00:00'
        THEN 'UTC' ELSE applied.zone END)::date <= applied.day
    AND (shipped.completed_at >= applied.counts_since
        OR (shipped.completed_at IS NULL AND o.is_open AND o.delivered_at IS NULL))
"""
COUNTS = "SELECT number, stage, count(*) FROM ({}) AS classified GROUP BY 1, 2"
MEMBERS = """
visibility_order.object_id IN (
    SELECT classified.object_id FROM ({}) AS classified
    WHERE classified.number = %s AND classified.stage = ANY(%s)
)
"""


@dataclass(frozen=True, slots=True)
class CutoffFilter:
    """The orders of one cut-off that are in one stage, or in all; empty names: any."""

    stage: str
    warehouse: str
    carrier: str

    @classmethod
    def from_text(cls, text: str) -> "CutoffFilter | None":
        """Read `ready:Dallas:UPS`; None if it is no such filter. `*` is any."""
        stage, *names = text.split(":")
        if stage not in {ALL_STAGES, *CutoffStage} or len(names) != 2:
            return None
        return cls(stage, *("" if name == ANY else unquote(name)[:100] for name in names))

    @property
    def text(self) -> str:
        """The value of the filter in a query string, not escaped for it."""
        names = [quote(name, safe=" ") or ANY for name in (self.warehouse, self.carrier)]
        return ":".join([self.stage, *names])

    @property
    def label(self) -> str:
        """`Dallas, UPS, ready`."""
        stage = STAGE_LABELS.get(self.stage, "all")
        warehouse, carrier = self.warehouse or "any warehouse", self.carrier or "any carrier"
        return f"{warehouse}, {carrier}, {stage.lower()}"

    def condition(self, now: datetime) -> Q:
        """The filter as a condition on orders; it reads the calendars with one statement."""
        cutoffs = load_current_cutoffs(now)
        keys = [cut.key for cut in cutoffs]
        key = (self.warehouse.upper(), self.carrier.upper())
        if key not in keys:
            return Q(pk__in=[])
        stages = [*CutoffStage] if self.stage == ALL_STAGES else [self.stage]
        sql, values = classified_orders_sql(cutoffs, now)
        members = RawSQL(  # noqa: S611  # constant SQL
            MEMBERS.format(sql), [*values, keys.index(key), stages], output_field=BooleanField()
        )
        return Q(members)


def count_orders_of_cutoffs(
    cutoffs: list[CutOff], scope: OrderScope, now: datetime
) -> dict[tuple[int, str], int]:
    """The number of orders by position of the cut-off and stage. One statement."""
    if not cutoffs:
        return {}
    limits, scope_values = scope.sql("o")
    sql, values = classified_orders_sql(cutoffs, now)
    with connection.cursor() as cursor:
        cursor.execute(COUNTS.format(sql + limits), [*values, *scope_values])
        return {(number, stage): many for number, stage, many in cursor.fetchall()}


def classified_orders_sql(cutoffs: Iterable[CutOff], now: datetime) -> tuple[str, list[Any]]:
    """The SQL of the orders (`object_id`) by `number` of their cut-off; `cutoffs` is not empty.

    `stage`: a `CutoffStage`. `progress`: on_hold, backordered, ready or not_picked.
    """
    rows = [
        (number, *cut.key, cut.at, cut.day, cut.counts_since, cut.zone)
        for number, cut in enumerate(cutoffs)
    ]
    columns = [list(column) for column in zip(*rows, strict=True)]
    earliest = min((row[5] for row in rows if row[5]), default=now)
    return CLASSIFIED, [*columns, now, now + SHORTLY_BEFORE, earliest]
