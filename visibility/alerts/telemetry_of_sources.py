"""Load what the rules about calls, queues and runs need to know, in three statements."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from visibility.db import bulk
from visibility.sla.observed_telemetry import (
    FinishedRun,
    HourOfCalls,
    ObservedCalls,
    ObservedQueue,
)

# The longest period of the rules.
PERIOD = timedelta(hours=25)
HOURS = """
SELECT series.source_id, series.name, series.operation, hour.hour, sum(hour.calls)::bigint,
    coalesce(sum(hour.calls) FILTER (WHERE hour.result IN ('error', 'timeout')), 0)::bigint
FROM visibility_telemetryhour hour
JOIN visibility_telemetryseries series ON series.id = hour.series_id
WHERE hour.hour > %s GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
"""
QUEUES = """
SELECT DISTINCT ON (series.id) series.source_id, series.name, hour.last_at, hour.last_depth,
    make_interval(secs => hour.last_oldest_seconds)
FROM visibility_telemetryseries series
JOIN visibility_queuehour hour ON hour.series_id = series.id
WHERE series.kind = 'queue.observed' ORDER BY series.id, hour.hour DESC
"""
# Each of the four parts of a series is an index of its own, from which the newest is read.
LAST_RUNS = """
SELECT series.source_id, series.name, last.run_id, last.at, last.result = 'error',
    coalesce(last.records_failed, 0), last.text
FROM visibility_telemetryseries series CROSS JOIN LATERAL (
    SELECT sample.* FROM (VALUES (true), (false)) AS linked (value),
        (VALUES (true), (false)) AS failed (value),
        LATERAL (
            SELECT at, key, run_id, result, records_failed, text FROM visibility_telemetrysample
            WHERE series_id = series.id AND is_linked = linked.value
                AND is_failed = failed.value AND result <> 'running'
            ORDER BY at DESC, key DESC LIMIT 1
        ) AS sample
    ORDER BY sample.at DESC, sample.key DESC LIMIT 1
) AS last WHERE series.kind = 'run.observed' ORDER BY 1, 2
"""


@dataclass(slots=True)
class TelemetryOfSource:
    """The calls of the last day, the queues and the last runs of a source."""

    calls: list[ObservedCalls] = field(default_factory=list)
    queues: list[ObservedQueue] = field(default_factory=list)
    last_runs: list[FinishedRun] = field(default_factory=list)


def load_telemetry_of_sources(now: datetime) -> dict[int, TelemetryOfSource]:
    """The telemetry by source; sources without any are missing."""
    by_source: dict[int, TelemetryOfSource] = {}

    def of(source_id: int) -> TelemetryOfSource:
        return by_source.setdefault(source_id, TelemetryOfSource())

    with bulk.server_bound_cursor() as cursor:
        cursor.execute(HOURS, [now - PERIOD])
        hours: dict[tuple[int, str], list[HourOfCalls]] = {}
        for source_id, name, operation, *values in cursor.fetchall():
            label = f"{name} {operation}".strip()
            hours.setdefault((source_id, label), []).append(HourOfCalls(*values))
        for (source_id, label), counted in hours.items():
            of(source_id).calls.append(ObservedCalls(label, tuple(counted)))
        cursor.execute(QUEUES)
        for source_id, *values in cursor.fetchall():
            of(source_id).queues.append(ObservedQueue(*values))
        cursor.execute(LAST_RUNS)
        for source_id, *values in cursor.fetchall():
            of(source_id).last_runs.append(FinishedRun(*values))
    return by_source
