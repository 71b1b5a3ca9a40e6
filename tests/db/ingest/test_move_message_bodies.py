"""Bodies that an older version stored with their messages move while everything goes on."""

from importlib import import_module

import pytest
from django.db import connection

from tests.builders.message_months import begin_move, run_move, unmoved_message
from tests.builders.sources import create_source
from visibility.ingest import move_message_bodies
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.models import (
    InboundMessage,
    KpiRecordChange,
    MessageBody,
    MessageBodyMove,
    Source,
)
from visibility.pipeline import job_functions

pytestmark = pytest.mark.django_db
MIGRATION = import_module("visibility.migrations.0021_message_bodies")


@pytest.fixture
def source() -> Source:
    return create_source("erp", role="erp")


def unmoved() -> int:
    return InboundMessage.objects.filter(unmoved_body__isnull=False).count()


def begin_move_as_the_migration() -> None:
    with connection.cursor() as cursor:
        cursor.execute(MIGRATION.BEGIN_MOVE)


def test_migration_begins_with_the_messages_that_are_stored(source: Source) -> None:
    begin_move_as_the_migration()
    assert not MessageBodyMove.objects.exists()
    ids = [unmoved_message(source) for _ in range(3)]
    begin_move_as_the_migration()
    assert MessageBodyMove.objects.values_list("next_id", "last_id").get() == (ids[0], ids[-1])


def test_bodies_move_in_batches_that_can_be_killed(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(move_message_bodies, "BATCH_SIZE", 2)
    ids = [unmoved_message(source, body=f"{n}".encode()) for n in range(5)]
    begin_move(ids[0], ids[-1])
    turns = iter([False, True])
    assert move_message_bodies.move_message_bodies(should_stop=lambda: next(turns)) == 2
    assert (MessageBody.objects.count(), unmoved()) == (2, 3)
    assert [InboundMessage.objects.get(pk=pk).body for pk in ids] == [b"0", b"1", b"2", b"3", b"4"]
    assert run_move() == 3
    assert [InboundMessage.objects.get(pk=pk).body for pk in ids] == [b"0", b"1", b"2", b"3", b"4"]
    assert (MessageBody.objects.count(), unmoved()) == (5, 0)
    assert not MessageBodyMove.objects.exists()
    assert not KpiRecordChange.objects.exists(), "a move measures no message"


def test_message_that_waits_is_processed_from_where_its_body_is(source: Source) -> None:
    """It keeps its body until it is settled; the position waits for it."""
    body = b'{"type": "order.received", "data": {"order": {"number": "SO-1"}}}'
    waiting = unmoved_message(source, state="waiting", body=body)
    begin_move(waiting, waiting)
    assert (run_move(), unmoved()) == (0, 1)
    job_functions.process_messages_and_refold()
    assert InboundMessage.objects.get().state != "waiting"
    assert (run_move(), unmoved()) == (1, 0)
    assert InboundMessage.objects.get().body == body


def test_messages_that_the_older_version_stores_meanwhile_move_too(source: Source) -> None:
    first = unmoved_message(source)
    begin_move(first, first)
    store_messages([IncomingMessage(source.pk, "new", {}, b"new")])
    unmoved_message(source)
    assert (run_move(), unmoved()) == (2, 0)


def test_move_goes_on_for_an_hour_after_the_upgrade(source: Source) -> None:
    unmoved_message(source)
    begin_move_as_the_migration()
    run_move()
    assert MessageBodyMove.objects.exists()
    unmoved_message(source)
    assert (run_move(), unmoved()) == (0, 1)
    MessageBodyMove.objects.update(started_at="2026-01-01T00:00:00Z")
    assert (run_move(), unmoved()) == (1, 0)
