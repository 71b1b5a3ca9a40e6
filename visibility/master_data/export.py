"""Master tables as files: CSV in a stream, XLSX by way of a temporary file."""

import csv
import io
import tempfile
from collections.abc import Iterator, Mapping
from typing import IO

from visibility.master_data.files import neutral
from visibility.master_data.tables import Table
from visibility.models.master import Dated

PIECE = 2_000
# An XLSX is written whole before its first byte is sent.
MOST_XLSX = 100_000
# Only rows with these values.
Filters = Mapping[str, str]


class TooMany(ValueError):
    """More rows than an XLSX is made for."""


def csv_lines(table: Table, filters: Filters | None = None) -> Iterator[bytes]:
    """The file, a piece at a time; texts that look like formulas are marked as text."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([column.name for column in table.columns])
    for piece in _pieces(table, filters or {}):
        for row in piece:
            cells = table.cells(row)
            writer.writerow(
                [(c.number and cells[c.name]) or neutral(cells[c.name]) for c in table.columns]
            )
        yield out.getvalue().encode()
        out.seek(0)
        out.truncate()
    if rest := out.getvalue():
        yield rest.encode()


def xlsx_file(table: Table, filters: Filters | None = None) -> IO[bytes]:
    """The file, open at its beginning; numbers are numbers, all else is text. Raises TooMany."""
    import xlsxwriter  # 10 MB that few requests need

    if table.model._base_manager.filter(**(filters or {}))[MOST_XLSX:].exists():
        raise TooMany(f"An XLSX holds {MOST_XLSX:,} rows at most here: take the CSV.")
    file = tempfile.TemporaryFile()  # noqa: SIM115  # the answer closes it
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(file, options) as book:
        sheet = book.add_worksheet(table.title[:31])
        sheet.freeze_panes(1, 0)
        bold = book.add_format({"bold": True})
        for place, column in enumerate(table.columns):
            sheet.write_string(0, place, column.name, bold)
        line = 0
        for piece in _pieces(table, filters or {}):
            for row in piece:
                line += 1
                for place, (column, cell) in enumerate(
                    zip(table.columns, table.cells(row).values(), strict=True)
                ):
                    if column.number and len(cell) < 15:
                        sheet.write_number(line, place, int(cell))
                    elif cell:
                        sheet.write_string(line, place, cell)
    file.seek(0)
    return file


def _pieces(table: Table, filters: Filters) -> Iterator[list[Dated]]:
    """The rows in the order in which they were made."""
    after = 0
    rows = table.model._base_manager.filter(**filters).order_by("pk")
    while piece := list(rows.filter(pk__gt=after)[:PIECE]):
        after = piece[-1].pk
        yield piece
