"""The canonical dump: all state derived from stored messages, configuration and an instant T.

One JSON object per line, sorted by (kind, key), with sorted keys. Numbers are plain decimal
strings, times RFC 3339 in UTC. Row ids and times of receipt, recording and notification are left
out: two installations that received the same messages in any order dump the same bytes.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson
from django.conf import settings

from connectors.sdk.event_codec import format_decimal, format_rfc3339
from connectors.sdk.events import Attribute
from visibility.kpi.kpi import KpiFamily, KpiMeasurement
from visibility.kpi.registry import kpi_registry
from visibility.models.objects_and_identifiers import BusinessObject
from visibility.sla.clocks_of_order import (
    met_breached_or_running_at,
    order_clocks_of_most_specific_rules,
)
from visibility.sla.load_enabled_rules import LoadedRule, load_enabled_order_rules
from visibility.sla.record_rule_errors_and_retry import RuleFailure
from visibility.sla.rule import Clock
from visibility.storage.order_folding import load_and_fold_orders
from visibility.timeline import Timeline, TimelineConflict

CHUNK_SIZE = 500
# A KPI cell, summed over orders: (kpi, day, channel, warehouse, customer group).
KpiCellKey = tuple[str, str, str, str, str]


def dump_lines(
    *, as_of: datetime, known_at: datetime | None = None, order_key: str = ""
) -> Iterator[bytes]:
    """The lines of the dump. `known_at`: use only messages received by then.

    `order_key`: only the order with this canonical key or number, and no KPIs.
    """
    rules = load_enabled_order_rules()
    lines: list[tuple[str, str, bytes]] = []
    cells: dict[KpiCellKey, dict[str, Any]] = {}
    for timeline in all_timelines(as_of=as_of, known_at=known_at):
        if order_key and order_key not in {timeline.key, *timeline.numbers.values()}:
            continue
        lines.append(("order", timeline.key, _dump_sorted_json(order_to_json(timeline, rules))))
        if not order_key:
            _add_order_to_kpi_cells(timeline, cells)
    for cell, values in cells.items():
        key = "/".join(cell)
        lines.append(
            ("kpi", key, _dump_sorted_json({"kind": "kpi", "key": key, **_cell_to_json(values)}))
        )
    for _, _, line in sorted(lines):
        yield line


def all_timelines(*, as_of: datetime, known_at: datetime | None = None) -> Iterator[Timeline]:
    """The timelines of all orders with events by T, folded from the events."""
    orders = BusinessObject.objects.filter(kind="order", merged_into__isnull=True)
    ids = list(orders.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(ids), CHUNK_SIZE):
        folded_timelines = load_and_fold_orders(
            ids[start : start + CHUNK_SIZE], as_of=as_of, known_at=known_at
        )
        yield from (timeline for timeline in folded_timelines.values() if timeline.entries)


def order_to_json(timeline: Timeline, rules: Iterable[LoadedRule]) -> dict[str, Any]:
    """One order as JSON values."""
    return {
        "kind": "order",
        "key": timeline.key,
        "status": timeline.status.value,
        "since": _format_time(timeline.status_since),
        "states": sorted(state.value for state in timeline.states),
        "on_hold_since": _format_time(timeline.on_hold_since),
        "numbers": dict(timeline.numbers),
        "attributes": {name.value: text for name, text in timeline.attributes.items()},
        "lines": [
            {
                "key": line.key,
                "unit": line.unit,
                "price": format_decimal(line.price) if line.price is not None else None,
                "unexpected": line.unexpected,
                "state": line.state.value,
                "flags": [flag.value for flag in line.flags],
                "short_cancelled": format_decimal(line.short_cancelled),
                "substituted_by": {sku: format_decimal(q) for sku, q in line.substituted_by},
                "quantities": {m.value: format_decimal(q) for m, q in line.quantities.items()},
                "by_source": {
                    source: {name.value: format_decimal(q) for name, q in own.items()}
                    for source, own in line.quantities_by_source.items()
                },
            }
            for line in sorted(timeline.lines, key=lambda line: line.key)
        ],
        "conflicts": [_conflict_to_json(conflict) for conflict in timeline.conflicts],
        "pending_conflicts": [
            _conflict_to_json(conflict) for conflict in timeline.pending_conflicts
        ],
        "promises": [
            {
                "kind": promise.kind,
                "source": promise.source,
                "reported": _format_time(promise.reported_at),
                "date": _format_time(promise.date),
                "previous_date": _format_time(promise.old),
                **({"line": promise.line_key} if promise.line_key else {}),
            }
            for promise in timeline.promises
        ],
        "currencies": list(timeline.currencies),
        "milestones": {
            code.value: {
                "planned": _format_time(m.planned_at),
                "reached": _format_time(m.reached_at),
                "completed": _format_time(m.completed_at),
                "share": format_decimal(round(m.share, 6)) if m.share is not None else None,
                "source": m.source,
            }
            for code, m in timeline.milestones.items()
        },
        "shipments": [
            {
                "key": s.key,
                "carrier": s.carrier,
                "status": s.status,
                "shipped": _format_time(s.shipped_at),
                "scanned": _format_time(s.first_scan_at),
                "delivered": _format_time(s.delivered_at),
                "packages": [{"tracking": p.tracking, "status": p.status} for p in s.packages],
            }
            for s in timeline.shipments
        ],
        "events": [
            {
                "type": e.recorded.event.type.value,
                "source": e.recorded.source,
                "key": e.recorded.event.key,
                "at": _format_time(e.recorded.occurred_at),
                "superseded": e.superseded,
            }
            for e in timeline.entries
        ],
        "clocks": [
            {"rule": promise.rule.code, **_clock_to_json(clock, timeline.as_of)}
            for promise, clock in order_clocks_of_most_specific_rules(timeline, rules)
        ],
    }


def _clock_to_json(clock: Clock | RuleFailure, at: datetime) -> dict[str, Any]:
    if isinstance(clock, RuleFailure):
        return {"verdict": "failed", "error": clock.message}
    return {
        "subject_key": clock.subject_key,
        "started": _format_time(clock.started_at),
        "due": _format_time(clock.due_at),
        "stopped": _format_time(clock.stopped_at),
        "verdict": met_breached_or_running_at(clock, at).value,
    }


def _conflict_to_json(conflict: TimelineConflict) -> dict[str, Any]:
    return {
        "field": conflict.field.value,
        "line": conflict.line_key,
        "since": _format_time(conflict.since),
        "opened": _format_time(conflict.opened_at),
        "money_at_risk": format_decimal(conflict.money) if conflict.money is not None else None,
        "currency": conflict.currency,
        "owner": conflict.owner,
        "claims": [
            {
                "source": claim.source,
                "value": claim.value,
                "at": _format_time(claim.at),
                "authoritative": claim.authoritative,
            }
            for claim in conflict.claims
        ],
    }


def _add_order_to_kpi_cells(timeline: Timeline, cells: dict[KpiCellKey, dict[str, Any]]) -> None:
    texts = timeline.attributes
    dimensions = tuple(
        texts.get(name, "")
        for name in (Attribute.CHANNEL, Attribute.WAREHOUSE, Attribute.CUSTOMER_GROUP)
    )
    for code, kpi in kpi_registry().items():
        if kpi.family is KpiFamily.MEASURE:
            # These state when events were received, which the canonical form leaves out.
            continue
        for measured in kpi.measurements(timeline, settings.TIME_ZONE):
            cell = (code, measured.day.isoformat(), dimensions[0], dimensions[1], dimensions[2])
            _add_measurement(measured, cells.setdefault(cell, _empty_cell()))


def _empty_cell() -> dict[str, Any]:
    return {
        "orders": 0,
        "numerator": Decimal(0),
        "denominator": Decimal(0),
        "excluded": {},
        "uncountable": {},
    }


def _add_measurement(measured: KpiMeasurement, values: dict[str, Any]) -> None:
    if measured.excluded:
        excluded = values["excluded"]
        excluded[measured.excluded] = excluded.get(measured.excluded, 0) + 1
        return
    for reason, lines in measured.uncountable.items():
        values["uncountable"][reason] = values["uncountable"].get(reason, 0) + lines
    values["orders"] += 1
    values["numerator"] += measured.numerator or 0
    values["denominator"] += measured.denominator or 0


def _cell_to_json(values: dict[str, Any]) -> dict[str, Any]:
    return {
        "orders": values["orders"],
        "numerator": format_decimal(values["numerator"]),
        "denominator": format_decimal(values["denominator"]),
        "excluded": values["excluded"],
        "uncountable": values["uncountable"],
    }


def _format_time(moment: datetime | None) -> str | None:
    return format_rfc3339(moment) if moment else None


def _dump_sorted_json(value: dict[str, Any]) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
