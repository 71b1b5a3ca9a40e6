"""Delete telemetry that is older than the retention period."""

from datetime import datetime, timedelta

from django.db import connection, transaction

from visibility.db.lock_keys import LockKey, lock_until_commit
from visibility.ingest.store_telemetry import COUNTED_WITHIN, delete_samples_beyond_newest
from visibility.models.telemetry import (
    QueueHour,
    TelemetryHour,
    TelemetryKey,
    TelemetrySample,
    TelemetrySeries,
)

# Of each series so many of the newest that name a number are stored, failed and not failed.
LINKED_SAMPLES_PER_SERIES = 20_000
DELETE_EMPTY_SERIES = """
DELETE FROM visibility_telemetryseries AS series
WHERE NOT EXISTS (SELECT FROM visibility_telemetryhour WHERE series_id = series.id)
    AND NOT EXISTS (SELECT FROM visibility_queuehour WHERE series_id = series.id)
    AND NOT EXISTS (SELECT FROM visibility_telemetrysample WHERE series_id = series.id)
"""
DELETE_NUMBERS = """
DELETE FROM visibility_telemetrynumber USING visibility_telemetrysample AS sample
WHERE sample.id = sample_id AND sample.at < %s
"""


def delete_old_telemetry(*, now: datetime, days: int) -> int:
    """Delete what is older than `days`, and the keys of records that no longer count.

    Return how many rows were deleted.
    """
    with transaction.atomic():
        lock_until_commit(LockKey.TELEMETRY)
        uncounted = now - COUNTED_WITHIN - timedelta(hours=1)
        count = TelemetryKey.objects.filter(at__lt=uncounted).delete()[0]
        oldest = now - timedelta(days=days)
        with connection.cursor() as cursor:
            cursor.execute(DELETE_NUMBERS, [oldest])
        for rows in (
            TelemetrySample.objects.filter(at__lt=oldest),
            TelemetryHour.objects.filter(hour__lt=oldest),
            QueueHour.objects.filter(hour__lt=oldest),
        ):
            count += rows.delete()[0]
        series_ids = list(TelemetrySeries.objects.values_list("pk", flat=True))
        count += delete_samples_beyond_newest(
            series_ids, is_linked=True, limit=LINKED_SAMPLES_PER_SERIES
        )
        with connection.cursor() as cursor:
            cursor.execute(DELETE_EMPTY_SERIES)
            return count + int(cursor.rowcount)
