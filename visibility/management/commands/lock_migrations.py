"""`manage.py lock_migrations`: add new migrations to `visibility/migrations/LOCK`."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from visibility.management.migration_checksums import (
    MIGRATIONS,
    LockConflict,
    describe_changed_and_unlocked,
    lock_new_migrations,
)


class Command(BaseCommand):
    """Add new migrations to the lock file; `--check` only verifies it."""

    help = "Lock the content of new migrations."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--check",
            action="store_true",
            help="fail if a migration is missing from the lock file or changed",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["check"]:
            if problems := describe_changed_and_unlocked(MIGRATIONS):
                raise CommandError("\n".join(problems))
            return
        try:
            added = lock_new_migrations(MIGRATIONS)
        except LockConflict as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"locked: {', '.join(added) or 'nothing new'}")
