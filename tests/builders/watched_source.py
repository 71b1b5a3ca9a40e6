"""Send events through every stage, and read the states of alerts."""

from datetime import datetime

import orjson

from visibility.alerts.sweep import sweep
from visibility.db.clock import database_now
from visibility.ingest.inbox import IncomingMessage, store_messages
from visibility.models import Alert, Source
from visibility.pipeline import stages


def send_and_process(
    source: Source, kind: str, at: datetime, order: str = "SO-1", **more: object
) -> None:
    store_message(source, kind, at, order, **more)
    stages.process_messages_and_refold()
    sweep(now=database_now())


def store_message(
    source: Source, kind: str, at: datetime, order: str = "SO-1", **more: object
) -> None:
    """Store a message without processing it."""
    body = {
        "specversion": "1.0",
        "id": f"{kind} {order} {at} {more}",
        "source": "/t",
        "type": kind,
        "time": at.isoformat(),
        "data": {"order": {"number": order}, **more},
    }
    headers = {"content-type": "application/cloudevents+json"}
    store_messages([IncomingMessage(source.pk, str(body["id"]), headers, orjson.dumps(body))])


def states() -> list[str]:
    """The states of all alerts, without those about failing rules."""
    alerts = Alert.objects.exclude(kind="rule_failed").order_by("pk")
    return list(alerts.values_list("state", flat=True))
