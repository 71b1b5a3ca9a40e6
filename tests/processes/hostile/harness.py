"""Send invalid messages mixed with valid ones to a running product and check each result."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import orjson
from django.db import connection

from connectors.catalog import connectors_by_slug
from connectors.sdk.event_codec import event_from_dict
from connectors.sdk.events import CanonicalEvent, Flag
from connectors.sdk.payload import ParkReason
from tests.builders.cloudevents import cloudevent
from tests.empty_tables import empty_tables
from tests.product import Product
from visibility.db.database_time import database_now
from visibility.ingest.add_source_and_rotate_secret import add_source
from visibility.models import Event, InboundMessage, Order
from visibility.operations.invariants import check_messages_have_outcome_and_key

SECRET = "a-secret-of-at-least-24-bytes"
# A few seconds are enough, except on a busy machine.
TIMEOUT_SECONDS = 120


@dataclass(frozen=True)
class HostileSource:
    """A source of the product under test."""

    slug: str
    connector: str
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class HostileCase:
    """One message and its expected result: response status, then reason for parking, or flags."""

    name: str
    body: bytes
    reason: ParkReason | None = None
    flags: frozenset[Flag] = frozenset()
    source: str = "json"
    status: int = 202
    headers: Mapping[str, str | None] = field(default_factory=dict)  # None: omit the header


@dataclass(frozen=True)
class CaseOutcome:
    """The response to a message and the stored message."""

    response: httpx2.Response
    message: InboundMessage | None

    @property
    def events(self) -> list[CanonicalEvent]:
        """The events created from the message."""
        rows = Event.objects.filter(message_id=self.message.pk if self.message else 0)
        return [event_from_dict(row.data) for row in rows.order_by("key")]


class HostileRun:
    """The running product, and the number of valid messages sent to it so far."""

    def __init__(self, product: Product, sources: Sequence[HostileSource]) -> None:
        self.product = product
        self.connectors = {
            s.slug: connectors_by_slug()[s.connector]({"source": s.slug}) for s in sources
        }
        self.client = httpx2.Client(base_url=product.url, timeout=30)
        self.valid_count = 0
        self.outcomes: dict[str, CaseOutcome] = {}

    def post(self, case: HostileCase) -> httpx2.Response:
        """Send one message with its vendor's signature."""
        signed = self.connectors[case.source].build_signed_headers(
            case.body, SECRET.encode(), database_now()
        )
        headers = {**signed, **case.headers}
        present = {name: text for name, text in headers.items() if text is not None}
        return self.client.post(f"/hooks/{case.source}", content=case.body, headers=present)

    def send_valid(self) -> None:
        """Send one more valid order."""
        self.valid_count += 1
        body = order_of(f"GOOD-{self.valid_count}")
        response = self.post(HostileCase("good", body, source="good"))
        assert response.json()["status"] == "accepted", response.text

    def send(self, cases: Sequence[HostileCase]) -> None:
        """Send the cases mixed with valid messages, then wait until all are processed."""
        for index, case in enumerate(cases):
            if index % 3 == 0:
                self.send_valid()
            response = self.post(case)
            message = None
            if response.status_code == 202:
                message = InboundMessage.objects.get(pk=int(response.json()["message_id"]))
            self.outcomes[case.name] = CaseOutcome(response, message)
        self.send_valid()
        self.wait_until_processed()

    def wait_until_processed(self) -> None:
        """Wait until every message was processed and every affected order was folded."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT (SELECT count(*) FROM visibility_inbound_message "
                    "WHERE state = 'waiting') + (SELECT count(*) FROM visibility_refoldrequest "
                    "WHERE due_at <= clock_timestamp())"
                )
                if cursor.fetchone()[0] == 0:
                    return
            time.sleep(0.1)
        raise AssertionError(f"messages are still waiting:\n{self.product.log('worker')}")

    def check(self, case: HostileCase) -> CaseOutcome:
        """Check the result of a case and return it for further assertions."""
        outcome = self.outcomes[case.name]
        assert outcome.response.status_code == case.status, outcome.response.text
        if outcome.message is None:
            return outcome
        message = outcome.message
        message.refresh_from_db()
        assert bytes(message.body) == case.body
        assert message.attempts == 1
        if case.reason is not None:
            assert (message.state, message.reason) == ("parked", case.reason.value), message.detail
            assert message.detail
            return outcome
        assert (message.state, message.detail) == ("applied", "")
        for event in outcome.events:
            assert case.flags <= set(event.flags), event.flags
        return outcome

    def check_others(self) -> None:
        """Check that valid orders exist, processes run, message counts add up, nothing crashed."""
        assert check_messages_have_outcome_and_key() == []
        numbers = {f"GOOD-{n}" for n in range(1, self.valid_count + 1)}
        orders = Order.objects.filter(number__startswith="GOOD-").values_list("number", flat=True)
        assert set(orders) == numbers
        assert self.product.running_names() == {"web", "worker"}
        for name in ("web", "worker"):
            assert "Traceback" not in self.product.log(name), self.product.log(name)


@contextmanager
def hostile_run(folder: Path, *sources: HostileSource) -> Iterator[HostileRun]:
    """Run the product with these sources and one for valid messages; empty the tables after it."""
    all_sources = (HostileSource("good", "cloudevents"), *sources)
    product = Product(folder)
    for source in all_sources:
        add_source(
            source.slug,
            connector=source.connector,
            config=source.config,
            secret=SECRET,
            now=database_now(),
        )
    try:
        product.start("web", "worker")
        running = HostileRun(product, all_sources)
        yield running
        running.client.close()
    finally:
        product.stop()
        empty_tables()


def order_of(number: object, *, kind: str = "order.received", **more: Any) -> bytes:
    """A CloudEvent with a canonical event type about an order; `more` can make it invalid."""
    data = {"order": {"number": number}, **more.pop("data", {})}
    attributes = {"time": "2026-03-02T10:00:00Z", **more}
    event = cloudevent(kind, data, event_id=f"{kind} {number}", source="/hostile", **attributes)
    return orjson.dumps({name: value for name, value in event.items() if value is not None})
