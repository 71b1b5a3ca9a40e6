"""Export the filtered rows of a list to a temporary file: CSV of any length, or XLSX.

The file is complete before the first byte is sent, so that a slow client holds no database
connection. One statement reads all rows and their number, through a server-side cursor: the file
is of one moment, and memory does not grow with the number of rows.
"""

import csv
import io
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from itertools import chain, islice
from typing import IO, Any

from django.db import transaction
from django.db.models import Count, QuerySet, Window
from django.http import QueryDict

from visibility.db.sorted_pages import SortOrder, count_rows_up_to, sort_all_rows
from visibility.export.snapshot_to_temp_tables import acquire_export_slot
from visibility.formatting import format_number, in_zone
from visibility.master_data.file_reader import escape_formula
from visibility.screens.lists.list_definition import ColumnValue, ListColumn, ListDefinition, Viewer
from visibility.storage.organization import organization_time_zone

CHUNK_SIZE = 2_000
MAX_XLSX_ROWS = 50_000
# The longest text that a cell of a spreadsheet can have.
MAX_CELL_LENGTH = 32_767
# Excel stores numbers with 15 significant digits.
MAX_NUMBER_DIGITS = 15
DAY_FORMAT, TIME_FORMAT = "yyyy-mm-dd", "yyyy-mm-dd hh:mm"


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
    write = _write_xlsx if file_format is ListFileFormat.XLSX else _write_csv
    with transaction.atomic():
        acquire_export_slot()
        running = _run_statement(export, file_format)
        with closing(running.cursor), ExitStack() as on_error:
            file = on_error.enter_context(tempfile.TemporaryFile())
            write(running, file)
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
        _write_csv(running, file)
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


def _write_csv(running: RunningListExport, file: IO[bytes]) -> None:
    """Texts that look like formulas are escaped."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    writer = csv.writer(text)
    for label, value in running.heading():
        writer.writerow([label, _csv_cell(value)])
    writer.writerow([])
    writer.writerow([column.title for column in running.export.columns])
    writer.writerows([_csv_cell(value) for value in row] for row in running.rows())
    text.detach()  # writes the rest, and leaves the file open


def _write_xlsx(running: RunningListExport, file: IO[bytes]) -> None:
    """Texts are never formulas."""
    import xlsxwriter  # 10 MB of memory that few requests need

    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(file, options) as book:
        sheet = book.add_worksheet(running.export.definition.title[:31])
        bold = book.add_format({"bold": True})
        formats = {
            date: book.add_format({"num_format": DAY_FORMAT}),
            datetime: book.add_format({"num_format": TIME_FORMAT}),
        }
        heading = running.heading()
        for index, (label, value) in enumerate(heading):
            sheet.write_string(index, 0, label, bold)
            _write_cell(sheet, index, 1, value, formats)
        top = len(heading) + 1
        for index, column in enumerate(running.export.columns):
            sheet.write_string(top, index, column.title, bold)
        sheet.freeze_panes(top + 1, 0)
        for row_index, row in enumerate(running.rows(), start=top + 1):
            for index, cell in enumerate(row):
                _write_cell(sheet, row_index, index, cell, formats)


def _csv_cell(value: ColumnValue) -> str:
    """The text of a value: times in the organization's zone, amounts without separators."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{in_zone(value, organization_time_zone()):%Y-%m-%d %H:%M}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    return escape_formula(value) if isinstance(value, str) else str(value)


def _write_cell(sheet: Any, row: int, column: int, value: ColumnValue, formats: Any) -> None:
    if value is None or value == "":
        return
    if isinstance(value, datetime):
        local = in_zone(value, organization_time_zone()).replace(tzinfo=None)
        sheet.write_datetime(row, column, local, formats[datetime])
    elif isinstance(value, date):
        sheet.write_datetime(row, column, value, formats[date])
    elif isinstance(value, int | Decimal) and _fits_spreadsheet_number(value):
        sheet.write_number(row, column, value)
    else:
        text = format(value, "f") if isinstance(value, Decimal) else str(value)
        sheet.write_string(row, column, text[:MAX_CELL_LENGTH])


def _fits_spreadsheet_number(value: int | Decimal) -> bool:
    return len(Decimal(value).normalize().as_tuple().digits) <= MAX_NUMBER_DIGITS
