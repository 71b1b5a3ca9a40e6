"""`manage.py rebuild`: derive identities and orders again from the stored events.

Derived rows never change by it, unless a bug left them wrong.
"""

import json
import time
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand
from django.db import OperationalError, transaction
from django.db.models import Max, Min
from psycopg.errors import LockNotAvailable
from structlog.stdlib import get_logger

from visibility.db.database_time import database_now
from visibility.db.index_stored_corrections import index_stored_corrections
from visibility.identity import (
    lock_and_load_component,
    record_merges_and_move_alerts,
    resolve_from_all_events,
)
from visibility.kpi import facts_and_cells, measure_changed_records
from visibility.master_data.affected_orders import move_backfill_to_refold_queue
from visibility.models import BackfillRequest, BusinessObject, RefoldRequest
from visibility.pipeline.refold_orders import refold_batch
from visibility.storage.refold_queue import enqueue_background_refolds

log = get_logger(__name__)
CHUNK = 200
MAX_ATTEMPTS = 4
# The pause while other workers have locked the orders that are left.
PAUSE_SECONDS = 0.1


class Command(BaseCommand):
    """Rebuild in small locked batches. Safe during live intake, to kill, and to run twice.

    Orders are refolded behind live work: they wait in the backfill queue, and move to the refold
    queue only while it is short. What is left after a kill is refolded by the workers.
    """

    help = "Resolve identities and fold all orders again, from stored events and decisions."

    def handle(self, *args: Any, **options: Any) -> None:
        for _ in index_stored_corrections():
            pass
        objects = BusinessObject.objects.filter(merged_into__isnull=True)
        done, total = 0, objects.count()
        for ids in _batches_of_surviving_objects():
            _resolve_identities_with_retry(ids)
            done += len(ids)
            self.stderr.write(f"rebuild {done}/{total} objects resolved")
        self._refold_requested_orders()
        for _ in measure_changed_records.request_measurement_of_all_records():
            measure_changed_records.measure_changed_records()
        facts_and_cells.request_recount_of_all_days()
        while facts_and_cells.update_cells():
            pass
        self.stdout.write(json.dumps({"orders": objects.filter(kind="order").count()}))

    def _refold_requested_orders(self) -> None:
        """Refold what was requested so far, together with the workers."""
        while left := _estimate_requests_left():
            self.stderr.write(f"rebuild: about {left} refold requests left")
            with transaction.atomic():
                move_backfill_to_refold_queue()
            if not refold_batch():
                time.sleep(PAUSE_SECONDS)
        until = database_now()
        while RefoldRequest.objects.filter(due_at__lte=until).exists():
            if not refold_batch(due_by=until):
                time.sleep(PAUSE_SECONDS)


def _estimate_requests_left() -> int:
    """How many requests wait in the background, from their ids: counting would read them all."""
    ids = BackfillRequest.objects.aggregate(first=Min("id"), last=Max("id"))
    return ids["last"] - ids["first"] + 1 if ids["last"] else 0


def _batches_of_surviving_objects() -> Iterator[list[int]]:
    last_id = 0
    while True:
        following = BusinessObject.objects.filter(merged_into__isnull=True, pk__gt=last_id)
        ids = list(following.order_by("pk").values_list("pk", flat=True)[:CHUNK])
        if not ids:
            return
        yield ids
        last_id = ids[-1]


def _resolve_identities_with_retry(ids: list[int]) -> None:
    """Resolve the identities of some objects, and request refolds of all that belongs to them.

    An object that is connected to too many others stays unchanged and is logged. If live work has
    locked some of them for longer than `lock_timeout`, they are tried again, then one by one.
    """
    for attempt in range(MAX_ATTEMPTS):
        try:
            with transaction.atomic():
                requested = set(ids)
                resolve_from_all_events.resolve_identities(ids, enqueue=requested.update)
                enqueue_background_refolds(requested)
        except lock_and_load_component.ConcurrentChange:
            continue
        except OperationalError as error:
            is_last = len(ids) == 1 and attempt == MAX_ATTEMPTS - 1
            if is_last or not isinstance(error.__cause__, LockNotAvailable):
                raise
            log.warning("rebuild_waits_for_locks", objects=len(ids), attempt=attempt + 1)
        except record_merges_and_move_alerts.MergeTooLarge as error:
            if len(ids) == 1:
                log.warning("object_not_rebuilt", object=ids[0], error=str(error))
                enqueue_background_refolds(ids)
                return
            break
        else:
            return
    for object_id in ids if len(ids) > 1 else ():
        _resolve_identities_with_retry([object_id])
