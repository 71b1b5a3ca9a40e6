"""Write a heading and a table as CSV or XLSX. Texts are never formulas."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import IO, Any

from visibility.formatting import in_zone
from visibility.master_data.file_reader import escape_formula
from visibility.screens.lists.list_definition import ColumnValue
from visibility.storage.organization import organization_time_zone

# The longest text that a cell of a spreadsheet can have.
MAX_CELL_LENGTH = 32_767
# Excel stores numbers with 15 significant digits.
MAX_NUMBER_DIGITS = 15
DAY_FORMAT, TIME_FORMAT = "yyyy-mm-dd", "yyyy-mm-dd hh:mm"


@dataclass(frozen=True, slots=True)
class TableOfFile:
    """The lines above the table, the titles of its columns, and its rows, which are read once."""

    title: str
    heading: Sequence[tuple[str, str | int]]
    columns: Sequence[str]
    rows: Iterable[Sequence[ColumnValue]]


def write_csv_table(table: TableOfFile, file: IO[bytes], *further: TableOfFile) -> None:
    """Texts that look like formulas are escaped. `further` tables follow after an empty line."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    writer = csv.writer(text)
    for index, each in enumerate((table, *further)):
        if index:
            writer.writerow([])
        for label, value in each.heading:
            writer.writerow([label, csv_cell(value)])
        writer.writerow([])
        writer.writerow(each.columns)
        writer.writerows([csv_cell(value) for value in row] for row in each.rows)
    text.detach()  # writes the rest, and leaves the file open


def write_xlsx_table(table: TableOfFile, file: IO[bytes], *further: TableOfFile) -> None:
    """Texts are never formulas. Each of the `further` tables has a sheet of its own."""
    import xlsxwriter  # 10 MB of memory that few requests need

    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(file, options) as book:
        bold = book.add_format({"bold": True})
        formats = {
            date: book.add_format({"num_format": DAY_FORMAT}),
            datetime: book.add_format({"num_format": TIME_FORMAT}),
        }
        for each in (table, *further):
            _write_sheet(book.add_worksheet(each.title[:31]), each, bold, formats)


def _write_sheet(sheet: Any, table: TableOfFile, bold: Any, formats: Any) -> None:
    for index, (label, value) in enumerate(table.heading):
        sheet.write_string(index, 0, label, bold)
        _write_cell(sheet, index, 1, value, formats)
    top = len(table.heading) + 1
    for index, column in enumerate(table.columns):
        sheet.write_string(top, index, column, bold)
    sheet.freeze_panes(top + 1, 0)
    for row_index, row in enumerate(table.rows, start=top + 1):
        for index, cell in enumerate(row):
            _write_cell(sheet, row_index, index, cell, formats)


def csv_cell(value: ColumnValue) -> str:
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
