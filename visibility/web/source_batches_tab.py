"""The tab of a source with its batches."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest

from visibility.db.parse_id_and_time import parse_row_id
from visibility.models import Source
from visibility.screens.relative_and_absolute_time import displayed_time
from visibility.screens.sources import batches
from visibility.sla.batch_finding import BATCH_FINDING_LABELS
from visibility.sla.batch_schedules import batch_settings_of_source

BATCHES_TAB = ("batches", "Batches")


def batch_tabs(source: Source) -> tuple[tuple[str, str], ...]:
    """The tab that only sources have of which batches are expected."""
    return (BATCHES_TAB,) if batch_settings_of_source(source) else ()


def batches_context(request: HttpRequest, source: Source, now: datetime) -> dict[str, Any]:
    """What the tab shows. At most twelve statements."""
    message_id = parse_row_id(request.GET.get("before", ""))
    before = batches.position_before_message(source, message_id) if message_id else None
    loaded = batches.load_batch_rows(source, now, batches.SHOWN + 1, before)
    rows = loaded[: batches.SHOWN]
    overview = batches.load_batch_overview(source, now) if before is None else None
    return {
        "overview": overview,
        "next_batch": displayed_time(overview.next_expected_at, now) if overview else None,
        "late_batches": [
            (displayed_time(finding.expected_at, now), displayed_time(finding.at, now))
            for finding in (overview.late if overview else ())
        ],
        "rows": [_row(row, now) for row in rows],
        "older": rows[-1].batch.message_id if len(loaded) > batches.SHOWN else None,
        "is_first": before is None,
    }


def _row(row: batches.BatchRow, now: datetime) -> dict[str, Any]:
    return {
        "batch": row.batch,
        "at": displayed_time(row.batch.received_at, now),
        "expected": displayed_time(row.expected_at, now),
        "is_late": row.is_late,
        "findings": [(BATCH_FINDING_LABELS[f.kind], f.text) for f in row.findings],
    }
