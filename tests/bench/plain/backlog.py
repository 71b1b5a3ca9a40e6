"""Create a backlog of stored events and queued tasks: `fill <prefix> <orders> <at>`."""

import sys
from datetime import datetime

import django

from tests.bench import workload
from tests.bench.plain.celery import app


def main(prefix: str, orders: int, at: datetime) -> None:
    """Store the events, then queue one task per event in the same order."""
    app.set_default()
    django.setup()
    from tests.bench.plain.models import Event
    from tests.bench.plain.tasks import process

    events = Event.objects.bulk_create(
        Event(
            source=message.source,
            external_id=message.key,
            type=message.document["type"],
            occurred_at=message.document["timestamp"],
            payload=message.document,
        )
        for message in workload.messages(prefix, 0, orders, at)
    )
    for event in events:
        process.delay(event.pk)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), datetime.fromisoformat(sys.argv[3]))
