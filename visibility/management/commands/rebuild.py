"""`manage.py rebuild`: derive identities and orders again from the stored events.

Derived rows never change by it, unless a bug left them wrong.
"""

import json
from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction
from structlog.stdlib import get_logger

from visibility.identity import (
    lock_and_load_component,
    record_merges_and_move_alerts,
    resolve_from_all_events,
)
from visibility.kpi import facts_and_cells, measure_changed_records
from visibility.models import BusinessObject
from visibility.pipeline.refold_orders import refold_orders_clocks_alerts_and_kpi_facts
from visibility.storage import refold_queue

log = get_logger(__name__)
CHUNK = 200
MAX_ATTEMPTS = 4


class Command(BaseCommand):
    """Rebuild in small locked batches. Safe during live intake, to kill, and to run twice."""

    help = "Resolve identities and fold all orders again, from stored events and decisions."

    def handle(self, *args: Any, **options: Any) -> None:
        objects = BusinessObject.objects.filter(merged_into__isnull=True)
        for ids in _split_into_batches(list(objects.order_by("pk").values_list("pk", flat=True))):
            _resolve_identities_with_retry(ids)
        orders = objects.filter(kind="order").order_by("pk")
        done, ids = 0, list(orders.values_list("pk", flat=True))
        for chunk in _split_into_batches(ids):
            with transaction.atomic():
                locked = refold_queue.lock_orders_of_objects(chunk)
                refold_orders_clocks_alerts_and_kpi_facts(locked)
            done += len(locked)
            self.stderr.write(f"rebuild {done}/{len(ids)}")
        for _ in measure_changed_records.request_measurement_of_all_records():
            measure_changed_records.measure_changed_records()
        facts_and_cells.request_recount_of_all_days()
        while facts_and_cells.update_cells():
            pass
        self.stdout.write(json.dumps({"orders": done}))


def _split_into_batches(ids: list[int]) -> list[list[int]]:
    return [ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)]


def _resolve_identities_with_retry(ids: list[int]) -> None:
    """Resolve the identities of some objects.

    An object that is connected to too many others stays unchanged and is logged.
    """
    for _ in range(MAX_ATTEMPTS):
        try:
            with transaction.atomic():
                resolve_from_all_events.resolve_identities(ids)
        except lock_and_load_component.ConcurrentChange:
            continue
        except record_merges_and_move_alerts.MergeTooLarge as error:
            if len(ids) == 1:
                log.warning("object_not_rebuilt", object=ids[0], error=str(error))
                return
            break
        else:
            return
    for object_id in ids if len(ids) > 1 else ():
        _resolve_identities_with_retry([object_id])
