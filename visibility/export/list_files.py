"""Export the filtered rows of a list to a temporary file: CSV of any length, or XLSX.

The file is complete before the first byte is sent, so that a slow client holds no database
connection. One statement reads all rows and their number, through a server-side cursor: the file
is of one moment, and memory does not grow with the number of rows.
"""

import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import chain, islice
from typing import IO, Any

from django.db import transaction
from django.db.models import Count, QuerySet, Window
from django.http import QueryDict

from visibility.db.sorted_pages import SortOrder, count_rows_up_to, sort_all_rows
from visibility.export.snapshot_to_temp_tables import acquire_export_slot
from visibility.export.table_files import TableOfFile, write_csv_table, write_xlsx_table
from visibility.formatting import format_number, in_zone
from visibility.screens.lists.list_definition import ColumnValue, ListColumn, ListDefinition, Viewer
from visibility.storage.organization import organization_time_zone

CHUNK_SIZE = 2_000
MAX_XLSX_ROWS = 50_000


class ListFileFormat(StrEnum):
    """The file formats of a list."""

    CSV = "csv"
    XLSX = "xlsx"


class TooManyRowsForXlsx(ValueError):
    """More rows match than an XLSX file may have; the message points to CSV."""


@dataclass(frozen=True, slots=True)
class ListExport:
    """The rows to export: which list, filters, order and columns, for whom, and as of when."""

    definition: ListDefinition
    query: QueryDict
    sort: SortOrder
    columns: Sequence[ListColumn]
    viewer: Viewer
    now: datetime
    # Conditions of the API that the list has no filter for, and their words.
    rows: QuerySet[Any]
    filter_texts: Sequence[str]


@dataclass(frozen=True, slots=True)
class RunningListExport:
    """An export whose statement has run. `total`: the exact number of its rows."""

    export: ListExport
    total: int
    first: Sequence[Any]
    cursor: Generator[Any, None, None]
    # Called with the number of rows written, and of all rows, after each chunk.
    report: Callable[[int, int], None] = lambda _, __: None

    def heading(self) -> list[tuple[str, str | int]]:
        """The lines above the table: list, filters, time with zone, person and number of rows."""
        export = self.export
        zone = organization_time_zone()
        return [
            ("List", export.definition.title),
            ("Filters", "; ".join(export.filter_texts) or "None"),
            ("As of", f"{in_zone(export.now, zone):%Y-%m-%d %H:%M} ({zone})"),
            ("Exported by", export.viewer.name),
            ("Rows", self.total),
        ]

    def table(self) -> TableOfFile:
        """The heading and the table, whose rows are read when they are written."""
        export = self.export
        columns = [column.title for column in export.columns]
        return TableOfFile(export.definition.title, self.heading(), columns, self.rows())

    def rows(self) -> Iterator[Sequence[ColumnValue]]:
        """The values of each row, in the order of the columns."""
        export, objects = self.export, chain(self.first, self.cursor)
        count = 0
        while chunk := list(islice(objects, CHUNK_SIZE)):
            for row in export.definition.rows_of_objects(chunk, export.viewer, export.now):
                yield [column.value(row, export.viewer) for column in export.columns]
            count += len(chunk)
            self.report(count, self.total)


@dataclass(frozen=True, slots=True)
class WrittenListFile:
    """The temporary file of an export, open at its start, and the number of its rows."""

    file: IO[bytes]
    rows: int


def write_list_file(export: ListExport, file_format: ListFileFormat) -> WrittenListFile:
    """Write an export to a temporary file. Raises TooManyExports, TooManyRowsForXlsx.

    It has one of the slots of all exports until the file is complete. The database cursor is closed
    here: the garbage collector could close it within another statement of the connection, whose
    lock the thread already has.
    """
    write = write_xlsx_table if file_format is ListFileFormat.XLSX else write_csv_table
    with transaction.atomic():
        acquire_export_slot()
        running = _run_statement(export, file_format)
        with closing(running.cursor), ExitStack() as on_error:
            file = on_error.enter_context(tempfile.TemporaryFile())
            write(running.table(), file)
            file.seek(0)
            on_error.pop_all()
    return WrittenListFile(file, running.total)


def write_csv_reporting_progress(
    export: ListExport, file: IO[bytes], report: Callable[[int, int], None]
) -> int:
    """Write an export as CSV; return the number of rows. `report` may raise to stop it.

    Outside of a transaction the cursor is one WITH HOLD: PostgreSQL has read all rows when it
    begins, and the progress is visible to others at once.
    """
    running = replace(_run_statement(export, ListFileFormat.CSV), report=report)
    with closing(running.cursor):
        write_csv_table(running.table(), file)
    return running.total


def _run_statement(export: ListExport, file_format: ListFileFormat) -> RunningListExport:
    if file_format is ListFileFormat.XLSX and count_rows_up_to(export.rows, MAX_XLSX_ROWS) is None:
        raise TooManyRowsForXlsx(
            f"More than {format_number(MAX_XLSX_ROWS)} {export.definition.nouns[1]} match. An XLSX "
            "file has at most that many rows: export as CSV, or add filters."
        )
    rows = sort_all_rows(export.rows, export.sort).annotate(export_total=Window(Count("*")))
    cursor = rows.iterator(chunk_size=CHUNK_SIZE)
    assert isinstance(cursor, Generator)
    first = list(islice(cursor, 1))
    return RunningListExport(export, first[0].export_total if first else 0, first, cursor)
