"""manage.py master: take a table in from a file, or write it out."""

from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from visibility.db.clock import database_now
from visibility.master_data import export, imports
from visibility.master_data.export import TooMany
from visibility.master_data.files import FORMATS
from visibility.master_data.tables import TABLES
from visibility.master_data.xlsx import BadFile
from visibility.models import ImportRow, ImportState, MasterImport
from visibility.pipeline.stages import tend_master

SHOWN = 20
PIECE = 1_048_576


class Command(BaseCommand):
    """Master data from the command line."""

    help = "Import or export a table of master data (CSV or XLSX, by the file's name)."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        for act in ("import", "export"):
            one = acts.add_parser(act, help=f"{act} a table")
            one.add_argument("table", choices=sorted(TABLES))
            one.add_argument("file", type=Path)
            if act == "import":
                one.add_argument(
                    "--dry-run", action="store_true", help="only tell what would happen"
                )

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        form = path.suffix.lower().lstrip(".")
        if form not in FORMATS:
            raise CommandError(f"{path.name}: a file ends in .csv or .xlsx")
        try:
            if options["act"] == "export":
                self._export(options["table"], path, form)
            else:
                self._import(options["table"], path, form, apply=not options["dry_run"])
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}") from error
        except (BadFile, TooMany) as error:
            raise CommandError(str(error)) from error

    def _export(self, code: str, path: Path, form: str) -> None:
        table = TABLES[code]
        with path.open("wb") as file:
            if form == "csv":
                file.writelines(export.csv_lines(table))
            else:
                with export.xlsx_file(table) as book:
                    file.write(book.read())

    def _import(self, code: str, path: Path, form: str, *, apply: bool) -> None:
        found = imports.keep(
            TABLES[code],
            _pieces(path),
            name=path.name,
            format=form,
            apply=apply,
            who=None,
            now=database_now(),
        )
        tend_master(imports.Pace())
        found.refresh_from_db()
        self.stdout.write(
            f"added {found.added}  changed {found.changed}  "
            f"unchanged {found.unchanged}  invalid {found.invalid}"
        )
        if found.state in {ImportState.WAITING, ImportState.READING, ImportState.WRITING}:
            self.stdout.write(f"import {found.pk} goes on in the worker")
            return
        self._refused(found)
        if found.state == ImportState.JUDGED:
            imports.discard(found.pk)
            self.stdout.write("nothing was written (dry run)")

    def _refused(self, found: MasterImport) -> None:
        if found.state != ImportState.REFUSED:
            return
        bad = ImportRow.objects.filter(of=found, verdict="invalid").order_by("number")
        for row in bad[:SHOWN]:
            self.stderr.write(f"row {row.number}: {row.reason}")
        imports.discard(found.pk)
        raise CommandError(found.detail or "Nothing was written: some rows can't be taken.")


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece
