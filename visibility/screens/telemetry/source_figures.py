"""The services, flows and queues of a source, with their figures of the last 24 hours."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from connectors.sdk.telemetry import TelemetryKind
from visibility.models import QueueHour, Source, TelemetrySample, TelemetrySeries
from visibility.storage.latency_histogram import percentile

PERIOD = timedelta(hours=24)
# Hours are whole, so the first one of the period counts as a whole.
CALLS = """
WITH counted AS (
    SELECT hour.series_id, hour.result, hour.calls, hour.records, hour.slowest_ms, hour.latencies
    FROM visibility_telemetryhour hour
    JOIN visibility_telemetryseries series ON series.id = hour.series_id
    WHERE series.source_id = %(source)s AND hour.hour > %(since)s
), latency AS (
    SELECT series_id, array_agg(calls ORDER BY position) AS counts FROM (
        SELECT series_id, position, sum(count)::bigint AS calls
        FROM counted, unnest(latencies) WITH ORDINALITY AS t (count, position) GROUP BY 1, 2
    ) AS bucket GROUP BY 1
), total AS (
    SELECT series_id, sum(calls)::bigint AS calls, sum(records)::bigint AS records,
        coalesce(sum(calls) FILTER (WHERE result IN ('error', 'timeout')), 0)::bigint AS failed,
        max(slowest_ms) AS slowest_ms
    FROM counted GROUP BY 1
)
SELECT series.id, series.kind, series.name, series.operation, coalesce(total.calls, 0),
    coalesce(total.records, 0), coalesce(total.failed, 0), total.slowest_ms,
    coalesce(latency.counts, '{}')
FROM visibility_telemetryseries series LEFT JOIN total ON total.series_id = series.id
LEFT JOIN latency ON latency.series_id = series.id
WHERE series.source_id = %(source)s AND series.kind <> 'queue.observed'
ORDER BY total.failed DESC NULLS LAST, total.calls DESC NULLS LAST, series.name, series.operation
"""
QUEUES = """
SELECT DISTINCT ON (series.id) series.id, series.name, hour.last_at, hour.last_depth,
    hour.last_oldest_seconds, greatest.depth, greatest.oldest_seconds
FROM visibility_telemetryseries series
JOIN visibility_queuehour hour ON hour.series_id = series.id
LEFT JOIN LATERAL (
    SELECT max(greatest_depth), max(greatest_oldest_seconds) FROM visibility_queuehour recent
    WHERE recent.series_id = series.id AND recent.hour > %(since)s
) AS greatest (depth, oldest_seconds) ON true
WHERE series.source_id = %(source)s AND series.kind = 'queue.observed'
ORDER BY series.id, hour.hour DESC
"""


@dataclass(frozen=True, slots=True)
class CallFigures:
    """The calls of an operation or the finished runs of a flow in the last 24 hours.

    `calls` and `failed` are weighted by the sample rate; `records` is how many were received.
    """

    series_id: int
    kind: str
    name: str
    operation: str
    calls: int
    records: int
    failed: int
    slowest_ms: int | None
    p50_ms: int | None
    p95_ms: int | None

    @property
    def error_share(self) -> float | None:
        """The share of the calls that failed; None without calls."""
        return self.failed / self.calls if self.calls else None

    @property
    def per_minute(self) -> float:
        """The average number of calls per minute."""
        return self.calls / (PERIOD.total_seconds() / 60)


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """The last reading of a queue, and the greatest values of the last 24 hours."""

    series_id: int
    name: str
    last_at: datetime
    depth: int
    oldest_seconds: int | None
    greatest_depth: int | None
    greatest_oldest_seconds: int | None


def has_telemetry(source: Source) -> bool:
    """Whether the source sent telemetry that is still stored."""
    return TelemetrySeries.objects.filter(source=source).exists()


def load_call_figures(source: Source, now: datetime) -> list[CallFigures]:
    """The figures of each operation and flow, those with failures first. One statement."""
    figures = []
    for *values, latencies in _fetch(CALLS, source, now):
        row = (*values, percentile(latencies, 0.5), percentile(latencies, 0.95))
        figures.append(CallFigures(*row))
    return figures


def load_queue_figures(source: Source, now: datetime) -> list[QueueFigures]:
    """The queues, the deepest first. One statement."""
    queues = [QueueFigures(*row) for row in _fetch(QUEUES, source, now)]
    return sorted(queues, key=lambda queue: (-queue.depth, queue.name))


def find_series(source: Source, series_id: int) -> TelemetrySeries | None:
    """The series of this source, or None."""
    return TelemetrySeries.objects.filter(source=source, pk=series_id).first()


def find_series_by_label(source: Source, label: str) -> TelemetrySeries | None:
    """The series of this source with this name and operation, as alerts name it; or None."""
    return next((s for s in TelemetrySeries.objects.filter(source=source) if str(s) == label), None)


def samples_of_series(
    series: TelemetrySeries, *, only_failed: bool = False
) -> QuerySet[TelemetrySample]:
    """The stored calls or runs, the newest first."""
    samples = TelemetrySample.objects.filter(series=series)
    if only_failed:
        samples = samples.filter(is_failed=True)
    return samples.order_by("-at", "-id").prefetch_related("telemetrynumber_set")


def hours_of_queue(series: TelemetrySeries) -> QuerySet[QueueHour]:
    """The readings of a queue by hour, the newest first."""
    return QueueHour.objects.filter(series=series).order_by("-hour")


def is_queue(series: TelemetrySeries) -> bool:
    """Whether the series is a queue, which has hours and no samples."""
    return series.kind == TelemetryKind.QUEUE


def _fetch(statement: str, source: Source, now: datetime) -> Sequence[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"source": source.pk, "since": now - PERIOD})
        return list(cursor.fetchall())
