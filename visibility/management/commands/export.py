"""`manage.py export`: write the event log of orders to a file for other tools."""

import os
from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from visibility.db.database_time import database_now
from visibility.export.export_orders_in_format import Format, export_orders
from visibility.export.redaction import NO_REDACTION
from visibility.export.snapshot_to_temp_tables import OrderSelection, TooManyExports
from visibility.models import Source
from visibility.screens.orders import number_and_customer_search
from visibility.screens.orders.order_filters import order_filters
from visibility.timeline.model import Status

FORMATS = {
    ("ocel", "json"): Format.OCEL_JSON,
    ("ocel", "sqlite"): Format.OCEL_SQLITE,
    ("epcis", "json"): Format.EPCIS,
}


class Command(BaseCommand):
    """Export OCEL 2.0 (JSON, SQLite) or EPCIS 2.0 (JSON) of all or selected orders."""

    help = "Write the event log of orders to a file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("standard", choices=("ocel", "epcis"))
        parser.add_argument("file", metavar="FILE")
        parser.add_argument("--format", choices=("json", "sqlite"), default="json")
        parser.add_argument("--order", action="append", default=[], metavar="NUMBER")
        parser.add_argument("--status", action="append", default=[], choices=list(Status))
        for name in ("channel", "warehouse", "customer"):
            parser.add_argument(f"--{name}", default="")
        parser.add_argument(
            "--source", default="", metavar="SLUG", help="orders on which this source reported"
        )
        parser.add_argument(
            "--since", default="", metavar="T", help="orders whose latest event is at or after T"
        )
        parser.add_argument(
            "--until", default="", metavar="T", help="orders whose latest event is before T"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        format = FORMATS.get((options["standard"], options["format"]))
        if format is None:
            raise CommandError("EPCIS is exported as JSON only.")
        target = Path(options["file"])
        # Write to a temporary file first, so that a failed export leaves the previous file intact.
        temporary = target.with_name(f".{target.name}.part")
        temporary.unlink(missing_ok=True)
        try:
            count = export_orders(
                _parse_order_selection(options),
                format=format,
                path=temporary,
                redaction=NO_REDACTION,
                now=database_now(),
                max_orders=None,
            )
            os.replace(temporary, target)
        except (OSError, TooManyExports) as error:
            raise CommandError(f"{target}: {error}") from error
        finally:
            temporary.unlink(missing_ok=True)
        self.stdout.write(f"{count} orders in {target}")


def _parse_order_selection(options: dict[str, Any]) -> OrderSelection:
    filters = order_filters(
        **{name: options[name] for name in ("status", "channel", "warehouse", "customer", "source")}
    )
    if options["source"] and not Source.objects.filter(slug=options["source"]).exists():
        raise CommandError(f"--source: there is no source {options['source']!r}")
    ids = [hit.order_id for number in options["order"] for hit in _find_orders_by_number(number)]
    return OrderSelection(
        filters=filters,
        order_ids=tuple(ids) if options["order"] else None,
        since=_parse_optional_timestamp("since", options["since"]),
        until=_parse_optional_timestamp("until", options["until"]),
    )


def _find_orders_by_number(number: str) -> list[number_and_customer_search.SearchHit]:
    hits = number_and_customer_search.find_orders_by_exact_number(number)
    if not hits:
        raise CommandError(f"No order found for {number!r}.")
    return hits


def _parse_optional_timestamp(name: str, text: str) -> datetime | None:
    if not text:
        return None
    try:
        timestamp = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"--{name}: {error}") from error
    return timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)
