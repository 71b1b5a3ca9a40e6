"""manage.py facts: the canonical export."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from visibility.db.clock import database_now
from visibility.operations.canonical_dump import facts


class Command(BaseCommand):
    """One JSON object a line, the same bytes for the same messages in whatever order."""

    help = "Export every order and number as of an instant."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--as-of", default="", metavar="T", help="RFC 3339; default: now")
        parser.add_argument(
            "--known-at", default="", metavar="T", help="RFC 3339; from what was received by then"
        )
        parser.add_argument("--order", default="", metavar="KEY", help="only this order")

    def handle(self, *args: Any, **options: Any) -> None:
        now = database_now()
        known_at = _moment("--known-at", options["known_at"]) if options["known_at"] else None
        as_of = _moment("--as-of", options["as_of"]) if options["as_of"] else known_at or now
        for line in facts(as_of=as_of, known_at=known_at, order_key=options["order"]):
            self.stdout.write(line.decode())


def _moment(name: str, text: str) -> datetime:
    """An instant; one without an offset is UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"{name}: {error}") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)
