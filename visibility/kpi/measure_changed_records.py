"""Write the KPI facts of messages, polls, alerts and actions that changed.

Triggers of their tables state which. The facts have no order; the cells follow as for all facts.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from structlog.stdlib import get_logger

from visibility.db import bulk
from visibility.db.lock_keys import LockKey
from visibility.kpi.facts_and_cells import FACT_COLUMNS, SENT_FACTS, kpi_fact_row
from visibility.kpi.kpi import EventMeasurement, KpiMeasurement
from visibility.kpi.load_measured_records import RecordId, load_measured_records
from visibility.kpi.measured_records import MeasuredRecord, RecordKind, RecordKpi
from visibility.kpi.record_kpi_errors_and_retry import check_measurement
from visibility.kpi.registry import kpi_registry
from visibility.storage.organization import organization_time_zone

log = get_logger(__name__)
BATCH_SIZE = 2_000
# The reason for the exclusion of a record for which the KPI raised an error.
FAILED = "kpi_failed"
# One worker at a time, so that an earlier state of a record never replaces a later one.
TRY_LOCK = "SELECT pg_try_advisory_xact_lock(%s)"
TAKE_CHANGES = """
DELETE FROM visibility_kpirecordchange WHERE id = ANY(ARRAY(
    SELECT id FROM visibility_kpirecordchange ORDER BY id LIMIT %s))
RETURNING kind, record_id, received_at
"""
DELETE_FACTS = """
DELETE FROM visibility_kpifact fact
WHERE order_id IS NULL AND (kpi, subject_key) IN (
    SELECT * FROM unnest(%b::text[], %b::text[]) AS uncounted (kpi, subject_key))
"""
_VALUES = [name for name in FACT_COLUMNS if name not in ("order_id", "kpi", "subject_key")]
WRITE_FACTS = f"""
INSERT INTO visibility_kpifact AS fact ({", ".join(FACT_COLUMNS)}) {SENT_FACTS}
ON CONFLICT (kpi, subject_key) WHERE order_id IS NULL DO UPDATE SET
    {", ".join(f"{name} = excluded.{name}" for name in _VALUES)}
WHERE ({", ".join(f"fact.{name}" for name in _VALUES)})
    IS DISTINCT FROM ({", ".join(f"excluded.{name}" for name in _VALUES)})
"""  # only own column names
# The records of each kind within a range of IDs.
SELECT_RECORDS = {
    RecordKind.MESSAGE: "SELECT 'message', id, received_at FROM visibility_inbound_message",
    RecordKind.POLL: "SELECT 'poll', id, NULL::timestamptz FROM visibility_pollround",
    RecordKind.ALERT: "SELECT 'alert', id, NULL::timestamptz FROM visibility_alert",
    RecordKind.ACTION: "SELECT 'action', id, NULL::timestamptz FROM visibility_alertentry",
}
ID_RANGE = "SELECT min(id), max(id) FROM ({}) AS record (kind, id, received_at)"
REQUEST_MEASUREMENT = """
INSERT INTO visibility_kpirecordchange (kind, record_id, received_at)
SELECT * FROM ({}) AS record (kind, id, received_at) WHERE id BETWEEN %s AND %s
"""
IDS_PER_REQUEST = 50_000


def measure_changed_records(should_stop: Callable[[], bool] = lambda: False) -> int:
    """Write the facts of all records that changed; return how many changes were taken."""
    total = 0
    while not should_stop():
        taken = _measure_batch_of_changes()
        total += taken
        if taken < BATCH_SIZE:
            break
    return total


def request_measurement_of_all_records() -> Iterator[int]:
    """Request the measurement of every record again, some at a time; yield how many."""
    for select in SELECT_RECORDS.values():
        with connection.cursor() as cursor:
            cursor.execute(ID_RANGE.format(select))
            first, last = cursor.fetchone()
        for start in range(first or 0, (last or -1) + 1, IDS_PER_REQUEST):
            with connection.cursor() as cursor:
                end = start + IDS_PER_REQUEST - 1
                cursor.execute(REQUEST_MEASUREMENT.format(select), [start, end])
                yield cursor.rowcount


def _measure_batch_of_changes() -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(TRY_LOCK, [LockKey.KPI_RECORDS])
        if not cursor.fetchone()[0]:
            return 0
        cursor.execute(TAKE_CHANGES, [BATCH_SIZE])
        changes = cursor.fetchall()
        for kind in RecordKind:
            records = sorted({(pk, at) for name, pk, at in changes if name == kind})
            if records:
                _write_facts_of_records(kind, records)
    return len(changes)


def _write_facts_of_records(kind: RecordKind, records: Sequence[RecordId]) -> None:
    kpis = [
        kpi
        for kpi in kpi_registry().values()
        if isinstance(kpi, RecordKpi) and kpi.record_kind is kind
    ]
    rows: list[tuple[Any, ...]] = []
    uncounted: list[tuple[str, str]] = []
    for record in load_measured_records(kind, records) if kpis else ():
        for kpi in kpis:
            measured = _measure_or_log_failure(kpi, record)
            if measured is None:
                uncounted.append((kpi.code, record.key))
            else:
                rows.append(kpi_fact_row(None, kpi, measured, measured.dimensions))
    with bulk.server_bound_cursor() as cursor:
        if uncounted:
            cursor.execute(DELETE_FACTS, [list(column) for column in zip(*uncounted, strict=True)])
        if rows:
            cursor.execute(WRITE_FACTS, [list(column) for column in zip(*rows, strict=True)])


def _measure_or_log_failure(kpi: RecordKpi[Any], record: MeasuredRecord) -> KpiMeasurement | None:
    """How a record counts; if the KPI raises, it is excluded, and the others go on."""
    try:
        measured = kpi.measure_record(record)
        return None if measured is None else check_measurement(_fact_of_record(record, measured))
    except Exception as error:  # recorded as the reason for the exclusion
        log.warning("kpi_failed", kpi=kpi.code, record=record.key, exc_info=error)
        return _fact_of_record(record, EventMeasurement(excluded=FAILED))


def _fact_of_record(record: MeasuredRecord, measured: EventMeasurement) -> KpiMeasurement:
    return KpiMeasurement(
        record.started_at.astimezone(ZoneInfo(organization_time_zone())).date(),
        measured.numerator,
        measured.denominator,
        measured.excluded,
        subject_key=record.key,
        dimensions=record.dimensions,
        started_at=record.started_at,
        ended_at=record.ended_at,
    )
