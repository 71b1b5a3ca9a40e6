"""`manage.py dump_state`: print the derived state in a canonical form."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from visibility.db.database_time import database_now
from visibility.operations.canonical_dump import dump_lines


class Command(BaseCommand):
    """Print one JSON object per line. The output does not depend on the order of messages."""

    help = "Print all orders and KPI values as of a point in time, in a canonical form."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--as-of", default="", metavar="T", help="RFC 3339; default: now")
        parser.add_argument(
            "--known-at",
            default="",
            metavar="T",
            help="RFC 3339; use only messages received by then",
        )
        parser.add_argument("--order", default="", metavar="KEY", help="only this order")

    def handle(self, *args: Any, **options: Any) -> None:
        now = database_now()
        known_at = (
            _parse_timestamp_default_utc("--known-at", options["known_at"])
            if options["known_at"]
            else None
        )
        as_of = (
            _parse_timestamp_default_utc("--as-of", options["as_of"])
            if options["as_of"]
            else known_at or now
        )
        for line in dump_lines(as_of=as_of, known_at=known_at, order_key=options["order"]):
            self.stdout.write(line.decode())


def _parse_timestamp_default_utc(name: str, text: str) -> datetime:
    """Parse an RFC 3339 timestamp; without an offset it is UTC."""
    try:
        timestamp = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"{name}: {error}") from error
    return timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)
