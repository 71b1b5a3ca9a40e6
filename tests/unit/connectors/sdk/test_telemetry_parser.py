"""Telemetry of CloudEvents: calls, runs and queues, in every mode, with clear errors."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from connectors.sdk.connector import ParseResult, RawMessage
from connectors.sdk.events import IdentifierScheme
from connectors.sdk.payload import PayloadError
from connectors.sdk.telemetry import TelemetryKind, TelemetryRecord, TelemetryResult
from connectors.systems.cloudevents.connector import CloudEvents
from tests.builders.cloudevents import cloudevent

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"
CONFIG = {"source": "gateway", "order_number": "sales_order@erp"}


def parse(body: Any, **headers: str) -> ParseResult:
    connector = CloudEvents(CONFIG)
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return connector.parse(RawMessage(raw, names, NOON))


def record(kind: str, **data: Any) -> TelemetryRecord:
    event = cloudevent(kind, data, event_id="7", at="2026-03-04T12:00:00Z", source="/gw")
    (parsed,) = parse(event).telemetry
    return parsed


def error_of(kind: str, **data: Any) -> str:
    with pytest.raises(PayloadError) as caught:
        record(kind, **data)
    return f"{caught.value.path}: {caught.value.detail}"


def test_a_call_has_its_service_result_latency_weight_and_orders() -> None:
    call = record(
        "call.observed",
        service="atp",
        operation="check",
        latency_ms=2100.4,
        http_status=504,
        sample_rate=0.01,
        orders=["SO-1", {"number": "SO-2"}],
    )
    assert (call.kind, call.key, call.name, call.operation) == (
        TelemetryKind.CALL,
        "/gw 7",
        "atp",
        "check",
    )
    assert (call.result, call.milliseconds, call.weight) == (TelemetryResult.TIMEOUT, 2100, 100)
    numbers = [ref.identifiers[0] for ref in call.objects]
    assert [(n.scheme, n.issuer, n.value) for n in numbers] == [
        (IdentifierScheme.SALES_ORDER, "erp", "SO-1"),
        (IdentifierScheme.SALES_ORDER, "erp", "SO-2"),
    ]


@pytest.mark.parametrize(("status", "result"), [(200, "ok"), (404, "error"), (408, "timeout")])
def test_without_a_result_the_http_status_decides(status: int, result: str) -> None:
    assert record("call.observed", service="price", http_status=status).result == result
    stated = record("call.observed", service="price", http_status=status, result="OK")
    assert stated.result is TelemetryResult.OK


def test_a_run_has_its_id_records_error_and_duration() -> None:
    run = record(
        "run.observed",
        flow="orders to WMS",
        run_id=4711,
        status="failed",
        records_read=10,
        records_failed=3,
        error="No route",
        started_at="2026-03-04T11:00:00Z",
        ended_at="2026-03-04T11:00:09Z",
        url="https://ipaas.example/runs/4711",
    )
    assert (run.run_id, run.result, run.milliseconds) == ("4711", TelemetryResult.ERROR, 9000)
    assert (run.records_read, run.records_written, run.records_failed) == (10, None, 3)
    assert run.at == datetime(2026, 3, 4, 11, 0, 9, tzinfo=UTC)
    assert run.url == "https://ipaas.example/runs/4711"


@pytest.mark.parametrize("url", ["javascript:alert(1)", "http://[", "/runs/1", "https://"])
def test_only_a_web_address_is_a_link(url: str) -> None:
    assert record("run.observed", flow="f", run_id="1", status="running", url=url).url == ""


def test_a_queue_has_its_depth_and_age() -> None:
    queue = record("queue.observed", queue="orders.in", depth=120, oldest_age_seconds=64)
    assert (queue.name, queue.depth, queue.oldest_seconds) == ("orders.in", 120, 64)


@pytest.mark.parametrize(
    ("kind", "data", "error"),
    [
        ("call.observed", {"result": "ok"}, "data.service: expected text, got nothing"),
        ("call.observed", {"service": "a"}, "data.result: give a result or an HTTP status"),
        (
            "call.observed",
            {"service": "a", "result": "meh"},
            "data.result: 'meh' is not one of ok, error, timeout",
        ),
        (
            "call.observed",
            {"service": "a", "result": "ok", "sample_rate": 0},
            "data.sample_rate: the sample rate is above 0 and at most 1",
        ),
        (
            "call.observed",
            {"service": "a", "result": "ok", "latency_ms": -1},
            "data.latency_ms: expected a number from 0 to 2000000000",
        ),
        (
            "run.observed",
            {"flow": "f", "run_id": "1", "status": "done"},
            "data.status: 'done' is not one of running, succeeded, failed",
        ),
        ("queue.observed", {"queue": "q"}, "data.depth: the depth of the queue is missing"),
        (
            "call.observed",
            {"service": "a", "result": "ok", "orders": [f"SO-{n}" for n in range(501)]},
            "data: a record names at most 500 orders and objects",
        ),
    ],
)
def test_errors_name_the_member(kind: str, data: dict[str, Any], error: str) -> None:
    assert error_of(kind, **data) == error


def test_the_trace_is_that_of_the_data_then_the_event_then_the_request() -> None:
    event = cloudevent("call.observed", {"service": "a", "result": "ok"}, event_id="1")
    by_request = parse(event, traceparent=TRACEPARENT).telemetry[0]
    by_event = parse([{**event, "traceparent": TRACEPARENT}]).telemetry[0]
    data = {**event["data"], "trace_id": "f" * 32}
    by_data = parse({**event, "data": data}, traceparent=TRACEPARENT).telemetry[0]
    assert (by_request.trace_id, by_event.trace_id) == (TRACE, TRACE)
    assert by_data.trace_id == "f" * 32
    unknown = {**event, "data": {**event["data"], "trace_id": "0" * 32}}
    assert parse(unknown).telemetry[0].trace_id == ""


def test_a_batch_may_mix_events_and_telemetry_and_one_error_harms_no_other() -> None:
    order = cloudevent("order.received", {"order": "SO-1"}, event_id="1")
    call = cloudevent("call.observed", {"service": "a", "result": "ok"}, event_id="2")
    broken = cloudevent("queue.observed", {"queue": "q"}, event_id="3")
    parsed = parse([order, call, broken])
    assert (len(parsed.events), len(parsed.telemetry), len(parsed.errors)) == (1, 1, 1)
    lines = b"\n".join(map(orjson.dumps, (order, call)))
    assert len(parse(lines, content_type="application/x-ndjson").telemetry) == 1


def test_binary_mode_and_a_prefix_of_types() -> None:
    headers = {
        "ce_specversion": "1.0",
        "ce_id": "9",
        "ce_source": "/gw",
        "ce_type": "call.observed",
        "content_type": "application/json",
        "ce_traceparent": TRACEPARENT,
    }
    (call,) = parse({"service": "a", "result": "ok"}, **headers).telemetry
    assert (call.key, call.trace_id) == ("/gw 9", TRACE)
    connector = CloudEvents({**CONFIG, "prefix": "com.acme."})
    event = cloudevent("com.acme.queue.observed", {"queue": "q", "depth": 0}, event_id="1")
    (queue,) = connector.parse(RawMessage(orjson.dumps(event), {}, NOON)).telemetry
    assert queue.depth == 0
