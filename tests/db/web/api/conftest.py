"""Fixtures: one order reported by all sources, two alerts, and a user per role."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.builders import alerts, users
from tests.builders.cloudevents import cloudevent
from tests.builders.sla_rules import create_rule
from tests.builders.sources import (
    SYSTEM_ROLES,
    StoryEvent,
    cloudevent_message,
    create_sources,
    store_story,
)
from visibility.db.database_time import database_now
from visibility.ingest.insert_messages import store_messages
from visibility.models import Alert, Order, SlaRule, Source
from visibility.pipeline import job_functions
from visibility.web.permissions import UserRole

HOUR = timedelta(hours=1)
LINES = [
    {"line_id": "1", "sku": "A-1", "description": "Cable gland", "ordered": 5, "price": "12.30"},
    {"line_id": "2", "sku": "B-2", "description": "Contactor", "ordered": "3.5", "price": "40"},
]
ORDER = {"number": "SO-104711", "po": "PO 4711", "customer": "C1", "customer_name": "Quist"}
STORY: list[StoryEvent] = [
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
    """The data set of the API tests."""

    order: Order
    rule: SlaRule
    sources: dict[str, Source]
    alert: Alert
    silent: Alert


@pytest.fixture
def installation(db: None, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """The order SO-104711 with events from all sources and two alerts."""
    monkeypatch.setattr("visibility.web.api.alert_actions.broadcast_change_number", lambda *_: None)
    monkeypatch.setattr(
        "visibility.pipeline.job_functions.ask_worker_to_run_job_now", lambda *_: None
    )
    sources = create_sources(SYSTEM_ROLES)
    store_story(sources, STORY)
    job_functions.process_messages_and_refold()
    order = Order.objects.get()
    rule = create_rule(enabled=False)
    return Installation(
        order=order,
        rule=rule,
        sources=sources,
        alert=create_alert(order, rule, money="12000.5000", currency="USD"),
        silent=alerts.source_alert(sources["carrier"], severity="medium", team=""),
    )


def receive_event(
    source: Source, event_type: str, at: str, data: dict[str, Any], *, event_id: str
) -> None:
    """Store one CloudEvent as the intake does."""
    event = cloudevent(event_type, data, event_id=event_id, at=at, source=source.slug)
    store_messages([cloudevent_message(source, event)])


def create_alert(order: Order, rule: SlaRule, number: int = 1, **more: Any) -> Alert:
    """Create an open alert of the order; a higher number is due later."""
    due = database_now() - HOUR + timedelta(seconds=number)
    fields: dict[str, Any] = {
        "rule": rule,
        "subject_key": f"o{number}",
        "title": f"Released and not shipped {number}",
        "money": None,
        "currency": "",
        "started_at": due - HOUR,
        "due_at": due,
        "opened_at": due,
    }
    return alerts.alert(of=order, **fields | more)


@pytest.fixture
def person(db: None) -> Callable[[UserRole], User]:
    """A function that returns the user of a role."""
    return lambda role: users.user_of_role(role, f"{role.value}_person")


@pytest.fixture
def signed_in(person: Callable[[UserRole], User]) -> Callable[[UserRole], Client]:
    """A function that returns a client signed in as the user of a role."""
    return lambda role: users.signed_in(role, person(role).username)


@pytest.fixture
def operations(signed_in: Callable[[UserRole], Client]) -> Client:
    """A client signed in as the operations user."""
    return signed_in(UserRole.OPERATIONS)
