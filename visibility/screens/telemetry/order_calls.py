"""The calls and runs that name an order, or that belong to a trace of its messages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection

from connectors.sdk.telemetry import TelemetryKind
from visibility.formatting import count_with_noun

# Traces of so many of the newest events of an order are looked up.
MAX_EVENTS = 500
# A number that systems reuse names the order that had it at the time of the call.
MATCHED = """
WITH RECURSIVE reach (id) AS (
    SELECT %(order)s::bigint WHERE EXISTS (SELECT FROM visibility_telemetrysample)
    UNION
    SELECT r.child_id FROM reach JOIN visibility_objectrelation r ON r.parent_id = reach.id
), trace AS (
    SELECT DISTINCT split_part(header.text, '-', 2) AS id
    FROM (
        SELECT DISTINCT link.occurred_at, link.event_id
        FROM reach JOIN visibility_eventobjectlink link ON link.object_id = reach.id
        WHERE EXISTS (SELECT FROM visibility_telemetrysample WHERE trace_id <> '')
        ORDER BY link.occurred_at DESC, link.event_id DESC LIMIT %(events)s
    ) AS named
    JOIN visibility_event event
        ON event.id = named.event_id AND event.occurred_at = named.occurred_at
    JOIN visibility_inbound_message message
        ON message.id = event.message_id AND message.received_at = event.received_at
    CROSS JOIN LATERAL (VALUES (message.headers->>'ce-traceparent'),
        (message.headers->>'traceparent')) AS header (text)
    WHERE header.text IS NOT NULL
), matched AS (
    SELECT id, bool_or(is_named) AS is_named FROM (
        SELECT sample.id, true AS is_named FROM reach
        JOIN visibility_identifier identifier ON identifier.object_id = reach.id
            AND identifier.is_identity AND NOT identifier.rejected
        JOIN visibility_telemetrynumber number ON number.value = identifier.value
            AND number.scheme = identifier.scheme AND number.issuer = identifier.issuer
            AND number.kind = identifier.kind
        JOIN visibility_telemetrysample sample ON sample.id = number.sample_id
        WHERE identifier.generation = (
            SELECT max(used.generation) FROM visibility_identifier used
            WHERE used.is_identity AND used.value = number.value AND used.scheme = number.scheme
                AND used.issuer = number.issuer AND used.kind = number.kind
                AND (used.generation = 0 OR used.reused_from <= sample.at::date))
        UNION ALL
        SELECT sample.id, false FROM trace
        JOIN visibility_telemetrysample sample
            ON sample.trace_id = trace.id AND sample.trace_id <> ''
    ) AS each GROUP BY id
), shown AS (
    SELECT sample.*, matched.is_named FROM matched
    JOIN visibility_telemetrysample sample ON sample.id = matched.id
    WHERE %(until)s::timestamptz IS NULL OR sample.at <= %(until)s::timestamptz
)
"""
COUNT = MATCHED + "SELECT count(*) FROM shown"  # noqa: S608  # only own texts
SUMMARIES = (
    MATCHED
    + """
SELECT series.kind, series.name, series.operation, source.slug, source.title, series.id,
    count(*), count(*) FILTER (WHERE is_failed), max(milliseconds)
FROM shown JOIN visibility_telemetryseries series ON series.id = series_id
JOIN visibility_source source ON source.id = series.source_id
GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 8 DESC, 1, 2, 3, 4
"""
)
ROWS = (
    MATCHED
    + """
SELECT sample.id, series.kind, series.name, series.operation, source.slug, source.title, series.id,
    sample.at, sample.result, sample.is_failed, sample.weight, sample.milliseconds,
    sample.http_status, sample.text, sample.trace_id, sample.run_id, sample.url, sample.started_at,
    sample.records_read, sample.records_written, sample.records_failed, sample.is_named
FROM shown sample JOIN visibility_telemetryseries series ON series.id = sample.series_id
JOIN visibility_source source ON source.id = series.source_id
WHERE %(at)s::timestamptz IS NULL OR (sample.at, sample.id) < (%(at)s::timestamptz, %(id)s::bigint)
ORDER BY sample.at DESC, sample.id DESC LIMIT %(limit)s
"""
)


@dataclass(frozen=True, slots=True)
class CallSummary:
    """The stored calls of one operation, or runs of one flow, of an order."""

    kind: str
    name: str
    operation: str
    source: str
    source_title: str
    series_id: int
    total: int
    failed: int
    slowest_ms: int | None

    @property
    def sentence(self) -> str:
        """`3 calls, 1 failed, slowest 2.1 s`."""
        noun = "call" if self.kind == TelemetryKind.CALL else "run"
        clauses = [count_with_noun(self.total, noun)]
        if self.failed:
            clauses.append(f"{self.failed} failed")
        if self.slowest_ms is not None:
            slowest = format_milliseconds(self.slowest_ms)
            clauses.append(f"slowest {slowest}" if self.total > 1 else slowest)
        return ", ".join(clauses)


@dataclass(frozen=True, slots=True)
class OrderCall:
    """A call or a run of an order. `is_named`: it names a number, not only the trace."""

    id: int
    kind: str
    name: str
    operation: str
    source: str
    source_title: str
    series_id: int
    at: datetime
    result: str
    is_failed: bool
    weight: int
    milliseconds: int | None
    http_status: int | None
    text: str
    trace_id: str
    run_id: str
    url: str
    started_at: datetime | None
    records_read: int | None
    records_written: int | None
    records_failed: int | None
    is_named: bool

    @property
    def trace_url(self) -> str:
        """The page of its trace in the tracing tool; empty if none is configured."""
        return trace_url(self.trace_id)


def count_order_calls(order_id: int, *, until: datetime | None = None) -> int:
    """How many stored calls and runs belong to the order."""
    return int(_fetch(COUNT, order_id, until)[0][0])


def summarize_order_calls(order_id: int, *, until: datetime | None = None) -> list[CallSummary]:
    """The calls and runs of the order by operation and flow, those that failed first."""
    return [CallSummary(*row) for row in _fetch(SUMMARIES, order_id, until)]


def load_order_calls(
    order_id: int,
    *,
    until: datetime | None = None,
    after: tuple[datetime, int] | None = None,
    limit: int,
) -> list[OrderCall]:
    """A page of the calls and runs of the order, the latest first."""
    at, sample_id = after or (None, 0)
    rows = _fetch(ROWS, order_id, until, at=at, id=sample_id, limit=limit)
    return [OrderCall(*row) for row in rows]


def format_milliseconds(milliseconds: int) -> str:
    """`80 ms`, `2.1 s` or `12 min`."""
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:.1f} s"
    return f"{milliseconds // 60_000:,} min"


def trace_url(trace_id: str) -> str:
    """The page of a trace in the tracing tool; empty without a trace or a tool."""
    return settings.TRACE_URL.replace("{trace_id}", trace_id) if trace_id else ""


def _fetch(
    statement: str, order_id: int, until: datetime | None, **values: Any
) -> Sequence[tuple[Any, ...]]:
    parameters: Mapping[str, Any] = {
        "order": order_id,
        "until": until,
        "events": MAX_EVENTS,
        **values,
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())
