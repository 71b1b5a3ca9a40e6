"""Files of master data: kept, read in pieces, judged, then written all or nothing.

The work is cut into small pieces with a pause after each, in one lane for the whole installation
(an advisory lock), so that a large catalogue never stands in the way of orders.
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

from visibility.db.clock import database_now
from visibility.master_data import files, impact, validation
from visibility.master_data.cells import BadCell
from visibility.master_data.files import FORMATS, LARGEST
from visibility.master_data.store import Author, Overlap, checked, watch, write_from
from visibility.master_data.tables import TABLES, Table
from visibility.master_data.xlsx import BadFile
from visibility.models.audit import record
from visibility.models.imports import (
    MOVING,
    ImportPart,
    ImportRow,
    ImportState,
    MasterImport,
)
from visibility.models.master import MasterChange

PART = 1_048_576
# Rows read at a time, and written at a time: copying them costs least.
READ = 2_000
PIECE = 500
ATTEMPTS = 4
LANE = 4_711_007
COPY = """
COPY visibility_importrow (of_id, number, key, values, verdict, reason) FROM STDIN
"""
STAGED = """
SELECT number AS n, values FROM visibility_importrow
WHERE of_id = %(of)s AND number BETWEEN %(first)s AND %(last)s
"""


class Stopped(RuntimeError):
    """The worker is to end: what was begun is taken up again by the next one."""


@dataclass(frozen=True, slots=True)
class Pace:
    """After each piece of work, rest for `share` times as long as it took (0: not at all)."""

    share: float = 0.0
    rest: Callable[[float], object] = time.sleep
    stop: Callable[[], bool] = lambda: False

    def pieces(self, work: Iterator[None]) -> None:
        """Do all of it, at this pace. Raises Stopped between two pieces."""
        began = time.monotonic()
        for _ in work:
            if self.stop():
                raise Stopped
            if self.share:
                self.rest((time.monotonic() - began) * self.share)
            began = time.monotonic()


def keep(
    table: Table,
    pieces: Iterable[bytes],
    *,
    name: str,
    format: str,
    apply: bool,
    who: User | None,
    now: datetime,
) -> MasterImport:
    """Keep a file before anybody looks inside. Raises BadFile if it is too large or empty."""
    if format not in FORMATS:
        raise BadFile("A file is a CSV or an XLSX.")
    with transaction.atomic():
        made = MasterImport.objects.create(
            table=table.code,
            name=name[:200],
            format=format,
            size=0,
            apply=apply,
            state=ImportState.WAITING,
            created_at=now,
            created_by=who,
        )
        for number, part in enumerate(_parts(pieces)):
            made.size += len(part)
            if made.size > LARGEST[format]:
                most = LARGEST[format] // PART
                raise BadFile(f"The file is larger than {most} MiB.")
            ImportPart.objects.create(of=made, number=number, data=part)
        if not made.size:
            raise BadFile("The file is empty.")
        made.save(update_fields=["size"])
    return made


def confirm(import_id: int, *, who: User | None, now: datetime) -> bool:
    """Somebody said yes to what was judged. False where it does not wait for that."""
    waiting = MasterImport.objects.filter(pk=import_id, state=ImportState.JUDGED, invalid=0)
    found = waiting.update(state=ImportState.WRITING, apply=True, done=0)
    if found:
        record("master.confirm", who=who, object=f"import {import_id}", detail={}, now=now)
    return bool(found)


def discard(import_id: int) -> bool:
    """It shall not be written. False where it is too late."""
    settled = (ImportState.JUDGED, ImportState.REFUSED)
    found = MasterImport.objects.filter(pk=import_id, state__in=settled)
    if not found.update(state=ImportState.DISCARDED):
        return False
    _forget(import_id)
    return True


def work(pace: Pace = Pace()) -> int:  # frozen
    """Take every file that can move as far as it can go; how many were moved."""
    moved = 0
    with _lane() as mine:
        while mine and (
            found := MasterImport.objects.filter(state__in=MOVING).order_by("pk").first()
        ):
            try:
                move(found, pace)
            except Stopped:
                # That was no attempt of its own.
                MasterImport.objects.filter(pk=found.pk).update(attempts=found.attempts)
                break
            moved += 1
    return moved


def move(found: MasterImport, pace: Pace) -> None:
    """One file, as far as it can go; one that has ended its worker several times is refused."""
    tried = MasterImport.objects.filter(pk=found.pk)
    tried.update(attempts=F("attempts") + 1)
    if found.attempts >= ATTEMPTS:
        _end(found, ImportState.REFUSED, f"It was tried {ATTEMPTS} times and never finished.")
        return
    if found.state == ImportState.WRITING:
        _write(found, pace)
        return
    try:
        pace.pieces(_read(found))
        pace.pieces(validation.judge(found, rows=2 * READ))
    except BadFile as error:
        _end(found, ImportState.REFUSED, str(error))
        return
    found.refresh_from_db()
    if found.invalid:
        _end(found, ImportState.REFUSED, "")
    elif found.apply:
        tried.update(state=ImportState.WRITING, done=0, attempts=0)
    else:
        tried.update(state=ImportState.JUDGED, attempts=0)


def written_rows(found: MasterImport) -> int:
    """How far the writing has come: its rows are not to be seen before all are."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT last_value FROM visibility_import_row")
        return min(int(cursor.fetchone()[0]), found.total or 0)


def _read(found: MasterImport) -> Iterator[None]:
    """Copy the rows of the file into the table of rows, from the beginning."""
    table = TABLES[found.table]
    ImportRow.objects.filter(of=found).delete()
    MasterImport.objects.filter(pk=found.pk).update(state=ImportState.READING, done=0, total=None)
    rows = files.read(table, found.format, _bytes(found))
    done = 0
    while piece := list(islice(rows, READ)):
        done += len(piece)
        with transaction.atomic(), connection.cursor() as cursor:
            with cursor.copy(COPY) as copy:
                for number, cells in piece:
                    copy.write_row((found.pk, number, *_row(table, cells)))
            MasterImport.objects.filter(pk=found.pk).update(done=done)
        yield
    MasterImport.objects.filter(pk=found.pk).update(total=done)


def _row(table: Table, cells: "files.Read | object") -> tuple[str, str, str, str]:
    """Key, values, verdict and reason of one row."""
    if isinstance(cells, str):
        return "", "{}", "invalid", cells[:500]
    try:
        assert isinstance(cells, dict)
        row = table.read(cells)
    except BadCell as error:
        return "", "{}", "invalid", str(error)[:500]
    return row.key, orjson.dumps(row.values).decode(), "", ""


def _write(found: MasterImport, pace: Pace) -> None:
    """Every row in one transaction, piece by piece; what stands in the way refuses the file."""
    table = TABLES[found.table]
    now = database_now()
    by = Author(found.created_by, f"import {found.pk}", now)
    try:
        with checked(table):
            _say_row(1)
            pace.pieces(_pieces(found, table, by))
            record(
                f"master.{table.code}",
                who=found.created_by,
                object=f"import {found.pk}",
                detail={"file": found.name, "added": found.added, "changed": found.changed},
                now=now,
            )
            MasterImport.objects.filter(pk=found.pk).update(done=found.total or 0)
            _end(found, ImportState.DONE, "")
            _forget(found.pk)
    except Overlap as error:
        _end(found, ImportState.REFUSED, f"{error} Somebody wrote while the file waited: again.")


def _pieces(found: MasterImport, table: Table, by: Author) -> Iterator[None]:
    last = ImportRow.objects.filter(of=found).order_by("-number").values_list("number", flat=True)
    for first in range(1, (last.first() or 0) + 1, PIECE):
        span = {"of": found.pk, "first": first, "last": first + PIECE - 1}
        written = write_from(table, STAGED, span, by=by, count=0)
        if written.changes:
            if first == 1 or table.code == "mapping":
                kept = MasterChange.objects.filter(pk__in=written.changes)
                watch(table, [image for image in kept.values_list("after", flat=True) if image])
            impact.mark(table, written.changes)
        _say_row(span["last"])
        yield


def _say_row(number: int) -> None:
    """Seen by everybody at once: a sequence waits for no commit."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval('visibility_import_row', %s)", [number])


def _end(found: MasterImport, state: ImportState, detail: str) -> None:
    MasterImport.objects.filter(pk=found.pk).update(
        state=state, detail=detail[:500], finished_at=database_now()
    )


def _forget(import_id: int) -> None:
    """What was in the file is in the rows and their history now."""
    ImportPart.objects.filter(of_id=import_id)._raw_delete("default")
    ImportRow.objects.filter(of_id=import_id)._raw_delete("default")


def _bytes(found: MasterImport) -> Iterator[bytes]:
    parts = ImportPart.objects.filter(of=found)
    for number in parts.order_by("number").values_list("number", flat=True):
        yield bytes(parts.values_list("data", flat=True).get(number=number))


def _parts(pieces: Iterable[bytes]) -> Iterator[bytes]:
    held = bytearray()
    for piece in pieces:
        held += piece
        while len(held) >= PART:
            yield bytes(held[:PART])
            del held[:PART]
    if held:
        yield bytes(held)


class _lane:  # used as a word in a `with`
    """One at a time in the whole installation."""

    def __enter__(self) -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [LANE])
            self._mine = bool(cursor.fetchone()[0])
        return self._mine

    def __exit__(self, *_: object) -> None:
        if self._mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LANE])
