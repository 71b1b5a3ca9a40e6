"""`manage.py source`: add and list sources, rotate a secret, test a payload."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from connectors.catalog import connectors_by_slug
from connectors.sdk.connector import Connector, Message
from connectors.sdk.event_codec import event_to_dict
from connectors.sdk.event_validation import validate_and_flag_event
from connectors.sdk.payload import PayloadError
from visibility.db.clock import database_now
from visibility.ingest.source_secrets import WeakSecret
from visibility.ingest.source_setup import InvalidSource, add_source, rotate_secret
from visibility.models import Source


class Command(BaseCommand):
    """Manage sources from the command line. `try` works without a database."""

    help = "Add a source, test how a payload is parsed, rotate a secret, or list the sources."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        subcommands = parser.add_subparsers(dest="action", required=True)
        add_parser = subcommands.add_parser("add", help="add a source")
        add_parser.add_argument("slug")
        add_parser.add_argument("--connector", required=True)
        add_parser.add_argument("--secret", default="")
        add_parser.add_argument("--title", default="")
        add_parser.add_argument(
            "--config", nargs="*", action="extend", default=[], metavar="KEY=VALUE"
        )
        try_parser = subcommands.add_parser(
            "try", help="show the events of a payload without storing them"
        )
        try_parser.add_argument("connector")
        try_parser.add_argument("files", nargs="+", metavar="FILE")
        try_parser.add_argument("--header", action="append", default=[], metavar="K=V")
        try_parser.add_argument(
            "--config", nargs="*", action="extend", default=[], metavar="KEY=VALUE"
        )
        rotate_parser = subcommands.add_parser(
            "rotate", help="create a new secret; the old one stays valid for a day"
        )
        rotate_parser.add_argument("slug")
        rotate_parser.add_argument(
            "--secret", default="", help="the new secret of the system (default: a random one)"
        )
        subcommands.add_parser("list", help="list all sources")

    def handle(self, *args: Any, **options: Any) -> None:
        handlers = {
            "add": self._add_source,
            "try": self._print_parsed_payloads,
            "rotate": self._rotate_secret,
            "list": self._list_sources,
        }
        handlers[options["action"]](options)

    def _add_source(self, options: dict[str, Any]) -> None:
        config = _parse_key_value_pairs(options["config"])
        now = database_now()
        try:
            created = add_source(
                options["slug"],
                connector=options["connector"],
                config=config,
                secret=options["secret"],
                title=options["title"],
                now=now,
            )
        except (InvalidSource, WeakSecret) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"hook    {created.webhook_url}")
        self.stdout.write(f"secret  {created.secret}")
        self.stdout.write("        (shown only once)")
        connector = created.source.build_connector()
        if created.source.next_poll_at:
            self.stdout.write(f"polls   {config['base_url']}")
        body = EXAMPLE_PAYLOADS.get(created.source.connector, b"{}")
        headers = connector.signed_headers(body, created.secret.encode(), now)
        fields = " ".join(f"-H '{name}: {value}'" for name, value in headers.items())
        text = body.decode().replace("'", "'\\''")
        self.stdout.write("try     (signatures with a timestamp are valid for five minutes)")
        self.stdout.write(f"        curl -i {fields} --data-binary '{text}' {created.webhook_url}")

    def _print_parsed_payloads(self, options: dict[str, Any]) -> None:
        code = options["connector"]
        if code not in connectors_by_slug():
            raise CommandError(
                f"Unknown connector {code!r}. "
                f"Choose one of: {', '.join(sorted(connectors_by_slug()))}."
            )
        connector = connectors_by_slug()[code](
            {"source": code, **_parse_key_value_pairs(options["config"])}
        )
        for name in options["files"]:
            try:
                body = Path(name).read_bytes()
            except OSError as error:
                raise CommandError(f"{name}: {error.strerror}") from error
            given_headers = {
                k.lower(): v for k, v in _parse_key_value_pairs(options["header"]).items()
            }
            headers = {**connector.guess_headers(body), **given_headers}
            self._print_json(_parse_message(connector, Message(body, headers, _system_clock_now())))

    def _print_json(self, result: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(result, ensure_ascii=False))

    def _rotate_secret(self, options: dict[str, Any]) -> None:
        source = Source.objects.filter(slug=options["slug"]).first()
        if source is None:
            raise CommandError(f"Unknown source {options['slug']!r}.")
        try:
            secret = rotate_secret(source, secret=options["secret"], now=database_now())
        except WeakSecret as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"secret  {secret}")

    def _list_sources(self, options: dict[str, Any]) -> None:
        for source in Source.objects.order_by("slug"):
            state = "on" if source.enabled else "off"
            self.stdout.write(f"{source.slug}\t{source.connector}\t{source.role}\t{state}")


def _parse_message(connector: Connector, message: Message) -> dict[str, Any]:
    """Parse a message as the pipeline would: its events, or why it is ignored or parked."""
    try:
        parsed = connector.parse(message)
    except PayloadError as error:
        return {"parked": str(error)}
    if parsed.ignored:
        return {"ignored": parsed.ignored}
    problems, events = list(parsed.errors), []
    for event in parsed.events:
        try:
            events.append(event_to_dict(validate_and_flag_event(event, message.received_at)))
        except PayloadError as error:
            problems.append(error)
    parked = {"parked": "; ".join(str(p) for p in problems)} if problems else {}
    return {**parked, **({"events": events} if events or not problems else {})}


EXAMPLE_PAYLOADS = {
    "shopify": b'{"id": 1001, "name": "#1001", "created_at": "2026-01-05T10:00:00Z", '
    b'"updated_at": "2026-01-05T10:00:00Z", "currency": "USD", "line_items": '
    b'[{"id": 1, "sku": "DEMO-1", "quantity": 2, "price": "9.90"}]}',
    "cloudevents": b'{"specversion": "1.0", "id": "1", "source": "/example", '
    b'"type": "order.received", "time": "2026-01-05T10:00:00Z", '
    b'"data": {"order": {"number": "SO-1"}}}',
    "standard_webhooks": b'{"type": "order.received", "timestamp": "2026-01-05T10:00:00Z", '
    b'"data": {"order": {"number": "SO-1"}}}',
    "shiphero": b'{"webhook_type": "Order Allocated", "order_number": "SO-1", "order_id": 1, '
    b'"allocated_at": "2026-01-05T10:00:00", "line_items": []}',
    "easypost": b'{"object": "Event", "id": "evt_1", "mode": "production", "description": '
    b'"tracker.updated", "result": {"object": "Tracker", "id": "trk_1", "tracking_code": '
    b'"1Z999", "carrier": "UPS", "status": "in_transit", "tracking_details": [{"status": '
    b'"in_transit", "message": "On the way", "datetime": "2026-01-05T10:00:00Z"}]}}',
    "business_central": b'{"id": "b1", "number": "SO-1", "orderDate": "2026-01-05", '
    b'"status": "Open", "customerNumber": "C1", "lastModifiedDateTime": "2026-01-05T10:00:00Z", '
    b'"salesOrderLines": [{"sequence": 10000, "lineType": "Item", "lineObjectNumber": "DEMO-1", '
    b'"quantity": 5, "unitOfMeasureCode": "PCS", "unitPrice": 9.90}]}',
    "x12": b"ST*850*0001~BEG*00*SA*PO-1**20260105~PO1*1*5*EA*9.90**VN*DEMO-1~SE*4*0001~",
}


def _parse_key_value_pairs(texts: list[str]) -> dict[str, str]:
    for text in texts:
        if "=" not in text:
            raise CommandError(f"{text!r} does not have the form KEY=VALUE.")
    return dict(text.split("=", 1) for text in texts)


def _system_clock_now() -> Any:
    """The receive time by this machine's clock: `source try` must work without a database."""
    from datetime import UTC, datetime

    return datetime.now(UTC)  # noqa: TID251  # nothing is stored
