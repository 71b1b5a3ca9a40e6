"""Each applied message records how far the reports of its source go."""

from datetime import datetime, timedelta

import orjson
import pytest

from tests.builders.cloudevents import cloudevent
from tests.builders.sources import create_source
from tests.builders.watched_source import set_received_at_of_waiting_messages, store_message
from visibility.alerts.load_source_evidence import load_source_evidence
from visibility.db.database_time import database_now
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.models import InboundMessage, MessageState, Source, SourceActivity
from visibility.pipeline import job_functions

pytestmark = pytest.mark.django_db
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture
def now(db: None) -> datetime:
    return database_now()


@pytest.fixture
def wms(db: None) -> Source:
    return create_source(expect_every=HOUR)


def receive(source: Source, kind: str, occurred_at: datetime, received_at: datetime) -> None:
    store_message(source, kind, occurred_at, f"SO-{kind}")
    set_received_at_of_waiting_messages(received_at)


def activity(event_type: str = "") -> SourceActivity:
    return SourceActivity.objects.get(event_type=event_type)


def test_newest_event_and_receipt_are_recorded_by_event_type(wms: Source, now: datetime) -> None:
    receive(wms, "order.accepted", now - 3 * HOUR, now - 2 * HOUR)
    receive(wms, "pack.completed", now - 4 * HOUR, now - HOUR)
    job_functions.process_messages_and_refold()
    overall, packing = activity(), activity("pack.completed")
    assert (overall.newest_event_at, packing.newest_event_at) == (now - 3 * HOUR, now - 4 * HOUR)
    assert overall.last_received_at == packing.last_received_at == now - HOUR
    # An older message that is applied later moves nothing back.
    receive(wms, "pack.completed", now - 9 * HOUR, now - 8 * HOUR)
    job_functions.process_messages_and_refold()
    assert activity().newest_event_at == now - 3 * HOUR
    assert activity("pack.completed").last_received_at == now - HOUR


def test_event_of_the_future_counts_as_of_its_receipt(wms: Source, now: datetime) -> None:
    receive(wms, "order.accepted", now + 5 * HOUR, now - MINUTE)
    job_functions.process_messages_and_refold()
    assert activity().newest_event_at == now - MINUTE


def test_stock_says_nothing_about_how_far_the_reports_on_orders_go(
    wms: Source, now: datetime
) -> None:
    receive(wms, "order.accepted", now - 3 * HOUR, now - 3 * HOUR)
    receive(wms, "inventory.snapshot", now - MINUTE, now - MINUTE)
    job_functions.process_messages_and_refold()
    assert activity("inventory.snapshot").newest_event_at == now - MINUTE
    assert activity().newest_event_at == now - 3 * HOUR


def test_parked_messages_record_nothing(wms: Source) -> None:
    headers = {"content-type": "application/cloudevents+json"}
    store_messages([IncomingMessage(wms.pk, "broken", headers, b"not JSON")])
    job_functions.process_messages_and_refold()
    assert InboundMessage.objects.get().state == MessageState.PARKED
    assert not SourceActivity.objects.exists()


def test_pause_longer_than_the_silence_limit_ends_with_a_receipt(
    wms: Source, now: datetime
) -> None:
    receive(wms, "order.accepted", now - 5 * HOUR, now - 5 * HOUR)
    receive(wms, "order.changed", now - 4.5 * HOUR, now - 4.5 * HOUR)
    job_functions.process_messages_and_refold()
    assert activity().resumed_at is None
    # Both are processed in one batch: the pause is between them.
    receive(wms, "pick.started", now - 4.2 * HOUR, now - 4.2 * HOUR)
    receive(wms, "pick.completed", now - 3 * HOUR, now - HOUR)
    job_functions.process_messages_and_refold()
    assert activity().resumed_at == now - HOUR
    assert activity().backlog_applied_at is None
    receive(wms, "pack.completed", now - 2 * HOUR, now - 0.9 * HOUR)
    job_functions.process_messages_and_refold()
    assert activity().resumed_at == now - HOUR
    assert activity().backlog_applied_at is not None


def test_successful_poll_is_no_pause(wms: Source, now: datetime) -> None:
    receive(wms, "order.accepted", now - 5 * HOUR, now - 5 * HOUR)
    job_functions.process_messages_and_refold()
    Source.objects.update(polled_until=now - MINUTE)
    receive(wms, "order.changed", now - MINUTE, now)
    job_functions.process_messages_and_refold()
    assert activity().resumed_at is None


def test_source_that_is_never_silent_has_no_pauses(wms: Source, now: datetime) -> None:
    Source.objects.update(expect_every=None)
    receive(wms, "order.accepted", now - 50 * HOUR, now - 50 * HOUR)
    job_functions.process_messages_and_refold()
    receive(wms, "order.changed", now, now)
    job_functions.process_messages_and_refold()
    assert activity().resumed_at is None


def test_message_of_which_some_records_are_parked_counts_as_data(
    wms: Source, now: datetime
) -> None:
    read, torn = (
        cloudevent("order.accepted", {"order": {"number": number}}, event_id=number or "-", at=now)
        for number in ("SO-1", "")
    )
    headers = {"content-type": "application/cloudevents-batch+json"}
    store_messages([IncomingMessage(wms.pk, "batch", headers, orjson.dumps([read, torn]))])
    set_received_at_of_waiting_messages(now - MINUTE)
    job_functions.process_messages_and_refold()
    assert InboundMessage.objects.get().state == MessageState.PARKED
    assert activity().last_received_at == now - MINUTE
    evidence = load_source_evidence([wms], now)[wms.pk]
    assert (evidence.are_all_messages_parked, evidence.silence) == (False, None)
