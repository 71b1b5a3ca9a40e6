"""Fold the affected orders twice: as stored, and with the events of another reading.

Both folds run in a read-only transaction on private copies of the rows (`shadow_tables`), with the
code that also processes messages. So the second fold is what the orders become after a promotion,
including which orders their numbers lead to.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from visibility.identity import store_and_link_events
from visibility.ingest.parse_messages_and_pick_versions import (
    ParseOutcome,
    StoredMessage,
    pick_effective_message_versions,
)
from visibility.kpi.kpi import Kpi, KpiMeasurement
from visibility.kpi.registry import kpi_registry
from visibility.operations.canonical_dump import order_to_json
from visibility.projection.fold_and_write_orders import erp_else_shop_else_customer_order_number
from visibility.release_checks.affected_rows import find_affected_rows
from visibility.release_checks.shadow_tables import FIRST_NEW_ID, read_only_with_shadow_tables
from visibility.sla.load_enabled_rules import LoadedRule, load_enabled_order_rules
from visibility.storage.order_folding import load_and_fold_orders
from visibility.storage.organization import organization_time_zone
from visibility.timeline import Timeline

CHUNK_SIZE = 100
ORDERS = """
SELECT id FROM visibility_businessobject
WHERE kind = 'order' AND merged_into_id IS NULL AND (id = ANY(%s) OR id >= %s) ORDER BY id
"""
MERGED_ORDERS = """
SELECT id, merged_into_id FROM visibility_businessobject
WHERE kind = 'order' AND merged_into_id IS NOT NULL AND id = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class FoldedOrder:
    """One order: its canonical form, how it counts in each KPI, and its messages of the check."""

    values: Mapping[str, Any]
    number: str
    measurements: Mapping[str, Sequence[KpiMeasurement]]
    message_ids: Set[int]


@dataclass(frozen=True, slots=True)
class BothFolds:
    """The orders by object id, before and after. `merged_into`: orders that became another one.

    `outcomes`: of the versions of the messages that count.
    """

    before: Mapping[int, FoldedOrder]
    after: Mapping[int, FoldedOrder]
    merged_into: Mapping[int, int]
    outcomes: Sequence[ParseOutcome]
    failed_kpis: Set[str]


def fold_both_ways(
    messages: Sequence[StoredMessage],
    outcomes: Sequence[ParseOutcome],
    slugs: Mapping[int, str],
    *,
    now: datetime,
    report: Callable[[int, int], None],
) -> BothFolds:
    """Fold the orders that these messages affect. Use a new connection.

    `outcomes`: how the messages would be read, and all other versions of them. `report` gets how
    many orders of how many are folded, and may raise to stop. Raises TooManyAffected.
    """
    effective, superseded = pick_effective_message_versions(messages, outcomes)
    new_events = [event for outcome in effective for event in outcome.new_events]
    message_ids = {message.id for message in messages}
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            # It locks no row of others, and folds long between two statements.
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = '10min'")
        affected = find_affected_rows(message_ids, new_events, slugs)
        with read_only_with_shadow_tables(affected.contents()):
            folding = _Folding(load_enabled_order_rules(), message_ids, now, set())
            ids = _order_ids(affected.objects)
            before = folding.fold(ids, lambda done: report(done, 2 * len(ids)))
            store_and_link_events.supersede_events_of_messages(superseded)
            store_and_link_events.store_and_link_events(new_events, slugs)
            store_and_link_events.supersede_events_missing_from_reading(
                {outcome.message_id for outcome in effective}, new_events
            )
            ids_after = _order_ids(affected.objects)
            total = len(ids) + len(ids_after)
            after = folding.fold(ids_after, lambda done: report(len(ids) + done, total))
            with connection.cursor() as cursor:
                cursor.execute(MERGED_ORDERS, [list(before)])
                merged_into = dict(cursor.fetchall())
    return BothFolds(before, after, merged_into, effective, folding.failed_kpis)


def _order_ids(objects: Collection[int]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(ORDERS, [list(objects), FIRST_NEW_ID])
        return [row[0] for row in cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class _Folding:
    rules: Sequence[LoadedRule]
    message_ids: Set[int]
    now: datetime
    failed_kpis: set[str]

    def fold(self, ids: Sequence[int], report: Callable[[int], None]) -> dict[int, FoldedOrder]:
        folded: dict[int, FoldedOrder] = {}
        for start in range(0, len(ids), CHUNK_SIZE):
            report(start)
            timelines = load_and_fold_orders(ids[start : start + CHUNK_SIZE], as_of=self.now)
            folded |= {
                order_id: self._folded_order(timeline)
                for order_id, timeline in timelines.items()
                if timeline.entries
            }
        report(len(ids))
        return folded

    def _folded_order(self, timeline: Timeline) -> FoldedOrder:
        return FoldedOrder(
            order_to_json(timeline, self.rules),
            erp_else_shop_else_customer_order_number(timeline),
            {code: self._measurements(kpi, timeline) for code, kpi in kpi_registry().items()},
            _messages_of_timeline(timeline) & self.message_ids,
        )

    def _measurements(self, kpi: Kpi, timeline: Timeline) -> Sequence[KpiMeasurement]:
        try:
            return tuple(kpi.measurements(timeline, organization_time_zone()))
        except Exception:  # the result names the KPI; the others go on
            self.failed_kpis.add(kpi.code)
            return ()


def _messages_of_timeline(timeline: Timeline) -> set[int]:
    recorded: Iterable[int] = (entry.recorded.message_id for entry in timeline.entries)
    return set(recorded)
