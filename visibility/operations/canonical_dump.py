"""The canonical dump: all state derived from stored messages, configuration and an instant T.

One JSON object per line, sorted by (kind, key), with sorted keys. Numbers are plain decimal
strings, times RFC 3339 in UTC. Row ids and times of receipt, recording and notification are left
out: two installations that received the same messages in any order dump the same bytes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from tempfile import TemporaryFile
from typing import Any

import orjson

from connectors.sdk.event_codec import format_decimal, format_rfc3339
from connectors.sdk.events import Attribute
from visibility.kpi.kpi import KpiFamily, KpiMeasurement
from visibility.kpi.registry import kpi_registry
from visibility.sla.clocks_of_order import (
    met_breached_or_running_at,
    order_clocks_of_most_specific_rules,
)
from visibility.sla.load_enabled_rules import LoadedRule, load_enabled_order_rules
from visibility.sla.record_rule_errors_and_retry import RuleFailure
from visibility.sla.rule import Clock
from visibility.storage.order_folding import load_and_fold_orders
from visibility.storage.order_ids_sorted_by_key import order_ids_sorted_by_key
from visibility.storage.organization import organization_time_zone
from visibility.timeline import Timeline, TimelineConflict

# Orders that are folded at a time. Memory grows with this number, and not with all orders.
CHUNK_SIZE = 100
# A KPI cell, summed over orders: (kpi, day, channel, warehouse, customer group).
KpiCellKey = tuple[str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class DumpFilters:
    """Which orders to dump; without any filter all orders, and the KPI values over them.

    `order_key`: the order with this canonical key or number. `source`: the slug of a source that
    reported on the order. `since` and `until`: when its latest event occurred.
    """

    order_key: str = ""
    source: str = ""
    channel: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def matches(self, timeline: Timeline) -> bool:
        """Whether to dump the order with this timeline."""
        if self.order_key and self.order_key not in {timeline.key, *timeline.numbers.values()}:
            return False
        if self.source and all(e.recorded.source != self.source for e in timeline.entries):
            return False
        if self.channel and timeline.attributes.get(Attribute.CHANNEL, "") != self.channel:
            return False
        latest = max(entry.recorded.occurred_at for entry in timeline.entries)
        return not ((self.since and latest < self.since) or (self.until and latest >= self.until))


ALL_ORDERS = DumpFilters()


def dump_lines(
    *,
    as_of: datetime,
    known_at: datetime | None = None,
    order_key: str = "",
    filters: DumpFilters = ALL_ORDERS,
) -> Iterator[bytes]:
    """The lines of the dump. `known_at`: use only messages received by then.

    `order_key` and `filters` select orders, whose lines come one by one; KPI values are then left
    out. The lines of a dump of all orders follow after those of the KPIs, and wait for these in a
    temporary file.
    """
    filters = replace(filters, order_key=order_key) if order_key else filters
    rules = load_enabled_order_rules()
    timelines = all_timelines(as_of=as_of, known_at=known_at, source=filters.source)
    if filters != ALL_ORDERS:
        for timeline in timelines:
            if filters.matches(timeline):
                yield _dump_sorted_json(order_to_json(timeline, rules))
        return
    cells: dict[KpiCellKey, dict[str, Any]] = {}
    with TemporaryFile() as order_lines:
        for timeline in timelines:
            order_lines.write(_dump_sorted_json(order_to_json(timeline, rules)) + b"\n")
            _add_order_to_kpi_cells(timeline, cells)
        keys = {"/".join(cell): values for cell, values in cells.items()}
        for key, values in sorted(keys.items()):
            yield _dump_sorted_json({"kind": "kpi", "key": key, **_cell_to_json(values)})
        order_lines.seek(0)
        for line in order_lines:
            yield line.removesuffix(b"\n")


def all_timelines(
    *, as_of: datetime, known_at: datetime | None = None, source: str = ""
) -> Iterator[Timeline]:
    """The timelines of all orders with events by T, by their keys, folded from the events.

    `source`: leave out orders on which this source never reported.
    """
    with order_ids_sorted_by_key(source, chunk_size=CHUNK_SIZE) as chunks:
        for ids in chunks:
            folded_timelines = load_and_fold_orders(ids, as_of=as_of, known_at=known_at)
            yield from (
                folded_timelines[order_id] for order_id in ids if folded_timelines[order_id].entries
            )


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
        for measured in kpi.measurements(timeline, organization_time_zone()):
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
