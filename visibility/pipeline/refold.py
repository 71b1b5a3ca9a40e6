"""Refold touched orders: derived rows, clocks, alerts and KPI facts."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection, transaction
from structlog.stdlib import get_logger

from visibility.alerts import clocks
from visibility.db.change_feed import latest_change_number, publish_changes
from visibility.db.clock import database_now
from visibility.identity import assign, decisions
from visibility.kpi import aggregate
from visibility.master_data import term_usage
from visibility.models.identity import IdentityDecision
from visibility.notify.broadcast import publish_change
from visibility.projection import write
from visibility.storage import refold_queue

log = get_logger(__name__)
BATCH_SIZE = 200


def refold_batch(*, due_by: datetime | None = None) -> int:
    """Refold one batch of orders with requests due by then; return how many requests it settled.

    A batch that fails is tried in smaller ones, until the order that cannot be folded is alone:
    that one is postponed, and the others go on.
    """
    limit, claimed = BATCH_SIZE, refold_queue.RefoldBatch((), ())
    for attempt in range(5 + BATCH_SIZE.bit_length()):
        try:
            with transaction.atomic():
                claimed = refold_queue.claim_batch(limit, due_by=due_by)
                if claimed.orders:
                    fold_orders(claimed.orders)
            if claimed.orders:
                publish_change(latest_change_number(), ["order", "alert"])
            return len(claimed.request_ids)
        except (OperationalError, InterfaceError) as error:
            if not connection.is_usable():
                raise
            log.info("refold_retried", attempt=attempt, error=str(error))
            time.sleep(0.02 * 2 ** min(attempt, 5))
        except Exception:  # recorded for this order; the others go on
            if limit == 1:
                log.exception(
                    "refold_failed", objects=refold_queue.postpone_requests(claimed.request_ids)
                )
                return 1
            limit //= 2
    return 0


def fold_orders(order_ids: Sequence[int]) -> None:
    """Write every derived row of these orders. The caller holds their locks and a transaction."""
    now = database_now()
    timelines = write.fold_and_write_orders(order_ids, now=now)
    term_usage.update_term_usage(timelines)
    alerts = clocks.set_clocks(timelines, now=now)
    aggregate.record_facts(timelines)
    publish_changes({"order": list(order_ids), "alert": alerts})


Summary = TypeVar("Summary")


class _Rollback(RuntimeError):
    """Ends the transaction of a preview."""


def preview(
    decision: Callable[[], IdentityDecision], summarize: Callable[[IdentityDecision], Summary]
) -> Summary:
    """Apply a decision, summarize its effect, and roll back. Raises what `decision` raises."""
    summaries: list[Summary] = []
    with suppress(_Rollback), transaction.atomic():
        stored = decision()
        fold_orders(refold_queue.lock_orders(decisions.affected_objects(stored)))
        summaries.append(summarize(stored))
        raise _Rollback
    return summaries[0]


def apply_decision(decision: Callable[[], IdentityDecision]) -> IdentityDecision:
    """Apply a person's decision on identity, and refold the affected orders at once.

    `decision` runs in the transaction. Raises what it raises.
    """
    for _ in range(3):
        with suppress(assign.ConcurrentChange), transaction.atomic():
            stored = decision()
            fold_orders(refold_queue.lock_orders(decisions.affected_objects(stored)))
            return stored
    raise assign.ConcurrentChange
