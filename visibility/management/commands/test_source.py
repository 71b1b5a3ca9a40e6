"""`manage.py test_source SLUG`: test the connection of a source that is polled."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from visibility.db.database_time import database_now
from visibility.ingest.fetch_first_page import fetch_first_page
from visibility.models import Source
from visibility.storage.published_manifests import refresh_published_manifests


class Command(BaseCommand):
    """Read the next page, or the first files of an SFTP folder, and store nothing."""

    help = "Test the connection of a source: what would be read next. Nothing is stored."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")

    def handle(self, *args: Any, **options: Any) -> None:
        refresh_published_manifests()
        source = Source.objects.filter(slug=options["slug"]).first()
        if source is None:
            raise CommandError(f"there is no source {options['slug']!r}")
        if not source.is_polled:
            raise CommandError("the source is not polled, and reads no SFTP folder")
        trial = fetch_first_page(source, now=database_now())
        if trial.host_key:
            self.stderr.write(
                f"{trial.error}:\nmanage.py source set {source.slug} sftp_host_key={trial.host_key}"
            )
            raise CommandError("the host key is not confirmed")
        if trial.error:
            raise CommandError(trial.error)
        self.stdout.write(f"{trial.records} read, nothing stored")
        for reading in trial.readings:
            self.stdout.write(json.dumps(reading, default=str))
