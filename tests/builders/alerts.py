"""Builders of alerts and of the orders that they are about, for page tests."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.builders.sla_rules import create_rule
from visibility.db.database_time import database_now
from visibility.models import (
    Alert,
    AlertState,
    BusinessObject,
    ClockState,
    Order,
    Severity,
    SlaClock,
    Source,
)

HOUR = timedelta(hours=1)


def order(number: str, **fields: Any) -> Order:
    """Create an open order."""
    wanted: dict[str, Any] = {
        "object": BusinessObject.objects.create(kind="order"),
        "key": number,
        "number": number,
        "customer_name": "Acme Tools",
        "status": "released",
        "status_since": database_now() - 5 * HOUR,
        "ordered_at": database_now() - 9 * HOUR,
        "last_event_at": database_now() - HOUR,
        "answer": "Released to the warehouse.",
    } | fields
    return Order.objects.create(**wanted)


def alert(number: str = "SO-1", *, broken: bool = False, **fields: Any) -> Alert:
    """Create an alert of an order; `broken` adds its breached clock."""
    now = database_now()
    of = fields.pop("of", None) or order(number)
    wanted: dict[str, Any] = {
        "rule": create_rule(),
        "order": of.object,
        "severity": Severity.HIGH,
        "title": "Released 4 h ago and no ship confirmation",
        "team": "Warehouse",
        "money": Decimal("1200.5"),
        "currency": "USD",
        "started_at": now - 6 * HOUR,
        "due_at": now - 2 * HOUR,
        "opened_at": now - 2 * HOUR,
    } | fields
    created = Alert.objects.create(**wanted)
    if broken:
        SlaClock.objects.create(
            rule_id=created.rule_id or 0,
            order=of.object,
            subject_key=created.subject_key,
            started_at=created.started_at,
            due_at=created.due_at,
            state=ClockState.BREACHED,
        )
    return created


def source_alert(of: Source, **fields: Any) -> Alert:
    """Create an alert of a silent source."""
    now = database_now()
    wanted: dict[str, Any] = {
        "source": of,
        "kind": "source_silent",
        "severity": Severity.HIGH,
        "title": f"No data from {of.title}",
        "team": "Integration",
        "started_at": now - 3 * HOUR,
        "due_at": now - 2 * HOUR,
        "opened_at": now - 2 * HOUR,
        "state": AlertState.OPEN,
    } | fields
    return Alert.objects.create(**wanted)


def statements(client: Client, address: str) -> int:
    """The number of SQL statements of a page whose caches are filled."""
    assert client.get(address).status_code == 200
    with CaptureQueriesContext(connection) as counted:
        assert client.get(address).status_code == 200
    return len(counted)
