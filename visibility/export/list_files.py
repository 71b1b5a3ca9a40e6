"""Export the filtered rows of a list: CSV as a stream of any length, XLSX as a temporary file.

One statement reads all rows and their number, through a server-side cursor: the file is of one
moment, and memory does not grow with the number of rows.
"""

import csv
import io
import tempfile
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from itertools import chain, islice
from typing import IO, Any

from django.conf import settings
from django.db.models import Count, QuerySet, Window
from django.http import QueryDict

from visibility.db.sorted_pages import SortOrder, count_rows_up_to, sort_all_rows
from visibility.formatting import format_number, in_zone
from visibility.master_data.file_reader import escape_formula
from visibility.screens.lists.list_definition import ColumnValue, ListColumn, ListDefinition, Viewer

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


@dataclass(eq=False)
class OpenedListExport:
    """An export whose statement has run. `total`: the exact number of its rows.

    It must be closed. Until then it is in `OPEN_EXPORTS`, so that the garbage collector never
    closes its database cursor: that could happen within another statement of the connection, whose
    lock the thread already has.
    """

    export: ListExport
    total: int
    first: Sequence[Any]
    cursor: Generator[Any, None, None]

    def __post_init__(self) -> None:
        OPEN_EXPORTS.add(self)

    def close(self) -> None:
        """Close the database cursor; a second call has no effect."""
        self.cursor.close()
        OPEN_EXPORTS.discard(self)

    def heading(self) -> list[tuple[str, str | int]]:
        """The lines above the table: list, filters, time with zone, person and number of rows."""
        export = self.export
        zone = settings.TIME_ZONE
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
        while chunk := list(islice(objects, CHUNK_SIZE)):
            for row in export.definition.rows_of_objects(chunk, export.viewer, export.now):
                yield [column.value(row, export.viewer) for column in export.columns]


OPEN_EXPORTS: set[OpenedListExport] = set()


def open_list_export(export: ListExport, file_format: ListFileFormat) -> OpenedListExport:
    """Run the statement of an export. Raises TooManyRowsForXlsx."""
    if file_format is ListFileFormat.XLSX and count_rows_up_to(export.rows, MAX_XLSX_ROWS) is None:
        raise TooManyRowsForXlsx(
            f"More than {format_number(MAX_XLSX_ROWS)} {export.definition.nouns[1]} match. An XLSX "
            "file has at most that many rows: export as CSV, or add filters."
        )
    rows = sort_all_rows(export.rows, export.sort).annotate(export_total=Window(Count("*")))
    cursor = rows.iterator(chunk_size=CHUNK_SIZE)
    assert isinstance(cursor, Generator)
    first = list(islice(cursor, 1))
    return OpenedListExport(export, first[0].export_total if first else 0, first, cursor)


class CsvFile(Iterator[bytes]):
    """The CSV file of an export in chunks; it closes the export at its end.

    Not a generator with `finally`, which the garbage collector would run.
    """

    def __init__(self, opened: OpenedListExport) -> None:
        self.opened = opened
        self.chunks = _csv_chunks(opened)

    def __next__(self) -> bytes:
        try:
            return next(self.chunks)
        except StopIteration:
            self.close()
            raise

    def close(self) -> None:
        """Close the export, also before its end."""
        self.opened.close()


def _csv_chunks(opened: OpenedListExport) -> Iterator[bytes]:
    """The CSV file in chunks. Texts that look like formulas are escaped."""
    out = io.StringIO()
    writer = csv.writer(out)
    for label, value in opened.heading():
        writer.writerow([label, _csv_cell(value)])
    writer.writerow([])
    writer.writerow([column.title for column in opened.export.columns])
    rows = opened.rows()
    while True:
        chunk = list(islice(rows, CHUNK_SIZE))
        writer.writerows([_csv_cell(value) for value in row] for row in chunk)
        yield out.getvalue().encode()
        out.seek(0)
        out.truncate()
        if len(chunk) < CHUNK_SIZE:
            return


def xlsx_file(opened: OpenedListExport) -> IO[bytes]:
    """The XLSX file, open at its start. Texts are never formulas. Closes the export."""
    try:
        return _write_xlsx_file(opened)
    finally:
        opened.close()


def _write_xlsx_file(opened: OpenedListExport) -> IO[bytes]:
    import xlsxwriter  # 10 MB of memory that few requests need

    file = tempfile.TemporaryFile()  # noqa: SIM115  # the response closes it
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(file, options) as book:
        sheet = book.add_worksheet(opened.export.definition.title[:31])
        bold = book.add_format({"bold": True})
        formats = {
            date: book.add_format({"num_format": DAY_FORMAT}),
            datetime: book.add_format({"num_format": TIME_FORMAT}),
        }
        heading = opened.heading()
        for index, (label, value) in enumerate(heading):
            sheet.write_string(index, 0, label, bold)
            _write_cell(sheet, index, 1, value, formats)
        top = len(heading) + 1
        for index, column in enumerate(opened.export.columns):
            sheet.write_string(top, index, column.title, bold)
        sheet.freeze_panes(top + 1, 0)
        for row_index, row in enumerate(opened.rows(), start=top + 1):
            for index, cell in enumerate(row):
                _write_cell(sheet, row_index, index, cell, formats)
    file.seek(0)
    return file


def _csv_cell(value: ColumnValue) -> str:
    """The text of a value: times in the organization's zone, amounts without separators."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{in_zone(value, settings.TIME_ZONE):%Y-%m-%d %H:%M}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    return escape_formula(value) if isinstance(value, str) else str(value)


def _write_cell(sheet: Any, row: int, column: int, value: ColumnValue, formats: Any) -> None:
    if value is None or value == "":
        return
    if isinstance(value, datetime):
        local = in_zone(value, settings.TIME_ZONE).replace(tzinfo=None)
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
