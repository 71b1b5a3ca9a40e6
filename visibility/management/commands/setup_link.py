"""`manage.py setup_link`: print a new link that creates the first administrator."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from visibility.db.database_time import database_now
from visibility.web.people.setup_link import create_setup_link


class Command(BaseCommand):
    """Replace the set-up link. Links printed before are no longer valid."""

    help = "Print a new link that creates the first administrator."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--if-needed",
            action="store_true",
            help="print nothing if an administrator exists, instead of an error",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path = create_setup_link(database_now())
        if path is not None:
            address = settings.PUBLIC_URL.rstrip("/") + path
            self.stdout.write(f"Set up this installation (the link works once):\n  {address}")
        elif not options["if_needed"]:
            raise CommandError(
                "An administrator exists, who can create accounts, and links that set a password."
            )
