"""`manage.py publish_schemas`: write the published JSON Schemas, if the change breaks no sender."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from connectors.sdk.published_schemas import (
    IncompatibleSchema,
    changes_since_publication,
    publish,
)


class Command(BaseCommand):
    """Write the file of the current version; `--check` only compares it with the code."""

    help = "Publish the JSON Schemas of events and objects."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="fail if the code has unpublished changes"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["check"]:
            if changes := changes_since_publication():
                texts = "; ".join(str(change) for change in changes[:20])
                raise CommandError(f"Run `manage.py publish_schemas`: {texts}")
            return
        try:
            changed = publish()
        except IncompatibleSchema as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"published: {'; '.join(changed) or 'nothing new'}")
