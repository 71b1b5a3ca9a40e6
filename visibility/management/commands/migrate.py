"""`manage.py migrate`: Django's command, which refuses databases older than version 0.2.

A migration that does not get a lock in time, because other processes are writing, is tried again.
"""

import time
from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands.migrate import Command as DjangoMigrate
from django.db import OperationalError, connections
from psycopg.errors import LockNotAvailable

from visibility.launcher.detect_obsolete_database import OBSOLETE_LAYOUT, has_obsolete_layout

MAX_ATTEMPTS = 20
PAUSE_SECONDS = 1


class Command(DjangoMigrate):
    """Check the database layout before the first migration runs."""

    def handle(self, *args: Any, **options: Any) -> None:
        with connections[options["database"]].cursor() as cursor:
            if has_obsolete_layout(cursor):
                raise CommandError(OBSOLETE_LAYOUT)
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                super().handle(*args, **options)
            except OperationalError as error:
                is_lock = isinstance(error.__cause__, LockNotAvailable)
                if not is_lock or attempt == MAX_ATTEMPTS:
                    raise
            else:
                return
            self.stderr.write(f"a lock was not available; attempt {attempt + 1} follows")
            time.sleep(PAUSE_SECONDS)
