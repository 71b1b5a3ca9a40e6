"""Fold the touched orders and write their derived rows: rebuilt, never patched."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from django.conf import settings
from django.db.models import Model

from connectors.sdk.events import Attribute, Measure, iso
from visibility.db import bulk
from visibility.models.claims import Conflict
from visibility.models.orders import Milestone, Order, OrderLine, Shipment
from visibility.storage.timelines import folded
from visibility.timeline import MilestoneCode, Timeline
from visibility.timeline.answer import answer
from visibility.timeline.fulfillment import promise
from visibility.timeline.model import moment
from visibility.timeline.promises import FIRST

# An order has one mark ahead of it: what lay ahead before is part of what was folded.
AHEAD = """
WITH gone AS (
    DELETE FROM visibility_refold
    WHERE object_id = ANY(%s) AND touched_at > clock_timestamp()
)
INSERT INTO visibility_refold (object_id, touched_at)
SELECT * FROM unnest(%s::bigint[], %s::timestamptz[])
"""
CUSTOMERS = """
INSERT INTO visibility_customername (name, number)
SELECT t.name, t.number FROM unnest(%b::text[], %b::text[]) AS t (name, number)
WHERE NOT EXISTS (SELECT 1 FROM visibility_customername c
    WHERE c.name = t.name AND c.number = t.number)
ON CONFLICT DO NOTHING
"""


def project(order_ids: Sequence[int], *, now: datetime) -> dict[int, Timeline]:
    """Fold the orders as of now and write their rows; the timelines, for the stages that follow."""
    timelines = folded(order_ids, as_of=now)
    write(timelines, now=now)
    return timelines


def write(timelines: Mapping[int, Timeline], *, now: datetime) -> None:
    """The derived rows of these orders, in place of the old ones."""
    if not timelines:
        return
    rows = [order_row(order_id, timeline, now=now) for order_id, timeline in timelines.items()]
    bulk.insert(Order, rows, once=["object_id"])
    _name_customers(rows)
    ids = list(timelines)
    parts: Mapping[type[Model], Callable[[int, Timeline], Iterable[bulk.Row]]] = {
        OrderLine: _line_rows,
        Shipment: _shipment_rows,
        Milestone: _milestone_rows,
        Conflict: _conflict_rows,
    }
    for model, rows_of in parts.items():
        model._base_manager.filter(order_id__in=ids)._raw_delete("default")
        bulk.insert(model, [row for o, t in timelines.items() for row in rows_of(o, t)])
    _mark_ahead(timelines)


def _mark_ahead(timelines: Mapping[int, Timeline]) -> None:
    """Orders that time alone will change are folded again when it has come."""
    ahead = [(order_id, t.changes_at) for order_id, t in timelines.items() if t.changes_at]
    with bulk.cursor() as cursor:
        orders, times = [order_id for order_id, _ in ahead], [at for _, at in ahead]
        cursor.execute(AHEAD, [list(timelines), orders, times])


def _name_customers(rows: Sequence[bulk.Row]) -> None:
    """What customers are called, for the search."""
    told = {(str(row["customer_name"]), str(row["customer_no"])) for row in rows}
    names = sorted((name, number) for name, number in told if name)
    if names:
        with bulk.cursor() as cursor:
            cursor.execute(CUSTOMERS, [list(column) for column in zip(*names, strict=True)])


def order_row(order_id: int, timeline: Timeline, *, now: datetime) -> bulk.Row:
    """The row of one order."""
    said = answer(timeline, zone=settings.TIME_ZONE)
    texts = timeline.attributes
    counted = [line for line in timeline.lines if line.counted]
    first = timeline.promise(FIRST)
    last = timeline.entries[-1].spoken if timeline.entries else None
    requested, promised = (
        moment(texts.get(Attribute.REQUESTED_AT)),
        moment(texts.get(Attribute.PROMISED_AT)),
    )
    return {
        "object_id": order_id,
        "key": timeline.key,
        "number": number_of(timeline)[:200],
        "customer_po": _po(timeline)[:200],
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
        "answer": said.text,
        "awaited": said.awaited,
        "is_open": timeline.is_open,
        "line_count": len(counted),
        "lines_shipped": sum(
            1 for line in counted if line.due and line.get(Measure.SHIPPED) >= line.due
        ),
        "ordered_at": timeline.when(MilestoneCode.RECEIVED),
        "requested_at": requested,
        "promised_at": promised,
        "first_promised_at": first.date if first else None,
        "released_at": timeline.when(MilestoneCode.RELEASED),
        "shipped_at": timeline.when(MilestoneCode.SHIPPED),
        "delivered_at": timeline.completed(MilestoneCode.DELIVERED),
        "last_event_at": last.occurred_at if last else None,
        "last_source": last.source if last else "",
        "event_count": len(timeline.entries),
        "folded_at": now,
        "promise_ends_at": _promise_ends(timeline),
    }


def _promise_ends(timeline: Timeline) -> datetime | None:
    """The end of a promise that is still to be kept."""
    promised = promise(timeline, settings.TIME_ZONE)
    if promised is None or timeline.completed(MilestoneCode.DELIVERED):
        return None
    moment, _ = promised
    return moment if moment > timeline.as_of else None


def number_of(timeline: Timeline) -> str:
    """The number people say: the ERP's, the shop's, the customer's, any."""
    for scheme in ("sales_order", "web_order", "order_number", "customer_po", "source_id"):
        found = sorted(v for k, v in timeline.numbers.items() if k.startswith(f"{scheme}:"))
        if found:
            return found[0]
    return timeline.key


def _po(timeline: Timeline) -> str:
    found = sorted(v for k, v in timeline.numbers.items() if k.startswith("customer_po:"))
    return found[0] if found else ""


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
                    "at": iso(claim.at),
                    "authoritative": claim.authoritative,
                }
                for claim in conflict.claims
            ],
        }
