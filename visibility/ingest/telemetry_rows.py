"""The rows of telemetry records before they are stored: plain values, without the database."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.sdk.identifier_normalization import normalize_identifier
from connectors.sdk.telemetry import TelemetryKind, TelemetryRecord, TelemetryResult
from visibility.storage.latency_histogram import BUCKETS, bucket_of

FAILED_RESULTS = frozenset({TelemetryResult.ERROR, TelemetryResult.TIMEOUT})
SeriesName = tuple[int, str, str, str]


@dataclass(frozen=True, slots=True)
class ReceivedTelemetry:
    """A record with the source that sent it and the time that counts."""

    source_id: int
    at: datetime
    record: TelemetryRecord

    @property
    def series(self) -> SeriesName:
        """The source, kind, name and operation."""
        record = self.record
        return (self.source_id, record.kind.value, record.name, record.operation)

    @property
    def key(self) -> int:
        """The hashed key of the record."""
        return _hash(f"{self.record.kind} {self.record.key}")

    @property
    def counted_key(self) -> int:
        """What is counted once: the record, or each result of a run."""
        record = self.record
        if record.kind is TelemetryKind.RUN:
            return _hash(f"{record.kind} {record.name}\n{record.run_id}\n{record.result}")
        return self.key

    @property
    def is_finished(self) -> bool:
        """Whether it is counted: all but a run that still runs."""
        return self.record.result is not TelemetryResult.RUNNING


def received_telemetry(
    source_id: int, received_at: datetime, record: TelemetryRecord
) -> ReceivedTelemetry:
    """The record as of when it occurred, but not later than it was received."""
    return ReceivedTelemetry(source_id, min(record.at or received_at, received_at), record)


def hour_rows(
    records: Iterable[ReceivedTelemetry], series_ids: Mapping[SeriesName, int]
) -> list[dict[str, Any]]:
    """Sum up calls and finished runs by series, hour and result."""
    rows: dict[tuple[int, datetime, str], dict[str, Any]] = {}
    for received in records:
        record = received.record
        key = (series_ids[received.series], _hour(received.at), record.result.value)
        row = rows.setdefault(
            key,
            {
                **dict(zip(("series_id", "hour", "result"), key, strict=True)),
                "calls": 0,
                "records": 0,
                "latencies": [0] * BUCKETS,
                "slowest_ms": None,
            },
        )
        row["calls"] += record.weight
        row["records"] += 1
        if record.milliseconds is not None:
            row["latencies"][bucket_of(record.milliseconds)] += record.weight
            row["slowest_ms"] = max(row["slowest_ms"] or 0, record.milliseconds)
    return [rows[key] for key in sorted(rows)]


def queue_rows(
    records: Iterable[ReceivedTelemetry], series_ids: Mapping[SeriesName, int]
) -> list[dict[str, Any]]:
    """Sum up the readings of queues by hour. Of two at one time, the deeper one is last."""
    rows: dict[tuple[int, datetime], dict[str, Any]] = {}
    for received in sorted(records, key=lambda each: (each.at, each.record.depth or 0)):
        depth, oldest = received.record.depth or 0, received.record.oldest_seconds
        key = (series_ids[received.series], _hour(received.at))
        known = rows.get(key)
        ages = [each for each in (oldest, known and known["greatest_oldest_seconds"]) if each]
        rows[key] = {
            "series_id": key[0],
            "hour": key[1],
            "readings": 1 + (known["readings"] if known else 0),
            "greatest_depth": max(depth, known["greatest_depth"] if known else 0),
            "greatest_oldest_seconds": max(ages, default=oldest),
            "last_at": received.at,
            "last_depth": depth,
            "last_oldest_seconds": oldest,
        }
    return [rows[key] for key in sorted(rows)]


def sample_rows(
    records: Sequence[ReceivedTelemetry], series_ids: Mapping[SeriesName, int]
) -> list[dict[str, Any]]:
    """The sample of each record, with its numbers. Of one run, the last report."""
    rows: dict[tuple[int, str], dict[str, Any]] = {}
    for received in sorted(records, key=lambda each: (each.is_finished, each.at, each.key)):
        record = received.record
        series_id = series_ids[received.series]
        earlier = rows.get((series_id, record.run_id or str(received.key)), {})
        numbers = {**dict.fromkeys(earlier.get("numbers", ())), **dict.fromkeys(_numbers(record))}
        rows[series_id, record.run_id or str(received.key)] = {
            "series_id": series_id,
            "at": received.at,
            "key": received.key,
            "result": record.result.value,
            "is_failed": record.result in FAILED_RESULTS or bool(record.records_failed),
            "is_linked": bool(numbers),
            "weight": record.weight,
            "milliseconds": record.milliseconds,
            "http_status": record.http_status,
            "text": record.text,
            "trace_id": record.trace_id or earlier.get("trace_id", ""),
            "run_id": record.run_id,
            "url": record.url or earlier.get("url", ""),
            "started_at": record.started_at or earlier.get("started_at"),
            "records_read": record.records_read,
            "records_written": record.records_written,
            "records_failed": record.records_failed,
            "numbers": list(numbers),
        }
    return list(rows.values())


def _numbers(record: TelemetryRecord) -> list[tuple[str, str, str, str]]:
    """The numbers that name one object each: (kind, scheme, issuer, value)."""
    return [
        (
            ref.kind.value,
            identifier.scheme.value,
            identifier.issuer[:100],
            normalize_identifier(identifier.scheme, identifier.value)[:200],
        )
        for ref in record.objects
        for identifier in ref.identifiers
        if identifier.strong
    ]


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _hash(text: str) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)
