"""`manage.py replace_secret_key`: renew all that older keys of SECRET_KEY_FALLBACKS made."""

from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from visibility.db.database_time import database_now
from visibility.formatting import format_number
from visibility.operations.key_replacement.replace import (
    Dependence,
    KeyStatus,
    load_key_status,
    renew_everything,
)


class Command(BaseCommand):
    """Print counts, and what still depends on an older key; fail if that is stored."""

    help = (
        "Encrypt and seal everything stored with SECRET_KEY instead of the keys in "
        "SECRET_KEY_FALLBACKS. With the embedded database, the product must be stopped; the "
        "command then makes the new key itself. See docs/run.md."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--check",
            action="store_true",
            help="change nothing; say what still depends on an older key",
        )
        parser.add_argument(
            "--remove-old-keys",
            action="store_true",
            help="with the embedded database: delete the older keys, if nothing stored needs them",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["remove_old_keys"]:
            raise CommandError(
                "The keys are not in a data folder. Remove SECRET_KEY_FALLBACKS from the settings "
                "of each process."
            )
        if not options["check"]:
            self._renew()
        self._report(load_key_status(database_now()))

    def _renew(self) -> None:
        for title, count in renew_everything(database_now()).items():
            self.stdout.write(f"{format_number(count):>8}  {title}")
        self.stdout.write("renewed; the audit log has an entry")

    def _report(self, status: KeyStatus) -> None:
        self.stdout.write(f"{status.fallback_keys} older keys are set")
        self._list("made with an older key", status.stored)
        if status.tokens:
            self.stdout.write(
                f"{format_number(status.tokens):>8}  API tokens of an earlier release, which are "
                "renewed when they are used next"
            )
        self._list("given out before, and end with the older keys", status.addresses)
        self._list("readable with no key: enter them again", status.unreadable)
        if status.stored:
            raise CommandError(
                "Values still depend on an older key. Run the command without --check."
            )
        if status.fallback_keys:
            self.stdout.write("Nothing stored needs the older keys. You can remove them.")

    def _list(self, what: str, dependences: Sequence[Dependence]) -> None:
        for item in dependences:
            self.stdout.write(f"{format_number(item.count):>8}  {item.title}: {what}")
