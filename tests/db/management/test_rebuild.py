"""A rebuild lets live messages go first, and leaves its work to the workers if it is killed."""

import time
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from threading import Event

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from tests.builders.identity import (
    SourceMessage,
    create_sources,
    order_of,
    process_messages,
    source_message,
)
from visibility.kpi import facts_and_cells
from visibility.management.commands import rebuild
from visibility.master_data.imports import Throttle
from visibility.models import (
    BackfillRequest,
    BusinessObject,
    KpiRecountRequest,
    Order,
    RefoldRequest,
)
from visibility.pipeline import job_functions
from visibility.pipeline.process_message_batches import MAX_LIVE_MESSAGES
from visibility.storage.refold_queue import enqueue_refolds

pytestmark = pytest.mark.django_db(transaction=True)
ORDERS = 6


class Killed(BaseException):
    """The rebuild is killed."""


def kill(**_: object) -> int:
    raise Killed


def received(number: int) -> SourceMessage:
    return source_message("erp", "order.received", 0, order=f"SO-{number}")


@pytest.fixture(autouse=True)
def orders() -> None:
    create_sources()
    process_messages(received(number) for number in range(ORDERS))


def run_rebuild() -> None:
    call_command("rebuild", stdout=StringIO(), stderr=StringIO())


def test_live_messages_are_folded_before_the_backlog_of_a_rebuild(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rebuild, "refold_batch", kill)
    monkeypatch.setattr(rebuild, "move_backfill_to_refold_queue", lambda: 0)
    with pytest.raises(Killed):
        run_rebuild()
    backlog = BackfillRequest.objects.count()
    assert backlog >= ORDERS
    before = set(Order.objects.values_list("folded_at", flat=True))
    live = range(100, 101 + MAX_LIVE_MESSAGES)  # so many that the queue refolds their orders
    process_messages(received(number) for number in live)
    assert order_of("SO-100").status == "received"
    after = set(Order.objects.values_list("folded_at", flat=True))
    assert before <= after, "an order of the rebuild was folded too"
    assert BackfillRequest.objects.count() == backlog


def test_workers_finish_a_rebuild_that_was_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(rebuild, "refold_batch", kill)
        with pytest.raises(Killed):
            run_rebuild()
    Order.objects.update(status="cancelled")
    throttle = Throttle(share=0, sleep=lambda _: None, should_stop=lambda: False)
    job_functions.import_master_data_and_enqueue_refolds(throttle)
    job_functions.refold_touched_orders_and_update_kpi_cells()
    assert set(Order.objects.values_list("status", flat=True)) == {"received"}
    assert not BackfillRequest.objects.exists()


def test_rebuild_without_workers_folds_every_order() -> None:
    Order.objects.update(status="cancelled")
    run_rebuild()
    assert set(Order.objects.values_list("status", flat=True)) == {"received"}
    assert not BackfillRequest.objects.exists()
    assert not RefoldRequest.objects.exists()
    assert not KpiRecountRequest.objects.exists()


def test_order_that_is_touched_during_recounts_is_folded_before_the_next_recount(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(facts_and_cells, "RECOUNT_BATCH_SIZE", 1)
    facts_and_cells.request_recount_of_all_days()
    assert KpiRecountRequest.objects.count() > 1
    order, recount = order_of("SO-1"), facts_and_cells.recount_requested_days
    left: list[int] = []

    def recount_and_touch() -> int:
        if not left:
            enqueue_refolds([order.pk])
        elif len(left) == 1:
            assert order_of("SO-1").folded_at > order.folded_at
        left.append(KpiRecountRequest.objects.count())
        return recount()

    monkeypatch.setattr(facts_and_cells, "recount_requested_days", recount_and_touch)
    job_functions.refold_touched_orders_and_update_kpi_cells()
    assert len(left) > 1
    assert not KpiRecountRequest.objects.exists()


def test_rebuild_waits_for_objects_that_live_work_has_locked_for_long() -> None:
    is_locked = Event()

    def lock_objects() -> None:
        with transaction.atomic():
            assert list(BusinessObject.objects.select_for_update())
            is_locked.set()
            time.sleep(0.7)
        connection.close()

    with ThreadPoolExecutor() as pool:
        locking = pool.submit(lock_objects)
        assert is_locked.wait(10)
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '250ms'")
        try:
            run_rebuild()
        finally:
            with connection.cursor() as cursor:
                cursor.execute("RESET lock_timeout")
        locking.result()
    assert not BackfillRequest.objects.exists()
