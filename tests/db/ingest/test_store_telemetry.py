"""Telemetry is counted once, leaves no message and no event, and its rows are bounded."""

from datetime import timedelta
from random import Random
from typing import Any

import orjson
import pytest
from django.db.models import Sum

from tests.builders.sources import create_source
from tests.builders.telemetry import call, queue, receive, run
from visibility.db.database_time import database_now
from visibility.ingest import store_telemetry
from visibility.ingest.delete_old_telemetry import delete_old_telemetry
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.models import (
    Event,
    InboundMessage,
    MessageBody,
    MessageKey,
    Order,
    QueueHour,
    Source,
    SourceActivity,
    TelemetryHour,
    TelemetryKey,
    TelemetryNumber,
    TelemetrySample,
    TelemetrySeries,
)
from visibility.pipeline import job_functions

pytestmark = pytest.mark.django_db


@pytest.fixture
def gateway() -> Source:
    return create_source(
        "gateway",
        title="API gateway",
        connector="cloudevents",
        config={"order_number": "sales_order@erp"},
    )


def order_received(number: str) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"order {number}",
        "source": "/erp",
        "type": "order.received",
        "time": database_now().isoformat(),
        "data": {"order": {"number": number}},
    }


def snapshot() -> dict[str, Any]:
    """Everything that telemetry stored, without ids."""
    samples = TelemetrySample.objects.order_by("series", "at", "key")
    fields = ("series__name", "at", "key", "result", "is_failed", "text", "started_at", "is_linked")
    hours = TelemetryHour.objects.order_by("series__name", "hour", "result")
    return {
        "samples": sorted(map(str, samples.values_list(*fields))),
        "hours": sorted(
            map(str, hours.values_list("series__name", "hour", "result", "calls", "latencies"))
        ),
        "queues": list(
            QueueHour.objects.values_list("readings", "greatest_depth", "last_at", "last_depth")
        ),
        "numbers": sorted(
            map(str, TelemetryNumber.objects.values_list("sample__key", "kind", "issuer", "value"))
        ),
    }


def test_a_burst_beside_orders_leaves_no_messages_and_no_events(gateway: Source) -> None:
    batch = [
        call(str(index), f"SO-{index % 4}", latency_ms=index, sample_rate=0.5)
        for index in range(3_000)
    ]
    for start in range(0, len(batch), 500):
        body = orjson.dumps(batch[start : start + 500])
        headers = {"content-type": "application/cloudevents-batch+json"}
        store_messages([IncomingMessage(gateway.pk, str(start), headers, body)])
    receive(gateway, *(order_received(f"SO-{index}") for index in range(4)))
    assert (Event.objects.count(), Order.objects.count()) == (4, 4)
    assert (InboundMessage.objects.count(), MessageBody.objects.count()) == (4, 4)
    assert MessageKey.objects.count() == 4
    [hour] = TelemetryHour.objects.all()
    assert (hour.calls, hour.records, hour.slowest_ms) == (6_000, 3_000, 2_999)
    assert sum(hour.latencies) == 6_000
    assert TelemetrySample.objects.count() == 4 * store_telemetry.SAMPLES_PER_NUMBER
    assert TelemetryKey.objects.count() == 3_000
    activity = SourceActivity.objects.get(source=gateway, event_type="")
    assert activity.last_received_at is not None


def test_a_redelivered_record_counts_once_alone_and_in_a_batch(gateway: Source) -> None:
    records = [call("1"), call("2", result="timeout"), queue("3", depth=9)]
    receive(gateway, *records)
    receive(gateway, *records)
    headers = {"content-type": "application/cloudevents-batch+json"}
    body = orjson.dumps([*records, records[0]])
    store_messages([IncomingMessage(gateway.pk, "batch", headers, body)])
    job_functions.process_messages_and_refold()
    rows = TelemetryHour.objects.order_by("result").values_list("result", "calls")
    assert list(rows) == [("ok", 1), ("timeout", 1)]
    assert list(QueueHour.objects.values_list("readings", "last_depth")) == [(1, 9)]
    assert TelemetrySample.objects.count() == 2


def test_the_order_of_arrival_does_not_matter(gateway: Source, monkeypatch: Any) -> None:
    monkeypatch.setattr(store_telemetry, "SAMPLES_PER_NUMBER", 3)
    monkeypatch.setattr(store_telemetry, "SAMPLES_PER_SERIES", 2)
    now = database_now()
    records = [
        *(
            call(str(n), *(["SO-1"] if n % 2 else []), at=now - timedelta(minutes=n), latency_ms=n)
            for n in range(12)
        ),
        run("r1", "SO-1", status="running", started_at=(now - timedelta(hours=2)).isoformat()),
        run(
            "r2", status="failed", error="no route", ended_at=(now - timedelta(hours=1)).isoformat()
        ),
        *(queue(f"q{n}", depth=n, at=now - timedelta(minutes=n)) for n in range(4)),
    ]
    results = []
    for seed in range(3):
        Random(seed).shuffle(records)
        receive(gateway, *records)
        results.append(snapshot())
        for model in (TelemetryNumber, TelemetrySample, TelemetryHour, QueueHour, TelemetryKey):
            model.objects.all().delete()
    assert results[0] == results[1] == results[2]
    assert "no route" in str(results[0]["samples"])
    assert len(results[0]["samples"]) == 3 + 2 + 1


def test_a_batch_with_orders_and_telemetry_is_stored_as_a_message(gateway: Source) -> None:
    body = orjson.dumps([order_received("SO-1"), call("1", "SO-1")])
    headers = {"content-type": "application/json"}
    store_messages([IncomingMessage(gateway.pk, "mixed", headers, body)])
    job_functions.process_messages_and_refold()
    assert InboundMessage.objects.get().state == "applied"
    assert Event.objects.count() == 1
    assert TelemetryNumber.objects.get().value == "SO-1"


def test_a_record_without_result_is_parked_and_counts_nothing(gateway: Source) -> None:
    receive(gateway, call("1", result=""))
    message = InboundMessage.objects.get()
    assert (message.state, message.detail) == (
        "parked",
        "data.result: give a result or an HTTP status",
    )
    assert not TelemetryHour.objects.exists()


def test_records_older_than_the_keys_are_not_counted(gateway: Source) -> None:
    receive(gateway, call("1", "SO-1", at=database_now() - timedelta(hours=73)))
    assert not TelemetryHour.objects.exists()
    assert not TelemetrySample.objects.exists()
    assert not InboundMessage.objects.exists()


def test_names_beyond_the_limit_are_counted_together(gateway: Source, monkeypatch: Any) -> None:
    monkeypatch.setattr(store_telemetry, "MAX_SERIES", 3)
    receive(gateway, *(call(str(n), operation=f"/orders/{n}") for n in range(9)))
    assert TelemetrySeries.objects.count() == 4
    other = TelemetryHour.objects.filter(series__name="(other)").aggregate(calls=Sum("calls"))
    assert other == {"calls": 6}


def test_retention_deletes_everything_old(gateway: Source) -> None:
    receive(gateway, call("1", "SO-1"), run("2", "SO-1"), queue("3"))
    now = database_now()
    assert delete_old_telemetry(now=now, days=30) == 0
    delete_old_telemetry(now=now + timedelta(days=31), days=30)
    for model in (TelemetryNumber, TelemetrySample, TelemetryHour, QueueHour, TelemetryKey):
        assert not model.objects.exists()
    assert not TelemetrySeries.objects.exists()
