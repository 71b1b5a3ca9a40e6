"""Export master data tables: CSV as a stream, XLSX through a temporary file."""

import csv
import io
import tempfile
from collections.abc import Iterator, Mapping
from typing import IO

from visibility.master_data.file_reader import escape_formula
from visibility.master_data.tables import MasterTable
from visibility.models.master import Versioned

CHUNK_SIZE = 2_000
# An XLSX file is written completely before the first byte is sent.
MAX_XLSX_ROWS = 100_000
# Column name to required value.
RowFilters = Mapping[str, str]


class TooManyRows(ValueError):
    """The table has more rows than an XLSX export may have."""


def csv_chunks(table: MasterTable, filters: RowFilters | None = None) -> Iterator[bytes]:
    """The CSV file in chunks. Texts that look like formulas are escaped."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([column.name for column in table.columns])
    for chunk in _row_chunks(table, filters or {}):
        for row in chunk:
            cells = table.format_cells(row)
            writer.writerow(
                [
                    (c.is_number and cells[c.name]) or escape_formula(cells[c.name])
                    for c in table.columns
                ]
            )
        yield out.getvalue().encode()
        out.seek(0)
        out.truncate()
    if remainder := out.getvalue():
        yield remainder.encode()


def xlsx_file(table: MasterTable, filters: RowFilters | None = None) -> IO[bytes]:
    """The XLSX file, open at its start. Number columns are numeric cells. Raises TooManyRows."""
    import xlsxwriter  # 10 MB of memory that few requests need

    if table.model._base_manager.filter(**(filters or {}))[MAX_XLSX_ROWS:].exists():
        raise TooManyRows(
            f"XLSX exports are limited to {MAX_XLSX_ROWS:,} rows. Export as CSV instead."
        )
    file = tempfile.TemporaryFile()  # noqa: SIM115  # the response closes it
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(file, options) as book:
        sheet = book.add_worksheet(table.title[:31])
        sheet.freeze_panes(1, 0)
        bold = book.add_format({"bold": True})
        for column_index, column in enumerate(table.columns):
            sheet.write_string(0, column_index, column.name, bold)
        row_index = 0
        for chunk in _row_chunks(table, filters or {}):
            for row in chunk:
                row_index += 1
                for column_index, (column, cell) in enumerate(
                    zip(table.columns, table.format_cells(row).values(), strict=True)
                ):
                    if column.is_number and len(cell) < 15:
                        sheet.write_number(row_index, column_index, int(cell))
                    elif cell:
                        sheet.write_string(row_index, column_index, cell)
    file.seek(0)
    return file


def _row_chunks(table: MasterTable, filters: RowFilters) -> Iterator[list[Versioned]]:
    """The rows in chunks, in the order of their creation."""
    after = 0
    rows = table.model._base_manager.filter(**filters).order_by("pk")
    while chunk := list(rows.filter(pk__gt=after)[:CHUNK_SIZE]):
        after = chunk[-1].pk
        yield chunk
