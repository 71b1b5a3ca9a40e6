"""One order told by all its systems, an alert or two, and people of every role."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from tests import rules
from visibility.db.clock import database_now
from visibility.ingest.inbox import Arrival, keep
from visibility.models import Alert, Order, SlaRule, Source, WorkCalendar
from visibility.pipeline import stages
from visibility.web.permissions import Role

HOUR = timedelta(hours=1)
ROLES = {"shop": "shop", "erp": "erp", "wms": "wms", "carrier": "carrier", "finance": "finance"}
LINES = [
    {"line_id": "1", "sku": "A-1", "description": "Cable gland", "ordered": 5, "price": "12.30"},
    {"line_id": "2", "sku": "B-2", "description": "Contactor", "ordered": "3.5", "price": "40"},
]
ORDER = {"number": "SO-104711", "po": "PO 4711", "customer": "C1", "customer_name": "Quist"}
STORY: list[tuple[str, str, str, dict[str, Any]]] = [
    (
        "erp",
        "order.received",
        "2026-03-02T15:00:00Z",
        {
            "order": ORDER,
            "lines": LINES,
            "attributes": {
                "total": "201.5",
                "currency": "USD",
                "warehouse": "Dallas",
                "channel": "b2b",
                "detail": "Ask for Nora",
                "promised_at": "2026-03-05",
            },
        },
    ),
    ("erp", "order.released", "2026-03-02T16:00:00Z", {"order": "SO-104711"}),
    (
        "wms",
        "shipment.confirmed",
        "2026-03-03T15:00:00Z",
        {
            "order": "SO-104711",
            "shipment": "9001",
            "tracking": "1ZA0000000000000A1",
            "part": "shipment 9001",
            "lines": [
                {"line_id": "1", "sku": "A-1", "shipped": 5},
                {"line_id": "2", "sku": "B-2", "shipped": "3.5"},
            ],
        },
    ),
    (
        "carrier",
        "shipment.in_transit",
        "2026-03-03T20:00:00Z",
        {"tracking": "1ZA0000000000000A1", "attributes": {"location": "Dallas"}},
    ),
    (
        "carrier",
        "shipment.delivered",
        "2026-03-04T18:00:00Z",
        {"tracking": "1ZA0000000000000A1"},
    ),
    (
        "finance",
        "invoice.issued",
        "2026-03-06T18:00:00Z",
        {
            "order": "SO-104711",
            "invoice": "INV-9001",
            "lines": [{"line_id": "1", "sku": "A-1", "invoiced": 5}],
        },
    ),
]


@dataclass(frozen=True)
class Installation:
    """What the tests speak of."""

    order: Order
    rule: SlaRule
    sources: dict[str, Source]
    alert: Alert
    silent: Alert


@pytest.fixture
def told(db: None, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """The order SO-104711 with everything that was said of it."""
    monkeypatch.setattr("visibility.web.api.alerts.announce", lambda *_: None)
    monkeypatch.setattr("visibility.pipeline.stages.nudge", lambda *_: None)
    sources = {
        slug: Source.objects.create(
            slug=slug,
            title=slug.title(),
            connector="cloudevents",
            role=role,
            config={"order_number": "sales_order@erp"},
        )
        for slug, role in ROLES.items()
    }
    for place, (slug, word, at, data) in enumerate(STORY):
        tell(sources[slug], word, at, data, event_id=str(place))
    stages.advance()
    order = Order.objects.get()
    rule = promise()
    return Installation(
        order=order,
        rule=rule,
        sources=sources,
        alert=breach(order, rule, money="12000.5000", currency="USD"),
        silent=silence(sources["carrier"]),
    )


def tell(source: Source, word: str, at: str, data: dict[str, Any], *, event_id: str) -> None:
    """Keep one CloudEvent as the intake does."""
    event = {"specversion": "1.0", "id": event_id, "source": source.slug, "type": word}
    body = orjson.dumps({**event, "time": at, "data": data})
    headers = {"content-type": "application/cloudevents+json"}
    keep([Arrival(source.pk, f"{source.slug} {event_id}", headers, body)])


def promise() -> SlaRule:
    """A rule of its own."""
    calendar = WorkCalendar.objects.create(code="always", title="Always")
    return rules.promise(calendar, enabled=False)


def breach(order: Order, rule: SlaRule, number: int = 1, **more: Any) -> Alert:
    """An open alert about the order; the higher the number, the later it was due."""
    due = database_now() - HOUR + timedelta(seconds=number)
    alert: Alert = Alert.objects.create(
        **{
            "rule": rule,
            "order_id": order.object_id,
            "obligation": f"o{number}",
            "severity": "high",
            "title": f"Released and not shipped {number}",
            "team": "Warehouse",
            "started_at": due - HOUR,
            "due_at": due,
            "opened_at": due,
            **more,
        }
    )
    return alert


def silence(source: Source) -> Alert:
    """An open alert about a silent source."""
    due = database_now() - 2 * HOUR
    return Alert.objects.create(
        source=source,
        obligation="silent",
        severity="medium",
        title=f"{source.title} has been silent",
        started_at=due - HOUR,
        due_at=due,
        opened_at=due,
    )


@pytest.fixture
def person(db: None) -> Callable[[Role], User]:
    """Somebody of a role."""

    def make(role: Role) -> User:
        user, new = User.objects.get_or_create(username=f"{role.value}_person")
        if new:
            user.groups.add(Group.objects.get_or_create(name=role.value)[0])
        return user

    return make


@pytest.fixture
def signed_in(person: Callable[[Role], User]) -> Callable[[Role], Client]:
    """A browser with somebody of that role signed in."""

    def make(role: Role) -> Client:
        client = Client()
        client.force_login(person(role))
        return client

    return make


@pytest.fixture
def operations(signed_in: Callable[[Role], Client]) -> Client:
    """Signed in as operations."""
    return signed_in(Role.OPERATIONS)
