"""manage.py import_ocel: an event log of another tool, kept as messages of a source."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from visibility.ingest.ocel_import import BadLog, take
from visibility.models import Source
from visibility.pipeline import stages


class Command(BaseCommand):
    """OCEL 2.0, JSON or SQLite. The same log again changes nothing."""

    help = "Keep an OCEL 2.0 log as messages of a source and read them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE")
        parser.add_argument("--source", required=True, metavar="SLUG")

    def handle(self, *args: Any, **options: Any) -> None:
        source = Source.objects.filter(slug=options["source"]).first()
        if source is None or source.connector != "ocel":
            raise CommandError(f"{options['source']!r} is no source of the connector ocel.")
        try:
            with transaction.atomic():
                kept = take(Path(options["file"]), source)
        except BadLog as error:
            raise CommandError(str(error)) from error
        stages.advance()
        new = sum(one.new for one in kept)
        self.stdout.write(f"{new} messages new, {len(kept) - new} known already")
