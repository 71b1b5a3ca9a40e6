"""Fold what was touched: derived rows, clocks, numbers; and what people decide, at once."""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection, transaction

from visibility.alerts import clocks
from visibility.db.change_feed import change, head
from visibility.db.clock import database_now
from visibility.identity import assign, decisions
from visibility.kpi import aggregate
from visibility.master_data import term_usage
from visibility.models.objects import JoinAct
from visibility.notify import broadcast
from visibility.projection import write
from visibility.storage import refold_queue

log = logging.getLogger(__name__)
FOLDS = 200


def refold(*, touched_by: datetime | None = None) -> int:
    """Fold one batch of orders marked by then, clocks and all; how many marks that settled.

    A batch that fails is tried in ever smaller ones, until what cannot be folded is alone: that is
    put off, and the others go on.
    """
    limit, claimed = FOLDS, refold_queue.Claimed((), ())
    for attempt in range(5 + FOLDS.bit_length()):
        try:
            with transaction.atomic():
                claimed = refold_queue.claim(limit, touched_by=touched_by)
                if claimed.orders:
                    fold_orders(claimed.orders)
            if claimed.orders:
                broadcast.announce(head(), ["order", "alert"])
            return len(claimed.marks)
        except (OperationalError, InterfaceError) as error:
            if not connection.is_usable():
                raise
            log.info("fold again attempt=%s error=%s", attempt, error)
            time.sleep(0.02 * 2 ** min(attempt, 5))
        except Exception:  # the edge of an order: recorded, and the others go on
            if limit == 1:
                log.exception("objects=%s cannot be folded", refold_queue.put_off(claimed.marks))
                return 1
            limit //= 2
    return 0


def fold_orders(order_ids: Sequence[int]) -> None:
    """Every derived row of these orders, in the caller's transaction, the orders being locked."""
    now = database_now()
    timelines = write.project(order_ids, now=now)
    term_usage.note_words(timelines)
    alerts = clocks.set_clocks(timelines, now=now)
    aggregate.record(timelines)
    change({"order": list(order_ids), "alert": alerts})


Seen = TypeVar("Seen")


class _TakenBack(RuntimeError):
    """Only to see what would come of it."""


def imagine(act: Callable[[], JoinAct], see: Callable[[JoinAct], Seen]) -> Seen:
    """What `see` sees where a person's act has been done; nothing of it stays. Raises as `act`."""
    seen: list[Seen] = []
    with suppress(_TakenBack), transaction.atomic():
        made = act()
        fold_orders(refold_queue.lock(decisions.touched(made)))
        seen.append(see(made))
        raise _TakenBack
    return seen[0]


def decide(act: Callable[[], JoinAct]) -> JoinAct:
    """Do what a person decided about who is who, and fold whatever it touches at once.

    `act` is called in the transaction. Raises what it raises.
    """
    for _ in range(3):
        with suppress(assign.Moved), transaction.atomic():
            made = act()
            fold_orders(refold_queue.lock(decisions.touched(made)))
            return made
    raise assign.Moved
