"""Fold orders and write their derived rows. Rows are always rebuilt, never patched."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from django.db.models import Model

from connectors.sdk.event_codec import format_rfc3339
from connectors.sdk.events import Attribute, IdentifierScheme, Measure
from visibility.db import bulk
from visibility.models.open_conflicts import Conflict
from visibility.models.orders import Milestone, Order, OrderLine, Shipment
from visibility.storage.load_events import OrderIdsAndTimesByEvent
from visibility.storage.order_folding import load_and_fold_orders
from visibility.storage.organization import organization_time_zone
from visibility.timeline import MilestoneCode, Timeline
from visibility.timeline.kpi_inputs import promise_deadline_and_day
from visibility.timeline.model import parse_timestamp_or_none
from visibility.timeline.promises import FIRST
from visibility.timeline.status_answer import status_answer

# Each order has at most one future refold request: the fold decides when the next one is due.
DELETE_SCHEDULED_REFOLDS = """
DELETE FROM visibility_refoldrequest
WHERE object_id = ANY(%s) AND due_at > clock_timestamp()
"""
SCHEDULE_REFOLDS = """
INSERT INTO visibility_refoldrequest (object_id, due_at)
SELECT * FROM unnest(%s::bigint[], %s::timestamptz[])
"""
INSERT_CUSTOMER_NAMES = """
INSERT INTO visibility_customername (name, number)
SELECT t.name, t.number FROM unnest(%b::text[], %b::text[]) AS t (name, number)
WHERE NOT EXISTS (SELECT 1 FROM visibility_customername c
    WHERE c.name = t.name AND c.number = t.number)
ON CONFLICT DO NOTHING
"""


def fold_and_write_orders(
    order_ids: Sequence[int], *, now: datetime, linked: OrderIdsAndTimesByEvent | None = None
) -> dict[int, Timeline]:
    """Fold the orders as of `now` and write their rows. Return {object id: timeline}.

    `linked`: the events of the orders, if they are already found.
    """
    timelines = load_and_fold_orders(order_ids, as_of=now, linked=linked)
    replace_derived_rows(timelines, now=now)
    return timelines


def replace_derived_rows(timelines: Mapping[int, Timeline], *, now: datetime) -> None:
    """Replace the derived rows of these orders."""
    if not timelines:
        return
    rows = [order_row(order_id, timeline, now=now) for order_id, timeline in timelines.items()]
    writes = bulk.CombinedWrites()
    writes.insert_or_update(Order, rows, conflict_columns=["object_id"])
    _store_customer_names(writes, rows)
    row_builders: Mapping[type[Model], Callable[[int, Timeline], Iterable[bulk.Row]]] = {
        OrderLine: _line_rows,
        Shipment: _shipment_rows,
        Milestone: _milestone_rows,
        Conflict: _conflict_rows,
    }
    for model, rows_of in row_builders.items():
        writes.delete_by_ids_and_insert(
            model,
            [row for o, t in timelines.items() for row in rows_of(o, t)],
            of=("order_id", list(timelines)),
        )
    _schedule_refolds(writes, timelines)
    writes.execute()


def _schedule_refolds(writes: bulk.CombinedWrites, timelines: Mapping[int, Timeline]) -> None:
    """Schedule a refold for orders that change at a known time without a new event."""
    writes.add(DELETE_SCHEDULED_REFOLDS, list(timelines))
    ahead = [(order_id, t.next_change_at) for order_id, t in timelines.items() if t.next_change_at]
    if ahead:
        writes.add(SCHEDULE_REFOLDS, *(list(column) for column in zip(*ahead, strict=True)))


def _store_customer_names(writes: bulk.CombinedWrites, rows: Sequence[bulk.Row]) -> None:
    """Store the names of customers, for the search."""
    pairs = {(str(row["customer_name"]), str(row["customer_no"])) for row in rows}
    names = sorted((name, number) for name, number in pairs if name)
    if names:
        writes.add(INSERT_CUSTOMER_NAMES, *(list(column) for column in zip(*names, strict=True)))


def order_row(order_id: int, timeline: Timeline, *, now: datetime) -> bulk.Row:
    """Return the row of one order."""
    answer = status_answer(timeline, zone=organization_time_zone())
    texts = timeline.attributes
    counted = [line for line in timeline.lines if line.is_counted]
    first = timeline.first_promise_of_kind(FIRST)
    last = timeline.entries[-1].recorded if timeline.entries else None
    requested, promised = (
        parse_timestamp_or_none(texts.get(Attribute.REQUESTED_AT)),
        parse_timestamp_or_none(texts.get(Attribute.PROMISED_AT)),
    )
    return {
        "object_id": order_id,
        "key": timeline.key,
        "number": erp_else_shop_else_customer_order_number(timeline)[:200],
        "customer_po": timeline.first_number_of_schemes(IdentifierScheme.CUSTOMER_PO)[:200],
        "customer_no": texts.get(Attribute.CUSTOMER_NO, "")[:100],
        "customer_name": texts.get(Attribute.CUSTOMER_NAME, "")[:250],
        "customer_group": texts.get(Attribute.CUSTOMER_GROUP, "")[:100],
        "channel": texts.get(Attribute.CHANNEL, "")[:60],
        "warehouse": texts.get(Attribute.WAREHOUSE, "")[:100],
        "carrier": next((s.carrier for s in timeline.shipments if s.carrier), "")[:100],
        "currency": texts.get(Attribute.CURRENCY, "")[:8],
        "total": texts.get(Attribute.TOTAL) or None,
        "status": timeline.status.value,
        "status_since": timeline.status_since,
        "states": [state.value for state in timeline.states],
        "conflict_count": len(timeline.conflicts),
        "answer": answer.text,
        "next_step": answer.next_step,
        "is_open": timeline.is_open,
        "line_count": len(counted),
        "lines_shipped": sum(
            1
            for line in counted
            if line.net_ordered_quantity
            and line.quantity(Measure.SHIPPED) >= line.net_ordered_quantity
        ),
        "ordered_at": timeline.milestone_reached_at(MilestoneCode.RECEIVED),
        "requested_at": requested,
        "promised_at": promised,
        "first_promised_at": first.date if first else None,
        "released_at": timeline.milestone_reached_at(MilestoneCode.RELEASED),
        "shipped_at": timeline.milestone_reached_at(MilestoneCode.SHIPPED),
        "delivered_at": timeline.milestone_completed_at(MilestoneCode.DELIVERED),
        "last_event_at": last.occurred_at if last else None,
        "last_source": last.source if last else "",
        "event_count": len(timeline.entries),
        "folded_at": now,
        "promise_ends_at": _future_promise_end_of_undelivered_order(timeline),
    }


def _future_promise_end_of_undelivered_order(timeline: Timeline) -> datetime | None:
    """Return the end of the promised date if it is in the future and goods are still due."""
    promised = promise_deadline_and_day(timeline, organization_time_zone())
    if promised is None or timeline.milestone_completed_at(MilestoneCode.DELIVERED):
        return None
    deadline, _ = promised
    return deadline if deadline > timeline.as_of else None


def erp_else_shop_else_customer_order_number(timeline: Timeline) -> str:
    """Return the number to display: that of the ERP, the shop or the customer, in this order."""
    number = timeline.first_number_of_schemes(
        IdentifierScheme.SALES_ORDER,
        IdentifierScheme.WEB_ORDER,
        IdentifierScheme.ORDER_NUMBER,
        IdentifierScheme.CUSTOMER_PO,
        IdentifierScheme.SOURCE_ID,
    )
    # A key is `scheme:issuer:value`.
    return number or timeline.key.split(":", 2)[-1]


def _line_rows(order_id: int, timeline: Timeline) -> Iterator[bulk.Row]:
    for position, line in enumerate(timeline.lines, 1):
        yield {
            "order_id": order_id,
            "key": line.key[:300],
            "position": position,
            "sku": line.sku[:250],
            "description": line.description,
            "unit": line.unit[:20],
            "state": line.state.value,
            "flags": [flag.value for flag in line.flags],
            "price": line.price,
            **{measure.value: line.quantities.get(measure) for measure in Measure},
        }


def _shipment_rows(order_id: int, timeline: Timeline) -> Iterator[bulk.Row]:
    for s in timeline.shipments:
        yield {
            "order_id": order_id,
            "key": s.key,
            "carrier": s.carrier[:100],
            "tracking": sorted({p.tracking for p in s.packages if p.tracking}),
            "status": s.status[:40],
            "shipped_at": s.shipped_at,
            "first_scan_at": s.first_scan_at,
            "last_scan_at": s.last_scan_at,
            "delivered_at": s.delivered_at,
            "eta": s.eta,
        }


def _milestone_rows(order_id: int, timeline: Timeline) -> Iterator[bulk.Row]:
    for m in timeline.milestones.values():
        yield {
            "order_id": order_id,
            "code": m.code.value,
            "planned_at": m.planned_at,
            "reached_at": m.reached_at,
            "completed_at": m.completed_at,
            "share": m.share,
            "source": m.source,
        }


def _conflict_rows(order_id: int, timeline: Timeline) -> Iterator[bulk.Row]:
    for conflict in timeline.conflicts:
        yield {
            "order_id": order_id,
            "field": conflict.field.value,
            "line": conflict.line_key[:300],
            "since": conflict.since,
            "opened_at": conflict.opened_at,
            "money": conflict.money,
            "currency": conflict.currency[:8],
            "owner": conflict.owner,
            "claims": [
                {
                    "source": claim.source,
                    "role": claim.role.value,
                    "value": claim.value,
                    "at": format_rfc3339(claim.at),
                    "authoritative": claim.authoritative,
                }
                for claim in conflict.claims
            ],
        }
