"""Merge orders that turn out to be one order.

The derived rows of a merged order are deleted; folding the surviving order writes them again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from visibility.db import bulk
from visibility.identity.alert_transfer import move_alerts
from visibility.models.decisions_and_merges import Merge

MAX_MERGED = 50
DELETE_DERIVED_ROWS = (
    "DELETE FROM visibility_slaclock WHERE order_id = ANY(%s)",
    "DELETE FROM visibility_failedclock WHERE order_id = ANY(%s)",
    "DELETE FROM visibility_failedkpi WHERE order_id = ANY(%s)",
    "DELETE FROM visibility_kpifact WHERE order_id = ANY(%s)",
    "DELETE FROM visibility_orderline WHERE order_id = ANY(%s)",
    "DELETE FROM visibility_shipment WHERE order_id = ANY(%s)",
    "DELETE FROM visibility_milestone WHERE order_id = ANY(%s)",
    "DELETE FROM visibility_conflict WHERE order_id = ANY(%s)",
    "DELETE FROM visibility_order WHERE object_id = ANY(%s)",
)


class MergeTooLarge(RuntimeError):
    """The merge would combine more objects than allowed."""


@dataclass(frozen=True, slots=True)
class MergeRecord:
    """One object was merged into another. The evidence is an event and a number, or a decision."""

    winner: int
    loser: int
    event_id: int
    shared_identifier: str
    decision_id: int | None


def delete_derived_rows_and_record_merges(merges: Sequence[MergeRecord]) -> None:
    """Delete the derived rows of merged orders, record the merges and move the alerts.

    All orders must be locked.
    """
    if not merges:
        return
    into = {record.loser: record.winner for record in merges}
    with bulk.server_bound_cursor() as cursor:
        for statement in DELETE_DERIVED_ROWS:
            cursor.execute(statement, [sorted(into)])
    Merge.objects.bulk_create(
        [
            Merge(
                winner_id=j.winner,
                loser_id=j.loser,
                event_id=j.event_id,
                shared_identifier=j.shared_identifier,
                decision_id=j.decision_id,
            )
            for j in merges
        ]
    )
    move_alerts(into)
