"""Large exports of lists: asked for by a person, written by a worker, stored for seven days.

One worker of the installation writes them, one after the other. A process that has the lock and
finds an export that is running takes it up: its worker is gone. A worker whose connection broke may
go on without the lock; its attempt is then no longer the latest, and it stores nothing.
"""

import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, QuerySet
from django.http import QueryDict
from structlog.stdlib import get_logger

from visibility.db.change_feed import append_changes
from visibility.db.data_scope import limited_to
from visibility.db.database_time import database_now
from visibility.db.lock_keys import LockKey, try_session_lock
from visibility.export.list_files import (
    CHUNK_SIZE,
    ListExport,
    write_csv_reporting_progress,
)
from visibility.models.audit import append_audit_entry
from visibility.models.background_exports import (
    EXPORT_IN_PROGRESS,
    BackgroundExport,
    BackgroundExportChunk,
    BackgroundExportState,
)
from visibility.models.permission import Permission
from visibility.pipeline.shutdown_flag import stopping
from visibility.screens.list_registry import LISTS
from visibility.screens.lists.list_definition import UnknownSort, Viewer
from visibility.storage.person_scopes import load_scope

log = get_logger(__name__)
STORED_FOR = timedelta(days=7)
MAX_ATTEMPTS = 4
MAX_IN_PROGRESS = 5
FILE_CHUNK_SIZE = 1_048_576
# Pages that show the progress reload it once for so many rows.
ROWS_PER_CHANGE = 50_000
JOB = "write_background_exports"
CHANGE_KIND = "export"


class TooManyBackgroundExports(ValueError):
    """The person has several exports in progress; the message says how many are allowed."""


class AttemptSuperseded(RuntimeError):
    """Another worker has taken up the export, or its owner deleted it."""


class ExportStopped(RuntimeError):
    """The worker is shutting down; the next one writes the export."""


class ExportRefused(ValueError):
    """The export cannot be written; the message says why."""


def request_background_export(export: ListExport, owner: User) -> BackgroundExport:
    """Store the request. Raises TooManyBackgroundExports."""
    in_progress = BackgroundExport.objects.filter(owner=owner, state__in=EXPORT_IN_PROGRESS)
    if in_progress.count() >= MAX_IN_PROGRESS:
        raise TooManyBackgroundExports(
            f"You have {MAX_IN_PROGRESS} exports in progress. Wait for one, or delete it."
        )
    return BackgroundExport.objects.create(
        list=export.definition.code,
        query=export.query.urlencode(),
        columns=[column.code for column in export.columns],
        owner=owner,
        permissions=sorted(export.viewer.permissions),
        sources_only=export.viewer.sources_only,
        state=BackgroundExportState.WAITING,
        requested_at=export.now,
    )


def write_background_exports() -> int:
    """Write all exports that wait or whose worker is gone; return how many were attempted."""
    count = 0
    with try_session_lock(LockKey.BACKGROUND_EXPORT) as has_lock:
        while has_lock and not stopping.is_set() and (export := _claim_next_export()):
            try:
                _attempt(export)
            except ExportStopped:
                # A shutdown does not count as an attempt.
                _of_attempt(export).update(
                    state=BackgroundExportState.WAITING, attempt=F("attempt") - 1
                )
                break
            count += 1
    return count


def delete_expired_exports() -> int:
    """Delete exports whose time is over, with their files; return how many."""
    expired = BackgroundExport.objects.filter(expires_at__lt=database_now())
    return expired.delete()[1].get("visibility.BackgroundExport", 0)


def file_chunks(export_id: int) -> Iterator[bytes]:
    """The bytes of a file, chunk by chunk."""
    chunks = BackgroundExportChunk.objects.filter(export_id=export_id)
    for number in chunks.order_by("number").values_list("number", flat=True):
        yield bytes(chunks.values_list("data", flat=True).get(number=number))


def _claim_next_export() -> BackgroundExport | None:
    """The oldest export in progress, with a new attempt; None if there is none."""
    while export := BackgroundExport.objects.filter(state__in=EXPORT_IN_PROGRESS).first():
        if export.attempt >= MAX_ATTEMPTS:
            _fail(export, f"It failed {MAX_ATTEMPTS} times. Ask an administrator.")
        elif _of_attempt(export).update(
            attempt=F("attempt") + 1,
            state=BackgroundExportState.RUNNING,
            started_at=database_now(),
            rows_written=0,
            rows_total=None,
        ):
            export.refresh_from_db()
            return export
    return None


def _of_attempt(export: BackgroundExport) -> QuerySet[BackgroundExport]:
    return BackgroundExport.objects.filter(
        pk=export.pk, attempt=export.attempt, state__in=EXPORT_IN_PROGRESS
    )


def _attempt(export: BackgroundExport) -> None:
    assert export.started_at is not None
    try:
        with tempfile.TemporaryFile() as file:
            with limited_to(load_scope(export.owner_id)):
                list_export = _list_export(export, export.started_at)
                rows = write_csv_reporting_progress(list_export, file, _progress_reporter(export))
            file.seek(0)
            _store_file(export, list_export, iter(lambda: file.read(FILE_CHUNK_SIZE), b""), rows)
    except AttemptSuperseded:
        log.info("export_superseded", export=export.pk, attempt=export.attempt)
    except ExportRefused as error:
        _fail(export, str(error))
    except ExportStopped:
        raise
    except Exception as error:  # recorded, and tried again up to MAX_ATTEMPTS times
        log.exception("export_failed", export=export.pk, attempt=export.attempt)
        _of_attempt(export).update(detail=f"Attempt {export.attempt}: {type(error).__name__}")


def _list_export(export: BackgroundExport, now: datetime) -> ListExport:
    """What to export, for the person as they are now. Raises ExportRefused."""
    definition, owner = LISTS.get(export.list), export.owner
    if definition is None:
        raise ExportRefused("This version has no such list.")
    permissions = frozenset(
        code
        for code in Permission
        if code in export.permissions and owner.has_perm(f"visibility.{code.value}")
    )
    viewer = Viewer(
        owner.pk,
        owner.get_full_name() or owner.get_username(),
        permissions,
        sources_only=export.sources_only,
    )
    if not {Permission.EXPORT, definition.permission} <= permissions:
        raise ExportRefused("You may no longer export this list.")
    query = QueryDict(export.query)
    if errors := definition.filter_errors(query, viewer):
        raise ExportRefused(" ".join(errors)[:500])
    try:
        sort = definition.sort_order(query, viewer)
    except UnknownSort as error:
        raise ExportRefused(str(error)[:500]) from error
    export.permissions = sorted(permissions)
    return ListExport(
        definition=definition,
        query=query,
        sort=sort,
        columns=definition.visible_columns(viewer, export.columns),
        viewer=viewer,
        now=now,
        rows=definition.queryset(query, viewer, now),
        filter_texts=definition.filter_texts(query, viewer),
    )


def _progress_reporter(export: BackgroundExport) -> Callable[[int, int], None]:
    def report(rows: int, total: int) -> None:
        if stopping.is_set():
            raise ExportStopped
        if not _of_attempt(export).update(rows_written=rows, rows_total=total):
            raise AttemptSuperseded
        if rows % ROWS_PER_CHANGE < CHUNK_SIZE:
            append_changes({CHANGE_KIND: [export.pk]})

    return report


def _store_file(
    export: BackgroundExport, list_export: ListExport, chunks: Iterator[bytes], rows: int
) -> None:
    """Store file and state together, if this is the latest attempt. Raises AttemptSuperseded."""
    with transaction.atomic():
        if not _of_attempt(export).select_for_update().exists():
            raise AttemptSuperseded
        size = 0
        for number, data in enumerate(chunks):
            BackgroundExportChunk.objects.create(export=export, number=number, data=data)
            size += len(data)
        now = database_now()
        _of_attempt(export).update(
            state=BackgroundExportState.READY,
            detail="",
            permissions=export.permissions,
            rows_written=rows,
            rows_total=rows,
            size=size,
            finished_at=now,
            expires_at=now + STORED_FOR,
        )
        append_audit_entry(
            "export",
            user=export.owner,
            object=f"{rows} {list_export.definition.nouns[1]}",
            detail={
                "format": "csv",
                "list": export.list,
                "rows": rows,
                "columns": [column.code for column in list_export.columns],
                "asked": {name: values[:20] for name, values in list_export.query.lists()},
                "background_export": export.pk,
            },
            now=now,
        )
        append_changes({CHANGE_KIND: [export.pk]})


def _fail(export: BackgroundExport, sentence: str) -> None:
    now = database_now()
    with transaction.atomic():
        _of_attempt(export).update(
            state=BackgroundExportState.FAILED,
            detail=sentence,
            finished_at=now,
            expires_at=now + STORED_FOR,
        )
        append_changes({CHANGE_KIND: [export.pk]})
