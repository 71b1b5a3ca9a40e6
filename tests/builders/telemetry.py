"""Telemetry as CloudEvents, received through the pipeline."""

from datetime import datetime
from typing import Any

import orjson

from tests.builders.cloudevents import cloudevent
from visibility.db.database_time import database_now
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.models import Source
from visibility.pipeline import job_functions


def call(event_id: str, *orders: str, at: datetime | None = None, **data: Any) -> dict[str, Any]:
    """A call of the service `atp` for these orders, now."""
    values = {"service": "atp", "operation": "check", "latency_ms": 80, "result": "ok", **data}
    if orders:
        values["orders"] = list(orders)
    when = at or database_now()
    return cloudevent("call.observed", values, event_id=event_id, at=when, source="/gateway")


def run(event_id: str, *orders: str, at: datetime | None = None, **data: Any) -> dict[str, Any]:
    """A failed run of the flow "orders to WMS" for these orders, now."""
    values = {"flow": "orders to WMS", "run_id": "4711", "status": "failed", **data}
    if orders:
        values["orders"] = list(orders)
    when = at or database_now()
    return cloudevent("run.observed", values, event_id=event_id, at=when, source="/ipaas")


def queue(event_id: str, *, at: datetime | None = None, **data: Any) -> dict[str, Any]:
    """A reading of the queue `orders.in`, now."""
    values = {"queue": "orders.in", "depth": 3, **data}
    when = at or database_now()
    return cloudevent("queue.observed", values, event_id=event_id, at=when, source="/broker")


def receive(source: Source, *events: dict[str, Any]) -> None:
    """Store each event as a message of its own, and process them."""
    for event in events:
        body = orjson.dumps(event)
        key = f"{event['source']} {event['id']}"
        headers = {"content-type": "application/cloudevents+json"}
        store_messages([IncomingMessage(source.pk, key, headers, body)])
    job_functions.process_messages_and_refold()
