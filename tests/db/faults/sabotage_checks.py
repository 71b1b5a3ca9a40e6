"""Checks of the guarantees that `test_sabotage.py` breaks one by one."""

import asyncio
import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson
import psycopg
import pytest
from django.db import OperationalError, connection, connections, transaction

from visibility.alerts import sweep_due_clocks_and_snoozes
from visibility.db import change_feed
from visibility.db.database_time import database_now
from visibility.ingest import insert_messages
from visibility.models import Alert, InboundMessage, Source
from visibility.operations import invariants
from visibility.pipeline import job_functions, process_message_batches
from visibility.web.intake.source_cache import conninfo
from visibility.web.live import hub


def new_message(
    source: Source, *, kind: str = "order.received", order: str = ""
) -> insert_messages.IncomingMessage:
    """One message with a new ID."""
    name = uuid.uuid4().hex
    body = {
        "type": kind,
        "timestamp": (database_now() - timedelta(hours=6)).isoformat(),
        "data": {"order": {"number": order or name}},
    }
    return insert_messages.IncomingMessage(
        source.pk, name, {"webhook-id": name}, orjson.dumps(body)
    )


def in_thread(work: Callable[[], object]) -> threading.Thread:
    """Run `work` in a thread with its own database connection."""

    def run() -> None:
        try:
            work()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def message_is_stored_once(source: Source) -> None:
    message = new_message(source)
    before = InboundMessage.objects.count()
    insert_messages.store_messages([message])
    insert_messages.store_messages([message])
    assert InboundMessage.objects.count() == before + 1


def response_is_sent_after_commit(source: Source) -> None:
    """Another session locks the table for a while: the response must wait for the commit."""
    message = new_message(source)

    async def is_visible_on_response() -> bool:
        writer = insert_messages.InboxWriter(conninfo())
        async with await psycopg.AsyncConnection.connect(conninfo()) as stranger:
            await stranger.execute("LOCK TABLE visibility_messagekey IN SHARE MODE")
            asyncio.get_running_loop().call_later(
                0.5, lambda: tasks.append(asyncio.create_task(stranger.rollback()))
            )
            tasks: list[asyncio.Task[None]] = []
            await writer.store(message)
            stored = InboundMessage.objects.filter(dedupe_key=message.dedupe_key)
            visible = await stored.aexists()
            await asyncio.sleep(0.6)
            await asyncio.gather(*tasks, *PENDING_WRITES)
            PENDING_WRITES.clear()
            await writer._close_connection()
            return visible

    assert asyncio.run(is_visible_on_response())


# Writes that were not finished when the response was sent.
PENDING_WRITES: list[asyncio.Task[insert_messages.StoreResult]] = []


def change_reader_misses_nothing(source: Source) -> None:
    """The transaction that takes its change number first commits last."""
    taken, go_on = threading.Event(), threading.Event()
    last, _, _ = hub.changes_since(0)
    seen: set[int] = set()

    def slow() -> None:
        with transaction.atomic():
            change_feed.append_changes({"order": [1]})
            taken.set()
            go_on.wait(10)

    def quick() -> None:
        with transaction.atomic():
            change_feed.append_changes({"order": [2]})

    first = in_thread(slow)
    assert taken.wait(10)
    second = in_thread(quick)
    second.join(0.5)
    for _ in range(2):
        last, _, ids = hub.changes_since(last)
        seen |= set(ids.get("order", ()))
        go_on.set()
        first.join(10)
        second.join(10)
    assert seen == {1, 2}


def claimed_messages_are_not_reclaimed_during_the_lease(source: Source) -> None:
    (stored,) = insert_messages.store_messages([new_message(source)])
    with connection.cursor() as cursor:
        cursor.execute(
            process_message_batches.CLAIM,
            [process_message_batches.LEASE_SECONDS, False, 0, 0, 0, 200],
        )
    job_functions.parse_and_correlate_waiting_messages()
    assert InboundMessage.objects.get(pk=stored.message_id).attempts == 1


def workers_do_not_block_each_other(source: Source) -> None:
    insert_messages.store_messages([new_message(source)])
    claimed, go_on = threading.Event(), threading.Event()

    def other() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(process_message_batches.CLAIM, [60, False, 0, 0, 0, 200])
            claimed.set()
            go_on.wait(10)

    thread = in_thread(other)
    assert claimed.wait(10)
    (mine,) = insert_messages.store_messages([new_message(source)])
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '500ms'")
        process_message_batches.claim_parse_and_correlate_messages()
    except OperationalError as error:
        raise AssertionError("the worker waited for a lock") from error
    finally:
        go_on.set()
        thread.join(10)
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '10s'")
    assert InboundMessage.objects.get(pk=mine.message_id).state == "applied"


def every_message_is_processed(source: Source) -> None:
    insert_messages.store_messages([new_message(source) for _ in range(3)])
    job_functions.process_messages_and_refold()
    assert not InboundMessage.objects.filter(state="waiting").exists()
    assert invariants.check_messages_have_outcome_and_key() == []


def derived_state_is_independent_of_arrival_order(source: Source) -> None:
    kinds = ("order.received", "order.released", "order.held", "order.changed", "order.cancelled")
    for _ in range(6):
        name = uuid.uuid4().hex
        insert_messages.store_messages(
            [new_message(source, kind=kind, order=name) for kind in kinds]
        )
    job_functions.process_messages_and_refold()
    assert invariants.check_arrival_order_independence() == []


def kill_before_the_alert_loses_no_alert(source: Source) -> None:
    before = Alert.objects.count()
    order = uuid.uuid4().hex
    insert_messages.store_messages([new_message(source, kind="order.released", order=order)])
    job_functions.process_messages_and_refold()

    def killed(*_: Any) -> list[int]:
        BETWEEN_STEPS["clock and alert"]()
        raise SystemExit

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep_due_clocks_and_snoozes, "reconcile_alerts_of_due_clocks", killed)
        with pytest.raises(SystemExit):
            sweep_due_clocks_and_snoozes.open_alerts_of_due_clocks(now=database_now())
    sweep_due_clocks_and_snoozes.open_alerts_of_due_clocks(now=database_now())
    assert invariants.check_clocks_and_breach_alerts() == []
    assert Alert.objects.count() == before + 1


# Called between the update of the SLA clock and that of its alert.
BETWEEN_STEPS: dict[str, Callable[[], None]] = {"clock and alert": lambda: None}


def unreachable_broker_does_not_stop_processing(source: Source) -> None:
    insert_messages.store_messages(
        [new_message(source) for _ in range(process_message_batches.BATCH_SIZE + 5)]
    )
    try:
        job_functions.parse_and_correlate_waiting_messages()
    except OSError as error:
        raise AssertionError("an unreachable broker stopped processing") from error
    assert not InboundMessage.objects.filter(state="waiting").exists()


def new_results_match_stored_messages(source: Source) -> None:
    message = new_message(source)
    before = InboundMessage.objects.count()
    results = [
        *insert_messages.store_messages([message, message]),
        *insert_messages.store_messages([message]),
    ]
    assert sum(result.is_new for result in results) == InboundMessage.objects.count() - before
