"""Refold touched orders: derived rows, clocks, alerts and KPI facts."""

import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection, transaction
from structlog.stdlib import get_logger

from visibility.alerts import write_clocks_and_alerts
from visibility.db import bulk
from visibility.db.change_feed import append_changes
from visibility.db.database_time import database_now
from visibility.identity import decisions, store_and_link_events
from visibility.kpi import facts_and_cells
from visibility.master_data import used_and_unmapped_terms
from visibility.models.decisions_and_merges import IdentityDecision
from visibility.notify.publish_change_number import broadcast_change_number
from visibility.projection import fold_and_write_orders
from visibility.storage import refold_queue
from visibility.storage.load_events import OrderIdsAndTimesByEvent
from visibility.storage.lock_order_families import lock_all_order_families_or_none
from visibility.storage.organization import use_stored_organization

log = get_logger(__name__)
BATCH_SIZE = 200
# A batch of at most so many orders uses prepared statements.
MAX_LIVE_ORDERS = 10


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
                number = _refold_claimed_orders(claimed.orders) if claimed.orders else 0
            if number:
                broadcast_change_number(number, ["order", "alert"])
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


def _refold_claimed_orders(order_ids: Sequence[int]) -> int:
    with (
        # A change of the time zone requests refolds, which must not use the zone before.
        use_stored_organization(),
        bulk.switch_prepared_statements(enabled=len(order_ids) <= MAX_LIVE_ORDERS),
    ):
        return refold_orders_clocks_alerts_and_kpi_facts(order_ids)


def refold_orders_clocks_alerts_and_kpi_facts(order_ids: Sequence[int]) -> int:
    """Write every derived row of these orders; return the change number.

    The caller holds their locks and a transaction.
    """
    writes = bulk.CombinedWrites()
    changes = _write_derived_rows(order_ids, writes, now=database_now())
    return append_changes(changes, after=writes)


def _write_derived_rows(
    order_ids: Sequence[int],
    last_writes: bulk.CombinedWrites,
    *,
    now: datetime,
    linked: OrderIdsAndTimesByEvent | None = None,
) -> dict[str, list[int]]:
    """Write every derived row of these orders; return the ids of what changed, by kind.

    What can be written last is added to `last_writes`, which the caller executes.
    """
    timelines = fold_and_write_orders.fold_and_write_orders(order_ids, now=now, linked=linked)
    used_and_unmapped_terms.replace_term_usage_of_orders(timelines, last_writes)
    stored = write_clocks_and_alerts.load_clocks_and_failure_flags(order_ids)
    alerts = write_clocks_and_alerts.write_clocks_and_reconcile_alerts(timelines, stored, now=now)
    facts_and_cells.record_facts(timelines, has_failures=stored.has_failed_kpis, writes=last_writes)
    return {"order": list(order_ids), "alert": alerts}


class RefoldFailed(RuntimeError):
    """Orders could not be refolded in the transaction that linked their events."""


def refold_orders_of_objects_if_free(
    object_ids: Collection[int], last_writes: bulk.CombinedWrites
) -> dict[str, list[int]] | None:
    """Refold the orders of these objects in the transaction that linked events to the objects.

    Some rows are added to `last_writes`, which the caller executes. Return the ids of what changed,
    by kind, or None if the refold must wait for the commit: another
    transaction works on these objects, or they are many. Raises RefoldFailed; the transaction must
    then be rolled back.
    """
    families = lock_all_order_families_or_none(object_ids)
    if families is None:
        return None
    if not families.orders:
        return {}
    try:
        return _write_derived_rows(
            families.orders, last_writes, now=families.now, linked=families.linked
        )
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # the queue isolates the order that cannot be folded
        raise RefoldFailed from error


Summary = TypeVar("Summary")


class _Rollback(RuntimeError):
    """Ends the transaction of a preview."""


def summarize_identity_decision_and_roll_back(
    decision: Callable[[], IdentityDecision], summarize: Callable[[IdentityDecision], Summary]
) -> Summary:
    """Apply a decision, summarize its effect, and roll back. Raises what `decision` raises."""
    summaries: list[Summary] = []
    with suppress(_Rollback), transaction.atomic():
        stored = decision()
        refold_orders_clocks_alerts_and_kpi_facts(
            refold_queue.lock_orders_of_objects(decisions.object_ids_named_by_decision(stored))
        )
        summaries.append(summarize(stored))
        raise _Rollback
    return summaries[0]


def apply_identity_decision_and_refold(
    decision: Callable[[], IdentityDecision],
) -> IdentityDecision:
    """Apply a person's decision on identity, and refold the affected orders at once.

    `decision` runs in the transaction. Raises what it raises.
    """
    for _ in range(3):
        with suppress(store_and_link_events.ConcurrentChange), transaction.atomic():
            stored = decision()
            refold_orders_clocks_alerts_and_kpi_facts(
                refold_queue.lock_orders_of_objects(decisions.object_ids_named_by_decision(stored))
            )
            return stored
    raise store_and_link_events.ConcurrentChange
