"""`manage.py migrate`: Django's command, which refuses databases older than version 0.2."""

from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands.migrate import Command as DjangoMigrate
from django.db import connections

from visibility.launcher.detect_obsolete_database import OBSOLETE_LAYOUT, has_obsolete_layout


class Command(DjangoMigrate):
    """Check the database layout before the first migration runs."""

    def handle(self, *args: Any, **options: Any) -> None:
        with connections[options["database"]].cursor() as cursor:
            if has_obsolete_layout(cursor):
                raise CommandError(OBSOLETE_LAYOUT)
        super().handle(*args, **options)
