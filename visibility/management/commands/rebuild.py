"""manage.py rebuild: who is who and every order, again from the kept rows; changes nothing."""

import json
import logging
from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from visibility.identity import component, merge, resolve
from visibility.kpi import aggregate
from visibility.models import BusinessObject
from visibility.pipeline.stages import fold_orders
from visibility.storage import refold_queue

log = logging.getLogger(__name__)
CHUNK = 200
TRIES = 4


class Command(BaseCommand):
    """Runs beside live intake, order by order under their locks; safe to kill and to run twice."""

    help = "Weigh again who is who and fold every order, from the kept events and acts."

    def handle(self, *args: Any, **options: Any) -> None:
        objects = BusinessObject.objects.filter(merged_into__isnull=True)
        for ids in _chunks(list(objects.order_by("pk").values_list("pk", flat=True))):
            _weigh(ids)
        orders = objects.filter(kind="order").order_by("pk")
        done, ids = 0, list(orders.values_list("pk", flat=True))
        for chunk in _chunks(ids):
            with transaction.atomic():
                locked = refold_queue.lock(chunk)
                fold_orders(locked)
            done += len(locked)
            self.stderr.write(f"rebuild {done}/{len(ids)}")
        while aggregate.recompute():
            pass
        self.stdout.write(json.dumps({"orders": done}))


def _chunks(ids: list[int]) -> list[list[int]]:
    return [ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)]


def _weigh(ids: list[int]) -> None:
    """Some objects; what hangs together with too many others stays as it is, and is told."""
    for _ in range(TRIES):
        try:
            with transaction.atomic():
                resolve.resolve(ids)
        except component.Moved:
            continue
        except merge.JoinTooLarge as error:
            if len(ids) == 1:
                log.warning("object=%s left as it is: %s", ids[0], error)
                return
            break
        else:
            return
    for one in ids if len(ids) > 1 else ():
        _weigh([one])
