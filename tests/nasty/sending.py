"""Sends bad messages between good ones to a real product, and tells what became of each."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import orjson
from django.db import connection

from connectors.catalog import systems
from connectors.sdk.events import CanonicalEvent, Flag, from_dict
from connectors.sdk.payload import Reason
from tests.product import Product, empty_tables
from visibility.db.clock import database_now
from visibility.ingest.source_setup import add
from visibility.models import Event, InboundMessage, Order
from visibility.operations.invariants import one_fate

SECRET = "a-secret-of-at-least-24-bytes"
# Only a machine busy with other things needs more than a few.
PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class Source:
    """A source of the product under test."""

    slug: str
    connector: str
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """One message and what is owed to it: the answer, then the reason it parks with, or flags."""

    name: str
    body: bytes
    reason: Reason | None = None
    flags: frozenset[Flag] = frozenset()
    source: str = "json"
    status: int = 202
    headers: Mapping[str, str | None] = field(default_factory=dict)  # None: leave it out


@dataclass(frozen=True)
class Outcome:
    """What a message got and what became of it."""

    answer: httpx2.Response
    message: InboundMessage | None

    @property
    def events(self) -> list[CanonicalEvent]:
        """The events that the message became."""
        rows = Event.objects.filter(message_id=self.message.pk if self.message else 0)
        return [from_dict(row.data) for row in rows.order_by("key")]


class Bench:
    """The running product, and the number of good messages it was sent so far."""

    def __init__(self, product: Product, sources: Sequence[Source]) -> None:
        self.product = product
        self.connectors = {s.slug: systems()[s.connector]({"source": s.slug}) for s in sources}
        self.client = httpx2.Client(base_url=product.url, timeout=30)
        self.good = 0
        self.outcomes: dict[str, Outcome] = {}

    def post(self, case: Case) -> httpx2.Response:
        """Send one message, signed as its vendor signs."""
        signed = self.connectors[case.source].sign(case.body, SECRET.encode(), database_now())
        headers = {**signed, **case.headers}
        kept = {name: text for name, text in headers.items() if text is not None}
        return self.client.post(f"/hooks/{case.source}", content=case.body, headers=kept)

    def send_good(self) -> None:
        """One more order that nothing is wrong with."""
        self.good += 1
        body = order_of(f"GOOD-{self.good}")
        answer = self.post(Case("good", body, source="good"))
        assert answer.json()["status"] == "accepted", answer.text

    def send(self, cases: Sequence[Case]) -> None:
        """The cases with good messages among them, then wait until nothing waits."""
        for place, case in enumerate(cases):
            if place % 3 == 0:
                self.send_good()
            answer = self.post(case)
            message = None
            if answer.status_code == 202:
                message = InboundMessage.objects.get(pk=int(answer.json()["message_id"]))
            self.outcomes[case.name] = Outcome(answer, message)
        self.send_good()
        self.settle()

    def settle(self) -> None:
        """Wait until every message has its fate and every touched order was folded."""
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT (SELECT count(*) FROM visibility_inbound_message "
                    "WHERE state = 'waiting') + (SELECT count(*) FROM visibility_refold "
                    "WHERE touched_at <= clock_timestamp())"
                )
                if cursor.fetchone()[0] == 0:
                    return
            time.sleep(0.1)
        raise AssertionError(f"messages still wait:\n{self.product.log('worker')}")

    def judge(self, case: Case) -> Outcome:
        """Check what is owed to every case; its outcome, for what is owed to this one alone."""
        outcome = self.outcomes[case.name]
        assert outcome.answer.status_code == case.status, outcome.answer.text
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
        """Nobody else noticed: good orders are there, the worker lives, the balance is exact."""
        assert one_fate() == []
        numbers = {f"GOOD-{n}" for n in range(1, self.good + 1)}
        found = Order.objects.filter(number__startswith="GOOD-").values_list("number", flat=True)
        assert set(found) == numbers
        assert self.product.alive() == {"web", "worker"}
        for name in ("web", "worker"):
            assert "Traceback" not in self.product.log(name), self.product.log(name)


@contextmanager
def bench(folder: Path, *sources: Source) -> Iterator[Bench]:
    """A product with these sources and a good one; its rows are forgotten afterwards."""
    everyone = (Source("good", "cloudevents"), *sources)
    product = Product(folder)
    for source in everyone:
        add(
            source.slug,
            connector=source.connector,
            config=source.config,
            secret=SECRET,
            now=database_now(),
        )
    try:
        product.start("web", "worker")
        made = Bench(product, everyone)
        yield made
        made.client.close()
    finally:
        product.stop()
        empty_tables()


def order_of(number: object, *, kind: str = "order.received", **more: Any) -> bytes:
    """A CloudEvent of our own vocabulary about an order, valid unless `more` makes it otherwise."""
    data = {"order": {"number": number}, **more.pop("data", {})}
    event = {
        "specversion": "1.0",
        "id": f"{kind} {number}",
        "source": "/nasty",
        "type": kind,
        "time": "2026-03-02T10:00:00Z",
        "data": data,
        **more,
    }
    return orjson.dumps({name: value for name, value in event.items() if value is not None})
