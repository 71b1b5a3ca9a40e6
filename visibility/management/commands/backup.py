"""`manage.py backup FILE`: the database, the secret key and connectors in an encrypted file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from visibility.db.database_time import database_now
from visibility.formatting import format_number
from visibility.launcher.backup_passphrase import read_passphrase
from visibility.models.audit import append_audit_entry
from visibility.operations.backup_container import BackupError
from visibility.operations.backups import check_backup, write_backup


class Command(BaseCommand):
    """Write the file, then read it again, so that a file that is reported can be read."""

    help = (
        "Write the database, the secret key and the connectors to one encrypted file. The product "
        "may run meanwhile. The passphrase is asked for, or read from BACKUP_PASSPHRASE or from "
        "the file that BACKUP_PASSPHRASE_FILE names. Drop folders and logs are not included."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="a file that does not exist yet")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        passphrase = read_passphrase(is_new=True)
        try:
            rows = write_backup(path, passphrase, report=self._report)
            self.stdout.write("checking the file")
            check_backup(path, passphrase)
        except BackupError as error:
            raise CommandError(str(error)) from error
        size, total = path.stat().st_size, sum(rows.values())
        append_audit_entry(
            "backup.written",
            user=None,
            object=path.name[:200],
            detail={"bytes": size, "rows": total},
            now=database_now(),
        )
        self.stdout.write(
            f"{path}: {format_number(total)} rows, {format_number(size)} bytes. "
            "Nobody can restore it without the passphrase."
        )

    def _report(self, table: str, rows: int) -> None:
        if rows:
            self.stdout.write(f"{format_number(rows):>14}  {table}")
