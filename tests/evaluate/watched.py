"""What a source says, taken through every stage, and how the alerts stand then."""

from datetime import datetime

import orjson

from visibility.alerts.sweep import sweep
from visibility.db.clock import database_now
from visibility.ingest.inbox import Arrival, keep
from visibility.models import Alert, Source
from visibility.pipeline import stages


def tell(source: Source, kind: str, at: datetime, order: str = "SO-1", **more: object) -> None:
    say(source, kind, at, order, **more)
    stages.advance()
    sweep(now=database_now())


def say(source: Source, kind: str, at: datetime, order: str = "SO-1", **more: object) -> None:
    """It waits to be read."""
    body = {
        "specversion": "1.0",
        "id": f"{kind} {order} {at} {more}",
        "source": "/t",
        "type": kind,
        "time": at.isoformat(),
        "data": {"order": {"number": order}, **more},
    }
    headers = {"content-type": "application/cloudevents+json"}
    keep([Arrival(source.pk, str(body["id"]), headers, orjson.dumps(body))])


def states() -> list[str]:
    return list(Alert.objects.order_by("pk").values_list("state", flat=True))
