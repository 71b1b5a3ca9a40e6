"""`manage.py document_events`: write the tables of docs/events.md."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from connectors.sdk.events_documentation_tables import replace_tables_in_document_text


class Command(BaseCommand):
    """Write the tables from the vocabulary; `--check` only compares them."""

    help = "Write the tables of docs/events.md."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="fail if a table is not current")

    def handle(self, *args: Any, **options: Any) -> None:
        path = settings.BASE_DIR / "docs" / "events.md"
        text = path.read_text()
        current = replace_tables_in_document_text(text)
        if options["check"]:
            if current != text:
                raise CommandError("docs/events.md is not current: run manage.py document_events")
            return
        path.write_text(current)
        self.stdout.write(f"wrote {path}")
