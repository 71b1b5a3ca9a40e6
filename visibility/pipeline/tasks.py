"""Every Celery task, and the worker's own rounds.

A task is a doorbell around a function that looks for due work in PostgreSQL. Losing any of them
costs seconds: the scheduler rings every few seconds, and the worker looks by itself (`steward`).
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping

from celery import shared_task
from celery.signals import celeryd_after_setup, worker_shutting_down
from django.db import close_old_connections

from visibility import gc_tuning
from visibility.db.clock import database_now
from visibility.master_data import imports
from visibility.notify import outbox
from visibility.pipeline import watchdog
from visibility.pipeline.shutdown import stopping
from visibility.pipeline.stages import (
    collect_files,
    fold_all,
    make_partitions,
    poll_due,
    release_stuck,
    sweep_once,
    take_all,
    tend_master,
)

log = logging.getLogger(__name__)
# A file of master data rests so many times as long as it works.
PAUSE = 3.0
# And then lets orders that are being worked on go first, so long at most.
GIVE_WAY_SECONDS = 0.5


@shared_task(name="visibility.advance")
def advance_task(**_: object) -> None:
    """See advance()."""
    _alone("advance", take_all)
    _alone("fold", fold_all)


@shared_task(name="visibility.fold")
def fold_task(**_: object) -> None:
    """See fold_all()."""
    _alone("fold", fold_all)


@shared_task(name="visibility.sweep")
def sweep_task(**_: object) -> None:
    """See sweep_once()."""
    _alone("sweep", sweep_once)


@shared_task(name="visibility.poll")
def poll_task(**_: object) -> None:
    """See poll_due()."""
    _alone("poll", poll_due)


@shared_task(name="visibility.collect")
def collect_task(**_: object) -> None:
    """See collect_files()."""
    _alone("collect", collect_files)


@shared_task(name="visibility.deliver")
def deliver_task(**_: object) -> None:
    """See outbox.deliver()."""
    _alone("deliver", lambda: outbox.deliver(now=database_now()))


@shared_task(name="visibility.master_data")
def master_task(**_: object) -> None:
    """See tend_master()."""
    _alone("master", SLOW_CHORES["master"])


@shared_task(name="visibility.partitions")
def partitions_task(**_: object) -> None:
    """See make_partitions()."""
    make_partitions()


_busy = {
    name: threading.Lock()
    for name in (
        "advance",
        "fold",
        "sweep",
        "poll",
        "collect",
        "deliver",
        "release_stuck",
        "master",
    )
}
_worked_at: dict[str, float] = {}


def _alone(name: str, work: Callable[[], object]) -> None:
    """One of a kind at a time in a process: a bell that rings meanwhile changes nothing."""
    if not _busy[name].acquire(blocking=False):
        return
    try:
        work()
        _worked_at[name] = time.monotonic()
    finally:
        _busy[name].release()


def _after_orders(seconds: float) -> None:
    """Rest so long, and then until no order is being worked on, within limits."""
    stopping.wait(seconds)
    until = time.monotonic() + GIVE_WAY_SECONDS
    while time.monotonic() < until and (_busy["advance"].locked() or _busy["fold"].locked()):
        if stopping.wait(0.02):
            return


@worker_shutting_down.connect
def stop_taking(**_: object) -> None:
    """No new batch is begun; the one in hand is finished."""
    stopping.set()


CHORES: Mapping[str, Callable[[], object]] = {
    "advance": take_all,
    "fold": fold_all,
    "sweep": sweep_once,
    "poll": poll_due,
    "collect": collect_files,
    "deliver": lambda: outbox.deliver(now=database_now()),
    "release_stuck": release_stuck,
}
# A file of master data takes minutes: it has a thread of its own.
SLOW_CHORES: Mapping[str, Callable[[], object]] = {
    "master": lambda: tend_master(
        imports.Pace(share=PAUSE, rest=_after_orders, stop=stopping.is_set)
    ),
}


@celeryd_after_setup.connect
def start_steward(**_: object) -> None:
    """With the broker away no bell rings: the worker looks by itself.

    It begins before the broker is asked for: a worker is ready only once that has answered.
    """
    gc_tuning.settle()
    watchdog.watch()
    for chores in (CHORES, SLOW_CHORES):
        threading.Thread(target=_steward, args=(chores,), name="steward", daemon=True).start()


def _steward(chores: Mapping[str, Callable[[], object]]) -> None:
    while not stopping.wait(1):
        for name, work in chores.items():
            if time.monotonic() - _worked_at.get(name, 0.0) < 5:
                continue
            try:
                close_old_connections()
                _alone(name, work)
            except Exception:  # recorded; the next round tries again
                log.exception("steward chore=%s failed", name)
