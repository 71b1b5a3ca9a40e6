"""Load the batches of sources with their findings: the same for alerts, pages and the API."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q

from visibility.db.data_scope import limited_to
from visibility.models.batches import BatchSchedule, RepeatedBatch, SourceBatch
from visibility.sla.batch_finding import RepeatedFile
from visibility.sla.batch_findings import BatchHistory, is_retry
from visibility.sla.batch_schedule import SHOWN_FOR, ArrivedBatch
from visibility.sla.batch_schedules import load_expectations

# Each batch is compared with so many before it.
COMPARED_WITH = 200
MAX_RECENT = 2_000
MAX_REPEATS = 200
# A message can become visible so long after its time of receipt: when its transaction ends.
COMMIT_DELAY = timedelta(minutes=15)
HAS_UNRECORDED = """
SELECT schedule.source_id FROM visibility_batchschedule schedule
WHERE schedule.source_id = ANY(%s) AND EXISTS (
    SELECT FROM visibility_inbound_message m
    WHERE m.source_id = schedule.source_id
        AND m.received_at >= greatest(
            schedule.read_since, schedule.read_until - make_interval(secs => %s)
        )
        AND NOT EXISTS (SELECT FROM visibility_sourcebatch b WHERE b.message_id = m.id)
)
"""


@limited_to(None)  # when files arrived is no secret of any order
def load_batch_histories(
    source_ids: Collection[int],
    now: datetime,
    *,
    before: tuple[datetime, int] | None = None,
    newest: int = 0,
) -> dict[int, BatchHistory]:
    """Return the batches of each source with a schedule, of the last days and those before.

    `newest`: so many instead of the last days. `before`: only those received before a time and
    message.
    """
    schedules = {
        row.source_id: row for row in BatchSchedule.objects.filter(source_id__in=source_ids)
    }
    expectations = load_expectations(schedules.values())
    if not expectations:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(HAS_UNRECORDED, [list(expectations), COMMIT_DELAY.total_seconds()])
        incomplete = {row[0] for row in cursor.fetchall()}
    histories = {}
    for source_id, expectation in expectations.items():
        rows = SourceBatch.objects.filter(
            source_id=source_id, received_at__gte=schedules[source_id].read_since
        ).order_by("-received_at", "-message_id")
        if before is not None:
            at, message_id = before
            earlier = Q(received_at__lt=at) | Q(received_at=at, message_id__lt=message_id)
            rows = rows.filter(earlier)
        recent = newest or rows.filter(received_at__gt=now - SHOWN_FOR).count()
        batches = list(rows[: min(recent, MAX_RECENT) + COMPARED_WITH])
        histories[source_id] = BatchHistory(
            expectation,
            now,
            [_arrived(row) for row in batches],
            _load_repeats(source_id, batches),
            source_id not in incomplete,
        )
    return histories


def _load_repeats(source_id: int, batches: list[SourceBatch]) -> list[RepeatedFile]:
    """The equal files of these batches, but not a file that was read twice, nor a retry."""
    by_message = {batch.message_id: batch for batch in batches}
    repeats: dict[int, list[RepeatedFile]] = defaultdict(list)
    rows = RepeatedBatch.objects.filter(source_id=source_id, message_id__in=by_message)
    for row in rows.order_by("-received_at")[:MAX_REPEATS]:
        batch = by_message[row.message_id]
        is_same_file = bool(row.file_state) and row.file_state == batch.file_state
        is_file = bool(row.file_name)
        if is_same_file or is_retry(batch.received_at, row.received_at, is_file=is_file):
            continue
        repeat = RepeatedFile(row.pk, row.message_id, row.received_at, row.file_name)
        repeats[row.message_id].append(repeat)
    return [repeat for of_message in repeats.values() for repeat in of_message]


def _arrived(row: SourceBatch) -> ArrivedBatch:
    return ArrivedBatch(
        row.message_id,
        row.received_at,
        row.file_name,
        row.records,
        row.mismatch,
        row.series,
        row.number,
        row.problem,
    )
