"""manage.py source: add one, try a payload, rotate a secret, list them."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from connectors.catalog import systems
from connectors.sdk.connector import Connector, Message
from connectors.sdk.events import as_dict
from connectors.sdk.payload import PayloadError
from connectors.sdk.validation import checked
from visibility.db.clock import database_now
from visibility.ingest.source_secrets import WeakSecret
from visibility.ingest.source_setup import BadSource, add, rotate
from visibility.models import Source


class Command(BaseCommand):
    """Sources from the command line."""

    help = "Add a source, try what a payload would become, rotate a secret, list the sources."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        new = acts.add_parser("add", help="connect a system")
        new.add_argument("slug")
        new.add_argument("--connector", required=True)
        new.add_argument("--secret", default="")
        new.add_argument("--title", default="")
        new.add_argument("--config", nargs="*", action="extend", default=[], metavar="KEY=VALUE")
        attempt = acts.add_parser("try", help="what would a payload become? stores nothing")
        attempt.add_argument("connector")
        attempt.add_argument("files", nargs="+", metavar="FILE")
        attempt.add_argument("--header", action="append", default=[], metavar="K=V")
        attempt.add_argument(
            "--config", nargs="*", action="extend", default=[], metavar="KEY=VALUE"
        )
        turn = acts.add_parser("rotate", help="a new secret; the old one counts for a day")
        turn.add_argument("slug")
        acts.add_parser("list", help="every source")

    def handle(self, *args: Any, **options: Any) -> None:
        act = {"add": self._add, "try": self._try, "rotate": self._rotate, "list": self._list}
        act[options["act"]](options)

    def _add(self, options: dict[str, Any]) -> None:
        config = _pairs(options["config"])
        now = database_now()
        try:
            made = add(
                options["slug"],
                connector=options["connector"],
                config=config,
                secret=options["secret"],
                title=options["title"],
                now=now,
            )
        except (BadSource, WeakSecret) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"hook    {made.hook}")
        self.stdout.write(f"secret  {made.secret}")
        self.stdout.write("        (shown this once)")
        connector = made.source.system()
        if made.source.next_poll_at:
            self.stdout.write(f"polls   {config['base_url']}")
        body = EXAMPLES.get(made.source.connector, b"{}")
        headers = connector.sign(body, made.secret.encode(), now)
        fields = " ".join(f"-H '{name}: {value}'" for name, value in headers.items())
        text = body.decode().replace("'", "'\\''")
        self.stdout.write("try     (signatures with a timestamp hold for five minutes)")
        self.stdout.write(f"        curl -i {fields} --data-binary '{text}' {made.hook}")

    def _try(self, options: dict[str, Any]) -> None:
        code = options["connector"]
        if code not in systems():
            raise CommandError(f"There is no connector {code!r}: {', '.join(sorted(systems()))}.")
        connector = systems()[code]({"source": code, **_pairs(options["config"])})
        for name in options["files"]:
            try:
                body = Path(name).read_bytes()
            except OSError as error:
                raise CommandError(f"{name}: {error.strerror}") from error
            said = {k.lower(): v for k, v in _pairs(options["header"]).items()}
            headers = {**connector.infer_headers(body), **said}
            self._say(_tried(connector, Message(body, headers, _now())))

    def _say(self, result: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(result, ensure_ascii=False))

    def _rotate(self, options: dict[str, Any]) -> None:
        source = Source.objects.filter(slug=options["slug"]).first()
        if source is None:
            raise CommandError(f"There is no source {options['slug']!r}.")
        self.stdout.write(f"secret  {rotate(source, now=database_now())}")

    def _list(self, options: dict[str, Any]) -> None:
        for source in Source.objects.order_by("slug"):
            state = "on" if source.enabled else "off"
            self.stdout.write(f"{source.slug}\t{source.connector}\t{source.role}\t{state}")


def _tried(connector: Connector, message: Message) -> dict[str, Any]:
    """What the pipeline would make of a message: its events, or why none."""
    try:
        parsed = connector.parse(message)
    except PayloadError as error:
        return {"parked": str(error)}
    if parsed.ignored:
        return {"ignored": parsed.ignored}
    problems, events = list(parsed.problems), []
    for event in parsed.events:
        try:
            events.append(as_dict(checked(event, message.received_at)))
        except PayloadError as error:
            problems.append(error)
    parked = {"parked": "; ".join(str(p) for p in problems)} if problems else {}
    return {**parked, **({"events": events} if events or not problems else {})}


EXAMPLES = {
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


def _pairs(texts: list[str]) -> dict[str, str]:
    for text in texts:
        if "=" not in text:
            raise CommandError(f"{text!r} is not of the form KEY=VALUE.")
    return dict(text.split("=", 1) for text in texts)


def _now() -> Any:
    """Trying a payload needs no database; the machine's clock does for a receive time."""
    from datetime import UTC, datetime

    return datetime.now(UTC)  # noqa: TID251  # nothing is stored
