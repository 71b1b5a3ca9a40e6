"""Rows and queued tasks of the plain way, for a backlog: `fill <prefix> <orders> <at>`."""

import sys
from datetime import datetime

import django

from tests.bench import course
from tests.bench.plain.celery import app


def main(prefix: str, orders: int, at: datetime) -> None:
    """Store the events, then queue a task for each, in order."""
    app.set_default()
    django.setup()
    from tests.bench.plain.models import Event
    from tests.bench.plain.tasks import process

    events = Event.objects.bulk_create(
        Event(
            source=told.source,
            external_id=told.key,
            type=told.document["type"],
            occurred_at=told.document["timestamp"],
            payload=told.document,
        )
        for told in course.messages(prefix, 0, orders, at)
    )
    for event in events:
        process.delay(event.pk)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), datetime.fromisoformat(sys.argv[3]))
