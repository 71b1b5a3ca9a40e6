"""Sources that receive from the queue of a broker, and workers that consume it in a thread."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

from tests.builders.cloudevents import cloudevent
from visibility.db.database_time import database_now
from visibility.ingest.add_source_and_rotate_secret import add_source
from visibility.ingest.queue_connections import ClaimedQueue, claim_due_queues
from visibility.ingest.receive_from_queue import receive_from_queue
from visibility.models import QueueConnection, Source


def add_queue_source(slug: str, url: str, name: str, **settings: str) -> Source:
    """Create a source of CloudEvents that receives from a queue."""
    config = {"queue.url": url, "queue.name": name}
    config |= {f"queue.{key}": text for key, text in settings.items()}
    return add_source(slug, connector="cloudevents", config=config, now=database_now()).source


def order_event(number: str, **attributes: Any) -> dict[str, Any]:
    """An event about a new order."""
    data = {"order": {"number": number}}
    return cloudevent("order.received", data, event_id=number, at=database_now(), **attributes)


def claim(source: Source) -> ClaimedQueue:
    """Claim the queue of a source, which must be due."""
    (claimed,) = claim_due_queues(database_now(), limit=10)
    assert claimed.source_id == source.pk
    return claimed


@contextmanager
def consuming(source: Source, **options: Any) -> Iterator[threading.Event]:
    """Claim and consume the queue in a thread, until the block ends or the event is set."""
    claimed, stop = claim(source), threading.Event()

    def run() -> None:
        try:
            receive_from_queue(claimed, clock=database_now, should_stop=stop.is_set, **options)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()


@contextmanager
def worker(seconds_between_claims: float = 0.2) -> Iterator[None]:
    """Claim and consume due queues in threads, as the worker does."""
    stop, threads = threading.Event(), list[threading.Thread]()

    def run(claimed: ClaimedQueue) -> None:
        try:
            receive_from_queue(claimed, clock=database_now, should_stop=stop.is_set)
        finally:
            connection.close()

    def claim_until_stop() -> None:
        while not stop.wait(seconds_between_claims):
            for claimed in claim_due_queues(database_now(), limit=10):
                threads.append(threading.Thread(target=run, args=(claimed,)))
                threads[-1].start()
        connection.close()

    threads.append(threading.Thread(target=claim_until_stop))
    threads[0].start()
    try:
        yield
    finally:
        stop.set()
        for thread in list(threads):
            thread.join(20)


def wait_until(condition: Callable[[], object], seconds: float = 8) -> None:
    """Wait until the condition is true. Raises AssertionError."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "the condition did not become true"
        time.sleep(0.05)


def connection_of(source: Source) -> QueueConnection:
    """The stored state of the connection."""
    return QueueConnection.objects.get(pk=source.pk)
