"""Workers that process one backlog start at different offsets."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import orjson
import pytest
from django.db import connections

from tests.builders.sources import create_source
from visibility.db.database_time import database_now
from visibility.ingest import insert_messages
from visibility.models import InboundMessage
from visibility.pipeline import backlog_start_for_each_worker, process_message_batches

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def running_worker(offsets: list[float]) -> Iterator[None]:
    """Another worker that has locked its offset."""
    started, ended = threading.Event(), threading.Event()

    def work() -> None:
        with backlog_start_for_each_worker.reserve_backlog_offset_fraction() as offset:
            offsets.append(offset)
            started.set()
            ended.wait(10)
        connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    assert started.wait(10)
    yield
    ended.set()
    thread.join(10)


def test_offsets_are_spread_evenly() -> None:
    offsets = [backlog_start_for_each_worker.van_der_corput(n) for n in range(8)]
    assert offsets == [0, 1 / 2, 1 / 4, 3 / 4, 1 / 8, 5 / 8, 3 / 8, 7 / 8]


def test_second_worker_starts_mid_backlog_and_releases_its_offset() -> None:
    offsets: list[float] = []
    with (
        running_worker(offsets),
        running_worker(offsets),
        backlog_start_for_each_worker.reserve_backlog_offset_fraction() as third,
    ):
        assert (offsets, third) == ([0.0, 0.5], 0.25)
    with backlog_start_for_each_worker.reserve_backlog_offset_fraction() as only:
        assert only == 0


def test_worker_without_an_offset_starts_at_the_oldest_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backlog_start_for_each_worker, "MAX_WORKERS", 1)
    with (
        running_worker([]),
        backlog_start_for_each_worker.reserve_backlog_offset_fraction() as second,
    ):
        assert second == 0


def test_batch_from_the_middle_is_filled_up_from_the_oldest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = create_source("erp", connector="standard_webhooks", role="erp")
    bodies = [
        {
            "type": "order.released",
            "timestamp": "2026-03-02T10:00:00Z",
            "data": {"order": f"SO-{n}"},
        }
        for n in range(10)
    ]
    insert_messages.store_messages(
        [
            insert_messages.IncomingMessage(source.pk, f"m{n}", {}, orjson.dumps(b))
            for n, b in enumerate(bodies)
        ]
    )
    monkeypatch.setattr(process_message_batches, "BATCH_SIZE", 3)

    def waiting() -> list[str]:
        left = InboundMessage.objects.filter(state="waiting").order_by("id")
        return [key.removeprefix("m") for key in left.values_list("dedupe_key", flat=True)]

    assert process_message_batches.claim_parse_and_correlate_messages(offset=0.5) == 3
    assert waiting() == ["0", "1", "2", "3", "7", "8", "9"]
    # Another worker has claimed what is left behind the middle.
    later = InboundMessage.objects.filter(dedupe_key__in=["m7", "m8", "m9"])
    later.update(next_attempt_at=database_now() + timedelta(minutes=1))
    insert_messages.store_messages(
        [insert_messages.IncomingMessage(source.pk, "m10", {}, orjson.dumps(bodies[0]))]
    )
    assert process_message_batches.claim_parse_and_correlate_messages(offset=0.999) == 3
    assert waiting() == ["2", "3", "7", "8", "9"]
    assert process_message_batches.claim_parse_and_correlate_messages(offset=0.5) == 2
    assert process_message_batches.claim_parse_and_correlate_messages(offset=0.5) == 0
