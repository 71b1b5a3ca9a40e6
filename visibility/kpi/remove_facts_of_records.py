"""Remove the KPI facts of records that are removed."""

from collections.abc import Collection

from django.db import connection

from visibility.kpi.measured_records import RecordKind, RecordKpi
from visibility.kpi.registry import kpi_registry

# The key of an alert is its ID and the number of the episode.
DELETE_FACTS = """
DELETE FROM visibility_kpifact WHERE order_id IS NULL AND kpi = ANY(%s)
    AND split_part(subject_key, ':', 1) = ANY(%s)
"""
DELETE_CHANGES = """
DELETE FROM visibility_kpirecordchange WHERE kind = %s AND record_id = ANY(%s)
"""


def remove_facts_of_records(kind: RecordKind, record_ids: Collection[int]) -> None:
    """Remove what these records count in KPIs, and the requests to measure them.

    The cells follow as for all facts. The caller has locked `LockKey.KPI_RECORDS`.
    """
    kpis = [
        code
        for code, kpi in kpi_registry().items()
        if isinstance(kpi, RecordKpi) and kpi.record_kind is kind
    ]
    if not record_ids:
        return
    with connection.cursor() as cursor:
        cursor.execute(DELETE_FACTS, [kpis, [str(number) for number in record_ids]])
        cursor.execute(DELETE_CHANGES, [kind.value, sorted(record_ids)])
