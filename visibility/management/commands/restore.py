"""`manage.py restore FILE`: fill an empty database from a backup."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from connectors.sdk.event_codec import format_rfc3339
from visibility.db.database_time import database_now
from visibility.formatting import format_number
from visibility.launcher.backup_passphrase import read_passphrase
from visibility.launcher.database_in_use import is_database_in_use
from visibility.launcher.instance_lock_and_environment import write_private
from visibility.models.audit import append_audit_entry, find_audit_violations
from visibility.operations.backup_container import BackupError
from visibility.operations.backups import BackupSummary, check_backup, restore_backup


class Command(BaseCommand):
    """Read the whole file once before anything is changed."""

    help = (
        "Restore a backup. With the embedded database, it replaces all data of the folder, and the "
        "product must be stopped. With DATABASE_URL, the database must be empty."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="a file that `backup` wrote")
        parser.add_argument("--check", action="store_true", help="only read the file")
        parser.add_argument(
            "--write-secret-key",
            type=Path,
            metavar="FILE",
            help="write the secret key of the backup to this file, older keys to the file with "
            "the added ending .fallbacks, and go on",
        )
        parser.add_argument(
            "--replace",
            action="store_true",
            help="replace the data of the folder, with the embedded database",
        )
        parser.add_argument(
            "--files", type=Path, help="write connectors to this folder (default: DATA_DIR)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path, files = options["file"], options["files"] or settings.DATA_DIR
        if options["replace"]:
            raise CommandError("A restore into DATABASE_URL replaces nothing: it must be empty.")
        passphrase = read_passphrase(is_new=False)
        try:
            self.stdout.write("checking the file")
            summary = check_backup(path, passphrase)
            self.stdout.write(
                f"made {format_rfc3339(summary.created_at)}, "
                f"{format_number(sum(summary.rows.values()))} rows"
            )
            if options["check"]:
                return
            self._take_secret_key(summary, options["write_secret_key"])
            _refuse_database_in_use()
            restore_backup(path, passphrase, summary, files=files, report=self._report)
            if options["files"]:
                (files / "mode").write_text("demo\n" if summary.demo else "empty\n")
        except BackupError as error:
            raise CommandError(str(error)) from error
        append_audit_entry(
            "backup.restored",
            user=None,
            object=path.name[:200],
            detail={"created_at": format_rfc3339(summary.created_at)},
            now=database_now(),
        )
        violations = find_audit_violations()
        for violation in violations:
            self.stderr.write(violation)
        self.stdout.write(
            "restored; the audit log is "
            + ("damaged, as it was in the backup" if violations else "complete")
        )

    def _take_secret_key(self, summary: BackupSummary, target: Path | None) -> None:
        """Stored passwords and seals need the secret keys of the backup."""
        if target is not None:
            write_private(target, summary.secret_key + "\n")
            if summary.fallback_keys:
                fallbacks = target.with_name(f"{target.name}.fallbacks")
                write_private(fallbacks, "\n".join(summary.fallback_keys) + "\n")
            settings.SECRET_KEY = summary.secret_key
            settings.SECRET_KEY_FALLBACKS = list(summary.fallback_keys)
            return
        here = {settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS}
        if summary.secret_key not in here:
            raise CommandError(
                "The SECRET_KEY here is not that of the backup, which stored passwords and seals "
                "need. Set it, or add it to SECRET_KEY_FALLBACKS, or write it to a file with "
                "--write-secret-key, and name that file in SECRET_KEY_FILE from then on."
            )
        if set(summary.fallback_keys) - here:
            raise CommandError(
                "The backup was made while a secret key was being replaced, and needs its older "
                "keys, too. Add them to SECRET_KEY_FALLBACKS, or write them to a file with "
                "--write-secret-key."
            )
        if summary.secret_key != settings.SECRET_KEY:
            self.stdout.write(
                "the backup has an older key, which is in SECRET_KEY_FALLBACKS: run "
                "`manage.py replace_secret_key` afterwards"
            )

    def _report(self, table: str, rows: int) -> None:
        self.stdout.write(f"{format_number(rows):>14}  {table}")


def _refuse_database_in_use() -> None:
    with connection.cursor() as cursor:
        if is_database_in_use(cursor):
            raise CommandError(
                "The database contains data, which a restore does not overwrite. Create an empty "
                "database, and name it in DATABASE_URL."
            )
