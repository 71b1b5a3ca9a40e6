"""`manage.py dump_state`: print the derived state in a canonical form."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from visibility.db.database_time import database_now
from visibility.models import Source
from visibility.operations.canonical_dump import DumpFilters, dump_lines


class Command(BaseCommand):
    """Print one JSON object per line. The output does not depend on the order of messages.

    With a filter, only orders are printed: KPI values are sums over all of them.
    """

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
        parser.add_argument(
            "--source", default="", metavar="SLUG", help="orders on which this source reported"
        )
        parser.add_argument("--channel", default="", help="orders of this sales channel")
        parser.add_argument(
            "--since", default="", metavar="T", help="orders whose latest event is at or after T"
        )
        parser.add_argument(
            "--until", default="", metavar="T", help="orders whose latest event is before T"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        now = database_now()
        known_at = _parse_optional_timestamp("--known-at", options["known_at"])
        as_of = _parse_optional_timestamp("--as-of", options["as_of"]) or known_at or now
        filters = DumpFilters(
            order_key=options["order"],
            source=options["source"],
            channel=options["channel"],
            since=_parse_optional_timestamp("--since", options["since"]),
            until=_parse_optional_timestamp("--until", options["until"]),
        )
        if filters.source and not Source.objects.filter(slug=filters.source).exists():
            raise CommandError(f"--source: there is no source {filters.source!r}")
        for line in dump_lines(as_of=as_of, known_at=known_at, filters=filters):
            self.stdout.write(line.decode())


def _parse_optional_timestamp(name: str, text: str) -> datetime | None:
    return _parse_timestamp_default_utc(name, text) if text else None


def _parse_timestamp_default_utc(name: str, text: str) -> datetime:
    """Parse an RFC 3339 timestamp; without an offset it is UTC."""
    try:
        timestamp = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"{name}: {error}") from error
    return timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)
