"""`manage.py master`: import or export a table of master data."""

from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from visibility.db.database_time import database_now
from visibility.master_data import export, imports
from visibility.master_data.export import TooManyRows
from visibility.master_data.file_reader import FILE_FORMATS
from visibility.master_data.tables import TABLES
from visibility.master_data.xlsx_reader import InvalidFile
from visibility.models import ImportRow, ImportState, MasterImport
from visibility.pipeline.job_functions import import_master_data_and_enqueue_refolds

MAX_ROWS_SHOWN = 20
CHUNK_BYTES = 1_048_576


class Command(BaseCommand):
    """Import or export master data. An import that takes long continues in the worker."""

    help = "Import or export a table of master data (CSV or XLSX, by file extension)."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        subcommands = parser.add_subparsers(dest="action", required=True)
        for name in ("import", "export"):
            subparser = subcommands.add_parser(name, help=f"{name} a table")
            subparser.add_argument("table", choices=sorted(TABLES))
            subparser.add_argument("file", type=Path)
            if name == "import":
                subparser.add_argument(
                    "--dry-run", action="store_true", help="validate the file without saving"
                )

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        format = path.suffix.lower().lstrip(".")
        if format not in FILE_FORMATS:
            raise CommandError(f"{path.name}: the file name must end in .csv or .xlsx")
        try:
            if options["action"] == "export":
                self._export(options["table"], path, format)
            else:
                self._import(options["table"], path, format, apply=not options["dry_run"])
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}") from error
        except (InvalidFile, TooManyRows) as error:
            raise CommandError(str(error)) from error

    def _export(self, code: str, path: Path, format: str) -> None:
        table = TABLES[code]
        with path.open("wb") as file:
            if format == "csv":
                file.writelines(export.csv_chunks(table))
            else:
                with export.xlsx_file(table) as workbook:
                    file.write(workbook.read())

    def _import(self, code: str, path: Path, format: str, *, apply: bool) -> None:
        master_import = imports.store_import_file(
            TABLES[code],
            _read_file_chunks(path),
            name=path.name,
            format=format,
            auto_apply=apply,
            user=None,
            now=database_now(),
        )
        import_master_data_and_enqueue_refolds(imports.Throttle())
        master_import.refresh_from_db()
        self.stdout.write(
            f"added {master_import.added}  changed {master_import.changed}  "
            f"unchanged {master_import.unchanged}  invalid {master_import.invalid}"
        )
        if master_import.state in {ImportState.WAITING, ImportState.READING, ImportState.WRITING}:
            self.stdout.write(f"import {master_import.pk} continues in the worker")
            return
        self._discard_and_raise_if_rejected(master_import)
        if master_import.state == ImportState.VALIDATED:
            imports.discard_import(master_import.pk)
            self.stdout.write("nothing was saved (dry run)")

    def _discard_and_raise_if_rejected(self, master_import: MasterImport) -> None:
        if master_import.state != ImportState.REJECTED:
            return
        invalid_rows = ImportRow.objects.filter(
            master_import=master_import, verdict="invalid"
        ).order_by("number")
        for row in invalid_rows[:MAX_ROWS_SHOWN]:
            self.stderr.write(f"row {row.number}: {row.reason}")
        imports.discard_import(master_import.pk)
        raise CommandError(master_import.detail or "Nothing was saved: some rows are invalid.")


def _read_file_chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
