"""The canonical export: what follows from the kept messages, the configuration and an instant T.

One JSON object a line, sorted by (kind, key), keys sorted; numbers are plain decimal strings, times
RFC 3339 UTC. No row ids, no receive, record or notify times: two installations that were told the
same, in any order, export the same bytes.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson
from django.conf import settings

from connectors.sdk.events import Attribute, iso, plain
from visibility.kpi.registry import shelf
from visibility.models.objects import BusinessObject
from visibility.sla.clocks import Promise, promises, running, verdict
from visibility.sla.rule import Clock
from visibility.sla.rule_failures import Failure
from visibility.storage.timelines import folded
from visibility.timeline import Conflict, Timeline

CHUNK = 500
# The cells of the numbers, summed from the orders: (kpi, day, channel, warehouse, group).
Cell = tuple[str, str, str, str, str]


def facts(
    *, as_of: datetime, known_at: datetime | None = None, order_key: str = ""
) -> Iterator[bytes]:
    """The lines. `known_at`: from what had been received by then alone.

    `order_key`: only the order of that canonical key or number, and no numbers.
    """
    held = promises()
    lines: list[tuple[str, str, bytes]] = []
    sums: dict[Cell, dict[str, Any]] = {}
    for timeline in timelines(as_of=as_of, known_at=known_at):
        if order_key and order_key not in {timeline.key, *timeline.numbers.values()}:
            continue
        lines.append(("order", timeline.key, _dump(order_fact(timeline, held))))
        if not order_key:
            _count(timeline, sums)
    for cell, values in sums.items():
        key = "/".join(cell)
        lines.append(("kpi", key, _dump({"kind": "kpi", "key": key, **_summed(values)})))
    for _, _, line in sorted(lines):
        yield line


def timelines(*, as_of: datetime, known_at: datetime | None = None) -> Iterator[Timeline]:
    """Every order that has a word said of it by T, folded afresh."""
    orders = BusinessObject.objects.filter(kind="order", merged_into__isnull=True)
    ids = list(orders.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(ids), CHUNK):
        found = folded(ids[start : start + CHUNK], as_of=as_of, known_at=known_at)
        yield from (timeline for timeline in found.values() if timeline.entries)


def order_fact(timeline: Timeline, held: Iterable[Promise]) -> dict[str, Any]:
    """One order as plain values."""
    return {
        "kind": "order",
        "key": timeline.key,
        "status": timeline.status.value,
        "since": _time(timeline.status_since),
        "states": sorted(state.value for state in timeline.states),
        "held_since": _time(timeline.held_since),
        "numbers": dict(timeline.numbers),
        "attributes": {name.value: text for name, text in timeline.attributes.items()},
        "lines": [
            {
                "key": line.key,
                "unit": line.unit,
                "price": plain(line.price) if line.price is not None else None,
                "extra": line.extra,
                "state": line.state.value,
                "flags": [flag.value for flag in line.flags],
                "short": plain(line.short),
                "filled": {sku: plain(q) for sku, q in line.filled},
                "quantities": {m.value: plain(q) for m, q in line.quantities.items()},
                "by_source": {
                    source: {name.value: plain(q) for name, q in own.items()}
                    for source, own in line.by_source.items()
                },
            }
            for line in sorted(timeline.lines, key=lambda line: line.key)
        ],
        "conflicts": [_conflict(conflict) for conflict in timeline.conflicts],
        "waiting": [_conflict(conflict) for conflict in timeline.waiting],
        "promises": [
            {
                "kind": promise.kind,
                "source": promise.source,
                "said": _time(promise.said_at),
                "date": _time(promise.date),
                "old": _time(promise.old),
            }
            for promise in timeline.promises
        ],
        "currencies": list(timeline.currencies),
        "milestones": {
            code.value: {
                "planned": _time(m.planned_at),
                "reached": _time(m.reached_at),
                "completed": _time(m.completed_at),
                "share": plain(round(m.share, 6)) if m.share is not None else None,
                "source": m.source,
            }
            for code, m in timeline.milestones.items()
        },
        "shipments": [
            {
                "key": s.key,
                "carrier": s.carrier,
                "status": s.status,
                "shipped": _time(s.shipped_at),
                "scanned": _time(s.first_scan_at),
                "delivered": _time(s.delivered_at),
                "packages": [{"tracking": p.tracking, "status": p.status} for p in s.packages],
            }
            for s in timeline.shipments
        ],
        "events": [
            {
                "type": e.spoken.event.type.value,
                "source": e.spoken.source,
                "key": e.spoken.event.key,
                "at": _time(e.spoken.occurred_at),
                "superseded": e.superseded,
            }
            for e in timeline.entries
        ],
        "clocks": [
            {"rule": promise.rule.code, **_clock(clock, timeline.as_of)}
            for promise, clock in running(timeline, held)
        ],
    }


def _clock(clock: Clock | Failure, at: datetime) -> dict[str, Any]:
    if isinstance(clock, Failure):
        return {"verdict": "failed", "error": clock.words}
    return {
        "obligation": clock.obligation,
        "started": _time(clock.started_at),
        "due": _time(clock.due_at),
        "stopped": _time(clock.stopped_at),
        "verdict": verdict(clock, at).value,
    }


def _conflict(conflict: Conflict) -> dict[str, Any]:
    return {
        "field": conflict.field.value,
        "line": conflict.line_key,
        "since": _time(conflict.since),
        "opened": _time(conflict.opened_at),
        "money": plain(conflict.money) if conflict.money is not None else None,
        "currency": conflict.currency,
        "owner": conflict.owner,
        "claims": [
            {
                "source": claim.source,
                "value": claim.value,
                "at": _time(claim.at),
                "authoritative": claim.authoritative,
            }
            for claim in conflict.claims
        ],
    }


def _count(timeline: Timeline, sums: dict[Cell, dict[str, Any]]) -> None:
    texts = timeline.attributes
    place = tuple(
        texts.get(name, "")
        for name in (Attribute.CHANNEL, Attribute.WAREHOUSE, Attribute.CUSTOMER_GROUP)
    )
    for code, kpi in shelf().items():
        measured = kpi.measure(timeline, settings.TIME_ZONE)
        if measured is None:
            continue
        cell = (code, measured.day.isoformat(), place[0], place[1], place[2])
        values = sums.setdefault(
            cell,
            {
                "orders": 0,
                "numerator": Decimal(0),
                "denominator": Decimal(0),
                "excluded": {},
                "aside": {},
            },
        )
        if measured.excluded:
            why = values["excluded"]
            why[measured.excluded] = why.get(measured.excluded, 0) + 1
            continue
        for reason, lines in measured.aside.items():
            values["aside"][reason] = values["aside"].get(reason, 0) + lines
        values["orders"] += 1
        values["numerator"] += measured.numerator or 0
        values["denominator"] += measured.denominator or 0


def _summed(values: dict[str, Any]) -> dict[str, Any]:
    return {
        "orders": values["orders"],
        "numerator": plain(values["numerator"]),
        "denominator": plain(values["denominator"]),
        "excluded": values["excluded"],
        "aside": values["aside"],
    }


def _time(moment: datetime | None) -> str | None:
    return iso(moment) if moment else None


def _dump(value: dict[str, Any]) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
