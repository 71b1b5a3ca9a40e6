"""Workers that read one backlog keep out of each other's way."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import orjson
import pytest
from django.db import connections

from visibility.db.clock import database_now
from visibility.ingest import inbox
from visibility.models import InboundMessage, Source
from visibility.pipeline import batches, stages

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def at_work(found: list[float]) -> Iterator[None]:
    """Another worker that has found its place."""
    begun, over = threading.Event(), threading.Event()

    def work() -> None:
        with batches.place() as begin:
            found.append(begin)
            begun.set()
            over.wait(10)
        connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(10)
    yield
    over.set()
    thread.join(10)


def test_places_are_far_apart() -> None:
    found = [batches.share(n) for n in range(8)]
    assert found == [0, 1 / 2, 1 / 4, 3 / 4, 1 / 8, 5 / 8, 3 / 8, 7 / 8]


def test_who_comes_second_begins_in_the_middle_and_the_first_place_is_given_back() -> None:
    found: list[float] = []
    with at_work(found), at_work(found), batches.place() as third:
        assert (found, third) == ([0.0, 0.5], 0.25)
    with batches.place() as alone:
        assert alone == 0


def test_where_all_places_are_taken_one_begins_at_the_oldest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batches, "PLACES", 1)
    with at_work([]), batches.place() as second:
        assert second == 0


def test_a_batch_from_the_middle_and_the_rest_from_the_front(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = Source.objects.create(slug="erp", title="ERP", connector="standard_webhooks")
    bodies = [
        {
            "type": "order.released",
            "timestamp": "2026-03-02T10:00:00Z",
            "data": {"order": f"SO-{n}"},
        }
        for n in range(10)
    ]
    inbox.keep(
        [inbox.Arrival(source.pk, f"m{n}", {}, orjson.dumps(b)) for n, b in enumerate(bodies)]
    )
    monkeypatch.setattr(batches, "BATCH", 3)

    def waiting() -> list[str]:
        left = InboundMessage.objects.filter(state="waiting").order_by("id")
        return [key.removeprefix("m") for key in left.values_list("dedupe_key", flat=True)]

    assert stages.take(begin=0.5) == 3
    assert waiting() == ["0", "1", "2", "3", "7", "8", "9"]
    # Another worker has claimed what is left behind the middle.
    later = InboundMessage.objects.filter(dedupe_key__in=["m7", "m8", "m9"])
    later.update(next_attempt_at=database_now() + timedelta(minutes=1))
    inbox.keep([inbox.Arrival(source.pk, "m10", {}, orjson.dumps(bodies[0]))])
    assert stages.take(begin=0.999) == 3
    assert waiting() == ["2", "3", "7", "8", "9"]
    assert stages.take(begin=0.5) == 2
    assert stages.take(begin=0.5) == 0
