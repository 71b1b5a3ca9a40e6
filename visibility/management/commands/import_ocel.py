"""`manage.py import_ocel`: store an OCEL 2.0 event log as messages of a source."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from visibility.ingest.ocel_import import InvalidOcelLog, store_log_as_messages
from visibility.models import Source
from visibility.pipeline import job_functions


class Command(BaseCommand):
    """Import OCEL 2.0 as JSON or SQLite. Importing the same log twice changes nothing."""

    help = "Store an OCEL 2.0 log as messages of a source and process them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE")
        parser.add_argument("--source", required=True, metavar="SLUG")

    def handle(self, *args: Any, **options: Any) -> None:
        source = Source.objects.filter(slug=options["source"]).first()
        if source is None or source.connector != "ocel":
            raise CommandError(f"{options['source']!r} is not a source with the connector ocel.")
        try:
            with transaction.atomic():
                results = store_log_as_messages(Path(options["file"]), source)
        except InvalidOcelLog as error:
            raise CommandError(str(error)) from error
        job_functions.process_messages_and_refold()
        new = sum(result.is_new for result in results)
        self.stdout.write(f"{new} new messages, {len(results) - new} already stored")
