"""manage.py export: the event log as a file for other tools."""

import os
from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from visibility.db.clock import database_now
from visibility.export.formats import Format, export
from visibility.export.redaction import EVERYTHING
from visibility.export.snapshot import Busy, Selection
from visibility.screens.orders import search
from visibility.screens.orders.order_list import Filters
from visibility.timeline.model import Status

FORMATS = {
    ("ocel", "json"): Format.OCEL_JSON,
    ("ocel", "sqlite"): Format.OCEL_SQLITE,
    ("epcis", "json"): Format.EPCIS,
}


class Command(BaseCommand):
    """OCEL 2.0 (JSON, SQLite) or EPCIS 2.0 of all orders, or of those that match."""

    help = "Write the event log of orders to a file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("standard", choices=("ocel", "epcis"))
        parser.add_argument("file", metavar="FILE")
        parser.add_argument("--format", choices=("json", "sqlite"), default="json")
        parser.add_argument("--order", action="append", default=[], metavar="NUMBER")
        parser.add_argument("--status", action="append", default=[], choices=list(Status))
        for name in ("channel", "warehouse", "customer"):
            parser.add_argument(f"--{name}", default="")
        parser.add_argument("--since", default="", metavar="T", help="latest event then or later")
        parser.add_argument("--until", default="", metavar="T", help="latest event before")

    def handle(self, *args: Any, **options: Any) -> None:
        format = FORMATS.get((options["standard"], options["format"]))
        if format is None:
            raise CommandError("EPCIS is JSON.")
        target = Path(options["file"])
        # Beside the target, so that an export that fails leaves the last one as it was.
        part = target.with_name(f".{target.name}.part")
        part.unlink(missing_ok=True)
        try:
            count = export(
                _selection(options),
                format=format,
                path=part,
                sight=EVERYTHING,
                now=database_now(),
                most=None,
            )
            os.replace(part, target)
        except (OSError, Busy) as error:
            raise CommandError(f"{target}: {error}") from error
        finally:
            part.unlink(missing_ok=True)
        self.stdout.write(f"{count} orders in {target}")


def _selection(options: dict[str, Any]) -> Selection:
    filters = Filters(
        statuses=tuple(options["status"]),
        channel=options["channel"],
        warehouse=options["warehouse"],
        customer=options["customer"],
    )
    ids = [hit.order_id for number in options["order"] for hit in _found(number)]
    return Selection(
        filters=filters,
        order_ids=tuple(ids) if options["order"] else None,
        since=_moment("since", options["since"]),
        until=_moment("until", options["until"]),
    )


def _found(number: str) -> list[search.Hit]:
    hits = search.exact(number)
    if not hits:
        raise CommandError(f"No order goes by {number!r}.")
    return hits


def _moment(name: str, text: str) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"--{name}: {error}") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)
