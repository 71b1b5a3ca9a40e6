"""`manage.py connector_docs`: write the pages of all shipped connectors and the README table."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from connectors.catalog import shipped_connectors
from visibility.management.connector_documentation import (
    generate_document_texts_by_path,
    pages_of_removed_connectors,
)


class Command(BaseCommand):
    """Write docs/systems/*.md and the table of connectors from their declarations."""

    help = "Write docs/systems/*.md and the table of connectors in README.md."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="fail if a document is outdated")

    def handle(self, *args: Any, **options: Any) -> None:
        root = settings.BASE_DIR
        outdated = pages_of_removed_connectors(root, shipped_connectors())
        for path, text in generate_document_texts_by_path(root, shipped_connectors()).items():
            if path.is_file() and path.read_text() == text:
                continue
            if options["check"]:
                outdated.append(path)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            self.stdout.write(f"wrote {path.relative_to(root)}")
        if options["check"] and outdated:
            names = ", ".join(str(path.relative_to(root)) for path in outdated)
            raise CommandError(f"Outdated: {names}. Run `manage.py connector_docs`.")
        for path in outdated:
            path.unlink()
            self.stdout.write(f"removed {path.relative_to(root)}")
