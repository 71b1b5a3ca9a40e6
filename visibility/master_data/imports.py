"""Import master data files: store, read in chunks, validate, then write all rows or none.

Only one import runs in the whole installation (advisory lock). It works in small chunks with a
pause after each, so that a large catalog does not delay orders.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import orjson
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import F

from visibility.db.database_time import database_now
from visibility.db.lock_keys import LockKey, try_session_lock
from visibility.master_data import affected_orders, classify_import_rows, file_reader
from visibility.master_data.cell_conversion import InvalidCell
from visibility.master_data.change_author_and_origin import ChangeContext
from visibility.master_data.file_reader import FILE_FORMATS, MAX_FILE_SIZES
from visibility.master_data.import_progress_and_file import (
    MEBIBYTE,
    resize_chunks,
    set_progress_sequence,
    stored_chunks,
)
from visibility.master_data.tables import TABLES, MasterTable
from visibility.master_data.write_and_restore_rows import (
    OverlappingRows,
    overlap_checked_transaction,
    watch_vocabularies,
    write_rows_from_select,
)
from visibility.master_data.xlsx_reader import InvalidFile
from visibility.models.audit import append_audit_entry
from visibility.models.imports import IN_PROGRESS, ImportPart, ImportRow, ImportState, MasterImport
from visibility.models.master import MasterChange

# Rows to read and to write per chunk; reading uses COPY and is cheaper.
READ_CHUNK = 2_000
WRITE_CHUNK = 500
MAX_ATTEMPTS = 4
COPY_ROWS = """
COPY visibility_importrow (master_import_id, number, key, values, verdict, reason) FROM STDIN
"""
SELECT_STAGED = """
SELECT number AS n, values FROM visibility_importrow
WHERE master_import_id = %(of)s AND number BETWEEN %(first)s AND %(last)s
"""


class ImportStopped(RuntimeError):
    """The worker is shutting down; the next worker continues the import."""


@dataclass(frozen=True, slots=True)
class Throttle:
    """Sleeps after each chunk of work for `share` times its duration (0: never)."""

    share: float = 0.0
    sleep: Callable[[float], object] = time.sleep
    should_stop: Callable[[], bool] = lambda: False

    def run_with_pauses(self, chunks: Iterator[None]) -> None:
        """Run all chunks with pauses. Raises ImportStopped between two chunks."""
        started = time.monotonic()
        for _ in chunks:
            if self.should_stop():
                raise ImportStopped
            if self.share:
                self.sleep((time.monotonic() - started) * self.share)
            started = time.monotonic()


def store_import_file(
    table: MasterTable,
    chunks: Iterable[bytes],
    *,
    name: str,
    format: str,
    auto_apply: bool,
    user: User | None,
    now: datetime,
) -> MasterImport:
    """Store a file for import without reading it.

    Raises InvalidFile if it is too large or empty.
    """
    if format not in FILE_FORMATS:
        raise InvalidFile("The file must be CSV or XLSX.")
    with transaction.atomic():
        master_import = MasterImport.objects.create(
            table=table.code,
            name=name[:200],
            format=format,
            size=0,
            auto_apply=auto_apply,
            state=ImportState.WAITING,
            created_at=now,
            created_by=user,
        )
        for number, data in enumerate(resize_chunks(chunks)):
            master_import.size += len(data)
            if master_import.size > MAX_FILE_SIZES[format]:
                max_mib = MAX_FILE_SIZES[format] // MEBIBYTE
                raise InvalidFile(f"The file is larger than {max_mib} MiB.")
            ImportPart.objects.create(master_import=master_import, number=number, data=data)
        if not master_import.size:
            raise InvalidFile("The file is empty.")
        master_import.save(update_fields=["size"])
    return master_import


def confirm_import(import_id: int, *, user: User | None, now: datetime) -> bool:
    """Start writing a validated import. False if it is not waiting for confirmation."""
    waiting = MasterImport.objects.filter(pk=import_id, state=ImportState.VALIDATED, invalid=0)
    confirmed = waiting.update(state=ImportState.WRITING, auto_apply=True, done=0)
    if confirmed:
        append_audit_entry(
            "master.confirm", user=user, object=f"import {import_id}", detail={}, now=now
        )
    return bool(confirmed)


def discard_import(import_id: int) -> bool:
    """Discard a validated or rejected import. False if it has another state."""
    settled = (ImportState.VALIDATED, ImportState.REJECTED)
    imports = MasterImport.objects.filter(pk=import_id, state__in=settled)
    if not imports.update(state=ImportState.DISCARDED):
        return False
    _delete_file_and_rows(import_id)
    return True


def run_pending_imports(throttle: Throttle = Throttle()) -> int:  # immutable default
    """Process all pending imports as far as possible; return the number processed."""
    count = 0
    with try_session_lock(LockKey.MASTER_IMPORT) as has_lock:
        while has_lock and (
            master_import := MasterImport.objects.filter(state__in=IN_PROGRESS)
            .order_by("pk")
            .first()
        ):
            try:
                process_import(master_import, throttle)
            except ImportStopped:
                # A shutdown does not count as an attempt.
                MasterImport.objects.filter(pk=master_import.pk).update(
                    attempts=master_import.attempts
                )
                break
            count += 1
    return count


def process_import(master_import: MasterImport, throttle: Throttle) -> None:
    """Process one import as far as possible. Reject it after ATTEMPTS crashed workers."""
    row = MasterImport.objects.filter(pk=master_import.pk)
    row.update(attempts=F("attempts") + 1)
    if master_import.attempts >= MAX_ATTEMPTS:
        _set_final_state(
            master_import,
            ImportState.REJECTED,
            f"The import failed {MAX_ATTEMPTS} times. Contact your administrator.",
        )
        return
    if master_import.state == ImportState.WRITING:
        _write_and_finish_import(master_import, throttle)
        return
    try:
        throttle.run_with_pauses(_stage_rows(master_import))
        throttle.run_with_pauses(
            classify_import_rows.write_import_row_verdicts_by_chunk(
                master_import, rows=2 * READ_CHUNK
            )
        )
    except InvalidFile as error:
        _set_final_state(master_import, ImportState.REJECTED, str(error))
        return
    master_import.refresh_from_db()
    if master_import.invalid:
        _set_final_state(master_import, ImportState.REJECTED, "")
    elif master_import.auto_apply:
        row.update(state=ImportState.WRITING, done=0, attempts=0)
    else:
        row.update(state=ImportState.VALIDATED, attempts=0)


def rows_written_so_far(master_import: MasterImport) -> int:
    """Number of rows written so far, which are not visible before the commit."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT last_value FROM visibility_import_progress")
        return min(int(cursor.fetchone()[0]), master_import.total or 0)


def _stage_rows(master_import: MasterImport) -> Iterator[None]:
    """Copy the rows of the file to ImportRow, always from the start; yields after each chunk."""
    table = TABLES[master_import.table]
    ImportRow.objects.filter(master_import=master_import).delete()
    MasterImport.objects.filter(pk=master_import.pk).update(
        state=ImportState.READING, done=0, total=None
    )
    rows = file_reader.read_rows(table, master_import.format, stored_chunks(master_import))
    done = 0
    while chunk := list(islice(rows, READ_CHUNK)):
        done += len(chunk)
        with transaction.atomic(), connection.cursor() as cursor:
            with cursor.copy(COPY_ROWS) as copy:
                for number, cells in chunk:
                    copy.write_row(
                        (master_import.pk, number, *_parse_row_for_staging(table, cells))
                    )
            MasterImport.objects.filter(pk=master_import.pk).update(done=done)
        yield
    MasterImport.objects.filter(pk=master_import.pk).update(total=done)


def _parse_row_for_staging(
    table: MasterTable, cells: "file_reader.ParsedRow | object"
) -> tuple[str, str, str, str]:
    """Key, values as JSON, verdict and reason of one row."""
    if isinstance(cells, str):
        return "", "{}", "invalid", cells[:500]
    try:
        assert isinstance(cells, dict)
        row = table.parse_row_or_raise_invalid_cell(cells)
    except InvalidCell as error:
        return "", "{}", "invalid", str(error)[:500]
    return row.key, orjson.dumps(row.values).decode(), "", ""


def _write_and_finish_import(master_import: MasterImport, throttle: Throttle) -> None:
    """Write all rows in one transaction, in chunks. An overlap rejects the import."""
    table = TABLES[master_import.table]
    now = database_now()
    by = ChangeContext(master_import.created_by, f"import {master_import.pk}", now)
    try:
        with overlap_checked_transaction(table):
            set_progress_sequence(1)
            throttle.run_with_pauses(_write_chunks_and_enqueue_orders(master_import, table, by))
            append_audit_entry(
                f"master.{table.code}",
                user=master_import.created_by,
                object=f"import {master_import.pk}",
                detail={
                    "file": master_import.name,
                    "added": master_import.added,
                    "changed": master_import.changed,
                },
                now=now,
            )
            MasterImport.objects.filter(pk=master_import.pk).update(done=master_import.total or 0)
            _set_final_state(master_import, ImportState.DONE, "")
            _delete_file_and_rows(master_import.pk)
    except OverlappingRows as error:
        _set_final_state(
            master_import,
            ImportState.REJECTED,
            f"{error} The table was changed after validation: import the file again.",
        )


def _write_chunks_and_enqueue_orders(
    master_import: MasterImport, table: MasterTable, by: ChangeContext
) -> Iterator[None]:
    last = (
        ImportRow.objects.filter(master_import=master_import)
        .order_by("-number")
        .values_list("number", flat=True)
    )
    for first in range(1, (last.first() or 0) + 1, WRITE_CHUNK):
        span = {"of": master_import.pk, "first": first, "last": first + WRITE_CHUNK - 1}
        result = write_rows_from_select(table, SELECT_STAGED, span, context=by, count=0)
        if result.changes:
            if first == 1 or table.code == "mapping":
                history = MasterChange.objects.filter(pk__in=result.changes)
                watch_vocabularies(
                    table, [image for image in history.values_list("after", flat=True) if image]
                )
            affected_orders.enqueue_affected_orders(table, result.changes)
        set_progress_sequence(span["last"])
        yield


def _set_final_state(master_import: MasterImport, state: ImportState, detail: str) -> None:
    MasterImport.objects.filter(pk=master_import.pk).update(
        state=state, detail=detail[:500], finished_at=database_now()
    )


def _delete_file_and_rows(import_id: int) -> None:
    """Delete the stored file and its parsed rows."""
    ImportPart.objects.filter(master_import_id=import_id)._raw_delete("default")
    ImportRow.objects.filter(master_import_id=import_id)._raw_delete("default")
