"""Count telemetry, and store a bounded number of samples, in the caller's transaction."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import orjson

from connectors.sdk.telemetry import TelemetryKind
from visibility.db import bulk
from visibility.db.lock_keys import LockKey, lock_until_commit
from visibility.ingest.telemetry_rows import (
    ReceivedTelemetry,
    SeriesName,
    hour_rows,
    queue_rows,
    sample_rows,
)

# Older records are not counted: a repeat of them would count again.
COUNTED_WITHIN = timedelta(hours=72)
# A source has at most so many series; others are counted together, under this name.
MAX_SERIES = 200
OTHER = "(other)"
# Of each number so many of the newest are stored: of calls and runs, failed and not failed.
SAMPLES_PER_NUMBER = 20
# Of each series so many of the newest without a number are stored, failed and not failed.
SAMPLES_PER_SERIES = 1_000
KNOWN_SERIES = """
SELECT source_id, kind, name, operation, id FROM visibility_telemetryseries
WHERE source_id = ANY(%s::bigint[])
"""
ADD_SERIES = """
INSERT INTO visibility_telemetryseries (source_id, kind, name, operation)
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[])
RETURNING source_id, kind, name, operation, id
"""
ADD_KEYS = """
INSERT INTO visibility_telemetrykey (source_id, key, at)
SELECT DISTINCT ON (source_id, key) source_id, key, at
FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[]) AS t (source_id, key, at)
WHERE at > clock_timestamp() - %s::interval
ORDER BY source_id, key, at
ON CONFLICT (source_id, key) DO NOTHING RETURNING source_id, key
"""
ADD_HOURS = """
INSERT INTO visibility_telemetryhour AS known
    (series_id, hour, result, calls, records, latencies, slowest_ms)
SELECT series_id, hour, result, calls, records, latencies, slowest_ms
FROM json_populate_recordset(NULL::visibility_telemetryhour, %s::json)
ON CONFLICT (series_id, hour, result) DO UPDATE SET calls = known.calls + EXCLUDED.calls,
    records = known.records + EXCLUDED.records,
    slowest_ms = greatest(known.slowest_ms, EXCLUDED.slowest_ms),
    latencies = ARRAY(
        SELECT a + b FROM unnest(known.latencies, EXCLUDED.latencies)
            WITH ORDINALITY AS t (a, b, position) ORDER BY position)
"""
ADD_QUEUE_HOURS = """
INSERT INTO visibility_queuehour AS known (series_id, hour, readings, greatest_depth,
    greatest_oldest_seconds, last_at, last_depth, last_oldest_seconds)
SELECT series_id, hour, readings, greatest_depth, greatest_oldest_seconds, last_at, last_depth,
    last_oldest_seconds
FROM json_populate_recordset(NULL::visibility_queuehour, %s::json)
ON CONFLICT (series_id, hour) DO UPDATE SET readings = known.readings + EXCLUDED.readings,
    greatest_depth = greatest(known.greatest_depth, EXCLUDED.greatest_depth),
    greatest_oldest_seconds =
        greatest(known.greatest_oldest_seconds, EXCLUDED.greatest_oldest_seconds),
    (last_at, last_depth, last_oldest_seconds) = (
        SELECT last.* FROM (VALUES
            (known.last_at, known.last_depth, known.last_oldest_seconds),
            (EXCLUDED.last_at, EXCLUDED.last_depth, EXCLUDED.last_oldest_seconds)
        ) AS last (at, depth, oldest_seconds) ORDER BY at DESC, depth DESC LIMIT 1)
"""
# The report of a run that ended replaces one that says that it runs, and a later one an earlier.
ADD_SAMPLES = """
INSERT INTO visibility_telemetrysample AS known (series_id, at, key, result, is_failed, is_linked,
    weight, milliseconds, http_status, text, trace_id, run_id, url, started_at, records_read,
    records_written, records_failed)
SELECT series_id, at, key, result, is_failed, is_linked, weight, milliseconds, http_status, text,
    trace_id, run_id, url, started_at, records_read, records_written, records_failed
FROM json_populate_recordset(NULL::visibility_telemetrysample, %s::json)
WHERE at > clock_timestamp() - %s::interval
ON CONFLICT (series_id, run_id) WHERE run_id <> '' DO UPDATE SET
    (at, key, result, is_failed, milliseconds, text, records_read, records_written,
        records_failed) = (
        SELECT last.* FROM (VALUES
            (known.at, known.key, known.result, known.is_failed, known.milliseconds, known.text,
                known.records_read, known.records_written, known.records_failed),
            (EXCLUDED.at, EXCLUDED.key, EXCLUDED.result, EXCLUDED.is_failed,
                EXCLUDED.milliseconds, EXCLUDED.text, EXCLUDED.records_read,
                EXCLUDED.records_written, EXCLUDED.records_failed)
        ) AS last (at, key, result, is_failed, milliseconds, text, records_read, records_written,
            records_failed)
        ORDER BY result <> 'running' DESC, at DESC, key DESC LIMIT 1),
    is_linked = known.is_linked OR EXCLUDED.is_linked,
    trace_id = coalesce(nullif(known.trace_id, ''), EXCLUDED.trace_id),
    url = coalesce(nullif(EXCLUDED.url, ''), known.url),
    started_at = coalesce(least(known.started_at, EXCLUDED.started_at), known.started_at)
RETURNING id, series_id, key, run_id
"""
ADD_NUMBERS = """
INSERT INTO visibility_telemetrynumber (sample_id, kind, scheme, issuer, value)
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[])
ON CONFLICT DO NOTHING
"""
DELETE_OLD_NUMBERS = """
WITH touched AS (
    SELECT DISTINCT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[])
        AS t (kind, scheme, issuer, value)
), ranked AS (
    SELECT number.id, row_number() OVER (
        PARTITION BY number.value, number.scheme, number.issuer, number.kind, series.kind,
            sample.is_failed
        ORDER BY sample.at DESC, sample.key DESC) AS position
    FROM touched JOIN visibility_telemetrynumber AS number USING (value, scheme, issuer, kind)
    JOIN visibility_telemetrysample AS sample ON sample.id = number.sample_id
    JOIN visibility_telemetryseries AS series ON series.id = sample.series_id
)
DELETE FROM visibility_telemetrynumber AS number USING ranked
WHERE number.id = ranked.id AND ranked.position > %s RETURNING number.sample_id
"""
DELETE_UNLINKED = """
DELETE FROM visibility_telemetrysample AS sample WHERE id = ANY(%s::bigint[])
    AND NOT EXISTS (SELECT FROM visibility_telemetrynumber WHERE sample_id = sample.id)
"""
DELETE_BEYOND_NEWEST = """
WITH old AS (
    SELECT sample.id FROM (VALUES (true), (false)) AS failed (is_failed),
        unnest(%s::bigint[]) AS series (id),
        LATERAL (
            SELECT id FROM visibility_telemetrysample
            WHERE series_id = series.id AND is_linked = %s AND is_failed = failed.is_failed
            ORDER BY at DESC, key DESC OFFSET %s
        ) AS sample
), numbers AS (
    DELETE FROM visibility_telemetrynumber USING old WHERE sample_id = old.id
)
DELETE FROM visibility_telemetrysample AS sample USING old WHERE sample.id = old.id
"""


def store_telemetry(records: Sequence[ReceivedTelemetry]) -> None:
    """Count the records that were not counted yet, and store their samples.

    Call it at the end of a transaction: it waits for others that do the same, and they for its
    commit. The result does not depend on the order of the records.
    """
    if not records:
        return
    lock_until_commit(LockKey.TELEMETRY)
    series_ids = _find_or_add_series(records)
    finished = [received for received in records if received.is_finished]
    counted = _add_keys(finished)
    queues = [r for r in counted if r.record.kind is TelemetryKind.QUEUE]
    calls = [r for r in counted if r.record.kind is not TelemetryKind.QUEUE]
    # Reports of a run are combined, also if they were counted before.
    runs = [r for r in records if r.record.kind is TelemetryKind.RUN]
    samples = [r for r in calls if r.record.kind is TelemetryKind.CALL] + runs
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(ADD_HOURS, [_as_json(hour_rows(calls, series_ids))])
        cursor.execute(ADD_QUEUE_HOURS, [_as_json(queue_rows(queues, series_ids))])
    _store_samples(sample_rows(samples, series_ids))


def _find_or_add_series(records: Iterable[ReceivedTelemetry]) -> dict[SeriesName, int]:
    names = sorted({received.series for received in records})
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(KNOWN_SERIES, [sorted({name[0] for name in names})])
        known: dict[SeriesName, int] = {tuple(row[:4]): row[4] for row in cursor.fetchall()}
        counts: dict[int, int] = {}
        for source_id, *_ in known:
            counts[source_id] = counts.get(source_id, 0) + 1
        stored_names = {}
        for name in names:
            is_new = name not in known
            counts[name[0]] = counts.get(name[0], 0) + is_new
            is_other = is_new and counts[name[0]] > MAX_SERIES
            stored_names[name] = (name[0], name[1], OTHER, "") if is_other else name
        missing = sorted(set(stored_names.values()) - known.keys())
        if missing:
            cursor.execute(ADD_SERIES, [list(column) for column in zip(*missing, strict=True)])
            known |= {tuple(row[:4]): row[4] for row in cursor.fetchall()}
    return {name: known[stored] for name, stored in stored_names.items()}


def _add_keys(records: Sequence[ReceivedTelemetry]) -> list[ReceivedTelemetry]:
    """Remember the keys. Return one record of each key that is new and not too old."""
    columns = [(r.source_id, r.counted_key, r.at) for r in records]
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(
            ADD_KEYS, [*([row[index] for row in columns] for index in range(3)), COUNTED_WITHIN]
        )
        new = set(cursor.fetchall())
    counted: dict[tuple[int, int], ReceivedTelemetry] = {}
    for received in records:
        key = (received.source_id, received.counted_key)
        if key in new:
            counted.setdefault(key, received)
    return list(counted.values())


def _store_samples(rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        return
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(ADD_SAMPLES, [_as_json(rows), COUNTED_WITHIN])
        ids = {(row[1], row[3] or str(row[2])): row[0] for row in cursor.fetchall()}
        numbers = [
            (ids[key], *number)
            for row in rows
            if (key := (row["series_id"], row["run_id"] or str(row["key"]))) in ids
            for number in row["numbers"]
        ]
        columns = [[row[index] for row in numbers] for index in range(5)]
        cursor.execute(ADD_NUMBERS, columns)
        cursor.execute(DELETE_OLD_NUMBERS, [*columns[1:], SAMPLES_PER_NUMBER])
        cursor.execute(DELETE_UNLINKED, [[row[0] for row in cursor.fetchall()]])
        series_ids = sorted({row["series_id"] for row in rows})
        delete_samples_beyond_newest(series_ids, is_linked=False, limit=SAMPLES_PER_SERIES)


def delete_samples_beyond_newest(series_ids: Sequence[int], *, is_linked: bool, limit: int) -> int:
    """Delete the samples of each series beyond its newest ones; return how many.

    `is_linked`: those that name a number, or else those that do not.
    """
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(DELETE_BEYOND_NEWEST, [list(series_ids), is_linked, limit])
        return cursor.rowcount


def _as_json(rows: Sequence[Mapping[str, Any]]) -> str:
    return orjson.dumps(rows).decode()
