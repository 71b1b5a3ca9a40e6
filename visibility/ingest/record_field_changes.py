"""Learn the schema of the messages of each source, and record each change of it.

The schema of a source and a type of events is the set of the fields that its messages had, and
which of them every message had. A change is recorded with the first message that shows it, once
the schema has settled: before that, every field is new.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import DatabaseError, connection, transaction
from structlog.stdlib import get_logger

from connectors.sdk.message_shape import MessageShape, ShapeChanges, compare_with_schema
from connectors.sdk.read_paths import MAX_READ_PATHS
from visibility.ingest.message_shapes import UnknownShape, remember_shape
from visibility.models.source_records import (
    FieldChangeKind,
    SourceField,
    SourceFieldChange,
    SourceFieldSample,
)

log = get_logger(__name__)
# A schema has settled after so long and so many sampled messages.
SETTLED_AFTER = timedelta(days=1)
SETTLED_MESSAGES = 20
MAX_FIELDS_PER_SOURCE = 2_000
# A parked message is of the kind with which it shares so much of its fields.
LEAST_OVERLAP = 0.5
ENSURE_SAMPLE = """
INSERT INTO visibility_sourcefieldsample
    (source_id, event_type, first_sampled_at, last_sampled_at, message_count)
VALUES (%s, %s, %s, %s, 0) ON CONFLICT (source_id, event_type) DO NOTHING
"""


def record_unknown_shapes(unknown: Sequence[UnknownShape]) -> None:
    """Compare each shape with the learned schema, in a transaction of its own.

    The messages are settled already. After a failure of the database, the next message of this
    shape is compared.
    """
    for each in sorted(unknown, key=lambda u: u.message_id):
        try:
            with transaction.atomic():
                _record_shape(each)
        except DatabaseError as error:
            log.warning("message_fields_not_compared", message=each.message_id, error=str(error))
            return
        remember_shape(each)


def _record_shape(unknown: UnknownShape) -> None:
    event_type = unknown.event_type
    if event_type is None:
        event_type = _most_similar_event_type(unknown.source_id, unknown.shape)
        if event_type is None:
            return
    with connection.cursor() as cursor:
        at = unknown.received_at
        cursor.execute(ENSURE_SAMPLE, [unknown.source_id, event_type, at, at])
        is_first = cursor.rowcount == 1
    # Processes that compare shapes of the same messages wait for each other here.
    sample = SourceFieldSample.objects.select_for_update(no_key=True).get(
        source_id=unknown.source_id, event_type=event_type
    )
    fields = list(SourceField.objects.filter(source_id=unknown.source_id, event_type=event_type))
    changes = compare_with_schema(
        unknown.shape,
        frozenset((field.path, field.kind) for field in fields),
        frozenset(field.path for field in fields if field.is_always_present),
    )
    read_paths = _learn_read_paths(unknown, sample)
    _learn(unknown, event_type, changes, is_always_present=is_first or not fields)
    if is_settled(sample, unknown.received_at):
        _record_changes(unknown, event_type, changes, fields, read_paths)


def _learn_read_paths(unknown: UnknownShape, sample: SourceFieldSample) -> frozenset[str]:
    """Add what the connector reads of this message; return all that it reads of such messages."""
    known = frozenset(sample.read_paths)
    read_paths = known | unknown.read_paths
    if read_paths != known and len(known) < MAX_READ_PATHS:
        sample.read_paths = sorted(read_paths)[:MAX_READ_PATHS]
        sample.save(update_fields=["read_paths"])
    return read_paths


def is_settled(sample: SourceFieldSample, at: datetime) -> bool:
    """Whether enough is known of these messages to speak of changes."""
    return (
        sample.message_count >= SETTLED_MESSAGES and at >= sample.first_sampled_at + SETTLED_AFTER
    )


def _learn(
    unknown: UnknownShape, event_type: str, changes: ShapeChanges, *, is_always_present: bool
) -> None:
    free = MAX_FIELDS_PER_SOURCE - SourceField.objects.filter(source_id=unknown.source_id).count()
    SourceField.objects.bulk_create(
        [
            SourceField(
                source_id=unknown.source_id,
                event_type=event_type,
                path=path,
                kind=kind,
                first_seen_at=unknown.received_at,
                last_seen_at=unknown.received_at,
                is_always_present=is_always_present,
                first_message_id=unknown.message_id,
            )
            for path, kind in sorted((*changes.appeared, *changes.retyped))[: max(free, 0)]
        ],
        ignore_conflicts=True,
    )
    if changes.missing_fields:
        SourceField.objects.filter(
            source_id=unknown.source_id, event_type=event_type, path__in=changes.missing_fields
        ).update(is_always_present=False)


def _record_changes(
    unknown: UnknownShape,
    event_type: str,
    changes: ShapeChanges,
    fields: Sequence[SourceField],
    read_paths: frozenset[str],
) -> None:
    kinds: dict[str, list[str]] = {}
    for field in fields:
        kinds.setdefault(field.path, []).append(field.kind)
    rows: list[tuple[FieldChangeKind, str, str]] = [
        *((FieldChangeKind.APPEARED, path, kind) for path, kind in changes.appeared),
        *((FieldChangeKind.RETYPED, path, kind) for path, kind in changes.retyped),
        *((FieldChangeKind.MISSING, path, "") for path in changes.missing),
    ]
    SourceFieldChange.objects.bulk_create(
        [
            SourceFieldChange(
                source_id=unknown.source_id,
                event_type=event_type,
                path=path,
                change=change,
                kind=kind,
                kind_before=", ".join(sorted(kinds.get(path, [])))[:40],
                is_read=path in read_paths if read_paths else None,
                message_id=unknown.message_id,
                seen_at=unknown.received_at,
            )
            for change, path, kind in rows
        ],
        ignore_conflicts=True,
    )
    if rows:
        log.info(
            "message_fields_changed",
            source=unknown.source_id,
            event_type=event_type,
            message=unknown.message_id,
            changes=len(rows),
        )


def _most_similar_event_type(source_id: int, shape: MessageShape) -> str | None:
    """The type of events whose messages share most fields with this one; None if none is close."""
    paths = {path for path, _ in shape.fields}
    known = dict[str, set[str]]()
    rows = SourceField.objects.filter(source_id=source_id).values_list("event_type", "path")
    for event_type, path in rows:
        known.setdefault(event_type, set()).add(path)
    overlaps = {
        event_type: len(paths & others) / len(paths | others)
        for event_type, others in known.items()
    }
    best = max(overlaps, key=lambda each: (overlaps[each], each), default=None)
    return best if best is not None and overlaps[best] >= LEAST_OVERLAP else None
