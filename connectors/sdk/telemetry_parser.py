"""Converts the data of `call.observed`, `run.observed` and `queue.observed` to telemetry."""

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from urllib.parse import urlsplit

from connectors.sdk.events import ObjectReference
from connectors.sdk.payload import Node, ParkReason, PayloadError
from connectors.sdk.telemetry import (
    MAX_NAME,
    MAX_OPERATION,
    MAX_RUN_ID,
    MAX_TEXT,
    MAX_URL,
    TelemetryKind,
    TelemetryRecord,
    TelemetryResult,
)
from connectors.sdk.timestamps import ParsedTime, parse_timestamp
from connectors.sdk.trace_context import distinct_traces, parse_traceparent

TRACE_ID = re.compile("[0-9a-f]{32}")
KINDS: Mapping[str, TelemetryKind] = {kind.value: kind for kind in TelemetryKind}
CALL_RESULTS: Mapping[str, TelemetryResult] = {
    result.value: result
    for result in (TelemetryResult.OK, TelemetryResult.ERROR, TelemetryResult.TIMEOUT)
}
RUN_RESULTS: Mapping[str, TelemetryResult] = {
    "running": TelemetryResult.RUNNING,
    "succeeded": TelemetryResult.OK,
    "failed": TelemetryResult.ERROR,
}
TIMEOUT_STATUSES = frozenset({408, 504})
# A sampled call represents at most so many.
MAX_WEIGHT = 1_000_000
# More orders in one record would be a batch, which is no evidence for any of them.
MAX_OBJECTS = 500
# The largest number that columns of the product store.
MAX_COUNT = 2_000_000_000


def telemetry_kind_of_name_or_none(type_name: str, prefix: str) -> TelemetryKind | None:
    """Return the kind of telemetry of a sender's type name, or None if it is none."""
    return KINDS.get(type_name.removeprefix(prefix))


def parse_telemetry(
    data: Node,
    *,
    kind: TelemetryKind,
    key: str,
    at: ParsedTime | None,
    zone: str | None,
    objects: tuple[ObjectReference, ...],
    headers: Mapping[str, str],
) -> TelemetryRecord:
    """Convert `data` to a record. Raises PayloadError.

    `zone`: of times without an offset. `headers`: those of the message; the trace in them counts if
    the data names none.
    """
    if not isinstance(data.value, dict):
        raise PayloadError(ParkReason.SCHEMA, data.path or "data", "expected an object")
    if len(objects) > MAX_OBJECTS:
        detail = f"a record names at most {MAX_OBJECTS} orders and objects"
        raise PayloadError(ParkReason.SIZE, data.path or "data", detail)
    time = at.time if at else None
    if kind is TelemetryKind.QUEUE:
        depth = data.get("depth")
        if depth.value is None:
            raise PayloadError(ParkReason.SCHEMA, depth.path, "the depth of the queue is missing")
        return TelemetryRecord(
            kind,
            key,
            data.required_text("queue")[:MAX_NAME],
            time,
            depth=_count(data, "depth"),
            oldest_seconds=_count(data, "oldest_age_seconds"),
        )
    trace_id = _trace_id(data, headers)
    if kind is TelemetryKind.RUN:
        return _parse_run(data, key, time, zone, trace_id, objects)
    status = _count(data, "http_status")
    return TelemetryRecord(
        kind,
        key,
        data.required_text("service")[:MAX_NAME],
        time,
        operation=data.text_at("operation")[:MAX_OPERATION],
        result=_call_result(data, status),
        weight=_weight(data),
        milliseconds=_count(data, "latency_ms"),
        http_status=status,
        text=data.text_at("detail")[:MAX_TEXT],
        trace_id=trace_id,
        objects=objects,
    )


def _parse_run(
    data: Node,
    key: str,
    time: datetime | None,
    zone: str | None,
    trace_id: str,
    objects: tuple[ObjectReference, ...],
) -> TelemetryRecord:
    started, ended = (
        parsed.time if parsed else None
        for parsed in (
            parse_timestamp(data.text_at(name), data.get(name).path, zone)
            for name in ("started_at", "ended_at")
        )
    )
    milliseconds = None
    if started and ended and ended >= started:
        milliseconds = min(int((ended - started).total_seconds() * 1000), MAX_COUNT)
    return TelemetryRecord(
        TelemetryKind.RUN,
        key,
        data.required_text("flow")[:MAX_NAME],
        ended or time or started,
        result=_term(data.get("status"), data.required_text("status"), RUN_RESULTS),
        milliseconds=milliseconds,
        text=data.text_at("error")[:MAX_TEXT],
        trace_id=trace_id,
        run_id=data.required_text("run_id")[:MAX_RUN_ID],
        url=_url(data),
        started_at=started,
        records_read=_count(data, "records_read"),
        records_written=_count(data, "records_written"),
        records_failed=_count(data, "records_failed"),
        objects=objects,
    )


def _call_result(data: Node, status: int | None) -> TelemetryResult:
    """The reported result, or what the HTTP status says. Raises PayloadError without both."""
    if text := data.text_at("result"):
        return _term(data.get("result"), text, CALL_RESULTS)
    if status is None:
        raise PayloadError(
            ParkReason.SCHEMA, data.get("result").path, "give a result or an HTTP status"
        )
    if status in TIMEOUT_STATUSES:
        return TelemetryResult.TIMEOUT
    return TelemetryResult.OK if status < 400 else TelemetryResult.ERROR


def _term(node: Node, text: str, terms: Mapping[str, TelemetryResult]) -> TelemetryResult:
    if text.lower() not in terms:
        detail = f"{text[:40]!r} is not one of {', '.join(terms)}"
        raise PayloadError(ParkReason.MAPPING, node.path, detail)
    return terms[text.lower()]


def _weight(data: Node) -> int:
    """How many calls the record represents: 100 if 1 of 100 is sampled."""
    rate = data.decimal_at("sample_rate")
    if rate is None:
        return 1
    if not Decimal(0) < rate <= 1:
        path = data.get("sample_rate").path
        raise PayloadError(ParkReason.NUMBER, path, "the sample rate is above 0 and at most 1")
    return min(round(1 / rate), MAX_WEIGHT)


def _count(data: Node, member: str) -> int | None:
    number = data.decimal_at(member)
    if number is None:
        return None
    if not 0 <= number <= MAX_COUNT:
        path = data.get(member).path
        raise PayloadError(ParkReason.NUMBER, path, f"expected a number from 0 to {MAX_COUNT}")
    return int(number)


def _trace_id(data: Node, headers: Mapping[str, str]) -> str:
    """The trace of the data, or of the message. An invalid one is ignored, as the W3C says."""
    text = data.text_at("trace_id").lower()
    if TRACE_ID.fullmatch(text) and text.strip("0"):
        return text
    if context := parse_traceparent(data.text_at("traceparent")):
        return context.trace_id
    return next((context.trace_id for context in distinct_traces(headers)), "")


def _url(data: Node) -> str:
    """The page of the run. Only a web address can be a link."""
    text = data.text_at("url")
    try:
        is_web = urlsplit(text).scheme in {"http", "https"} and bool(urlsplit(text).hostname)
    except ValueError:
        is_web = False
    return text if is_web and len(text) <= MAX_URL else ""
