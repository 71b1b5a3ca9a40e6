"""Record the batches of sources with a schedule: when each arrived, and what it contains.

A message is recorded once, whatever became of it. What is wrong with a batch is not recorded: it
is derived from the recorded batches (`visibility/sla/batch_findings.py`).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

import orjson
from django.db import InterfaceError, OperationalError, connection, transaction
from structlog.stdlib import get_logger

from connectors.sdk.batch_contents import (
    INTERCHANGE,
    BatchContents,
    describe_mismatch,
    read_located_text,
)
from connectors.sdk.batch_settings import READING_NAMES, SCHEDULE_NAMES
from connectors.sdk.connector import RawMessage
from connectors.sdk.payload import ParkReason, PayloadError
from visibility.ingest.decompress_gzip import decompress_body_if_gzip
from visibility.models.batches import BatchSchedule, RepeatedBatch, SourceBatch
from visibility.models.sources_and_messages import Source, UnusableSource
from visibility.sla.batch_schedules import batch_settings_of_source
from visibility.sla.load_batches import COMMIT_DELAY
from visibility.sla.silence_limits import SILENCE_SETTING, silence_limit_of_settings

log = get_logger(__name__)
# With a new schedule, messages of the last hours are batches too: one may be for its first time.
READ_BACK = timedelta(hours=12)
DISABLED_PRECISION = timedelta(minutes=5)
# A run records so many batches of a source; the next one continues.
MAX_BATCHES = 100
# Longer than messages are stored.
STORED_FOR = timedelta(days=400)
NEW_MESSAGES = """
SELECT m.id, m.received_at, m.headers, coalesce(b.body, m.body)
FROM visibility_inbound_message m
LEFT JOIN visibility_message_body b ON b.message_id = m.id AND b.received_at = m.received_at
WHERE m.source_id = %s AND m.received_at >= %s
    AND NOT EXISTS (SELECT FROM visibility_sourcebatch s WHERE s.message_id = m.id)
ORDER BY m.received_at, m.id LIMIT %s
"""


def record_batches(now: datetime) -> int:
    """Bring the schedules up to date, and record the batches that arrived; return how many."""
    sources = {source.pk: source for source in Source.objects.filter(enabled=True)}
    settings_by_source = {
        pk: settings
        for pk, source in sources.items()
        if (settings := batch_settings_of_source(source))
    }
    stored = {row.source_id: row.settings for row in BatchSchedule.objects.all()}
    if not settings_by_source and not stored:
        return 0
    # Nothing is expected of a disabled source, also for the time before it is enabled again.
    disabled = BatchSchedule.objects.filter(source__enabled=False)
    disabled.filter(expected_since__lt=now - DISABLED_PRECISION).update(expected_since=now)
    count = 0
    for pk in sorted(sources):
        settings = settings_by_source.get(pk, {})
        try:
            if settings != stored.get(pk, {}):
                _update_schedule(sources[pk], settings, now)
            count += _record_batches_of_source(sources[pk], now) if settings else 0
        except (OperationalError, InterfaceError):
            raise  # the database failed: the next run tries again
        except Exception:  # its batches stay unrecorded, so none is late; the others go on
            log.exception("batches_not_recorded", source=sources[pk].slug)
    return count


def _update_schedule(source: Source, settings: Mapping[str, str], now: datetime) -> None:
    """Store the settings that are in effect from now on.

    Another schedule counts from now. If numbers or counts are read from another location, the
    batches of the last hours are read once more, and earlier ones are not compared with them.
    """
    with transaction.atomic():
        Source.objects.select_for_update(no_key=True).get(pk=source.pk)
        row = BatchSchedule.objects.filter(source=source).first()
        if not settings:
            BatchSchedule.objects.filter(source=source).delete()
            _update_default_silence_limit(source, has_schedule=False)
            return
        before = row.settings if row else {}
        if row is None:
            row = BatchSchedule(source=source, expected_since=now)
            _update_default_silence_limit(source, has_schedule=True)
        if any(settings.get(name) != before.get(name) for name in SCHEDULE_NAMES):
            row.expected_since = now
        if not before or any(settings.get(name) != before.get(name) for name in READING_NAMES):
            row.read_since = row.read_until = now - READ_BACK
            SourceBatch.objects.filter(source=source, received_at__gte=row.read_since).delete()
        row.settings = dict(settings)
        row.save()


def _update_default_silence_limit(source: Source, *, has_schedule: bool) -> None:
    """A schedule says when a source is late. Without a limit of its own, it is never silent."""
    config = source.config_or_empty_if_invalid
    if str(config.get(SILENCE_SETTING, "")).strip():
        return
    default = silence_limit_of_settings(config)
    if has_schedule and source.expect_every == default:
        Source.objects.filter(pk=source.pk).update(expect_every=None)
    elif not has_schedule and source.expect_every is None:
        Source.objects.filter(pk=source.pk).update(expect_every=default)


def _record_batches_of_source(source: Source, now: datetime) -> int:
    with transaction.atomic():
        schedule = (
            BatchSchedule.objects.select_for_update(skip_locked=True).filter(source=source).first()
        )
        if schedule is None:
            return 0
        with connection.cursor() as cursor:
            start = max(schedule.read_since, schedule.read_until - COMMIT_DELAY)
            cursor.execute(NEW_MESSAGES, [source.pk, start, MAX_BATCHES])
            rows = cursor.fetchall()
        if not rows:
            return 0
        batches = [_build_batch(source, schedule.settings, *row) for row in rows]
        SourceBatch.objects.bulk_create(batches)
        schedule.read_until = max(schedule.read_until, rows[-1][1])
        schedule.save(update_fields=["read_until"])
        for model in (SourceBatch, RepeatedBatch):
            model.objects.filter(source=source, received_at__lt=now - STORED_FOR).delete()
    return len(batches)


def _build_batch(
    source: Source,
    settings: Mapping[str, str],
    message_id: int,
    received_at: datetime,
    headers: Mapping[str, str] | str,
    body: bytes | None,
) -> SourceBatch:
    stored_headers = orjson.loads(headers) if isinstance(headers, str) else headers
    batch = SourceBatch(
        source=source,
        message_id=message_id,
        received_at=received_at,
        file_name=str(stored_headers.get("x-file-name", ""))[:200],
        file_state=str(stored_headers.get("x-file-state", ""))[:60],
    )
    if body is None:
        batch.problem = "Its content was removed by retention before it was counted."
        return batch
    try:
        content = decompress_body_if_gzip(bytes(body), stored_headers)
        contents = _read_contents(source, content, stored_headers, received_at)
        batch.records, batch.mismatch = contents.records, contents.mismatch[:400]
        _read_number_and_count(batch, contents, settings, content, stored_headers)
    except (PayloadError, UnusableSource) as error:
        batch.problem = f"It cannot be counted: {error}"[:300]
    except Exception as error:  # recorded on the batch; the others go on
        log.exception("batch_not_counted", source=source.slug, message=message_id)
        batch.problem = f"It cannot be counted: internal error ({type(error).__name__})."
    for name in ("mismatch", "series", "number", "problem"):
        setattr(batch, name, getattr(batch, name).replace("\0", "\ufffd"))
    return batch


def _read_contents(
    source: Source, body: bytes, headers: Mapping[str, str], received_at: datetime
) -> BatchContents:
    """Count the records. A message that is empty for its connector has none."""
    if not body.strip():
        return BatchContents(0)
    try:
        return source.build_connector().batch_contents(RawMessage(body, headers, received_at))
    except PayloadError as error:
        if error.reason is ParkReason.EMPTY:
            return BatchContents(0)
        raise


def _read_number_and_count(
    batch: SourceBatch,
    contents: BatchContents,
    settings: Mapping[str, str],
    body: bytes,
    headers: Mapping[str, str],
) -> None:
    charset = str(batch.source.config_or_empty_if_invalid.get("charset") or "utf-8")
    location = settings.get("batch_number", "")
    if location == INTERCHANGE:
        batch.series, batch.number = contents.series[:120], contents.number[:60]
    elif location:
        batch.number = read_located_text(location, body, headers, charset)
    if location and not batch.number:
        batch.problem = f"It has no number: {location[:80]} was not in it."
    if count := settings.get("batch_count", ""):
        declared = read_located_text(count, body, headers, charset)
        if mismatch := describe_mismatch(declared, contents.records):
            batch.mismatch = "; ".join(filter(None, (batch.mismatch, mismatch)))[:400]
