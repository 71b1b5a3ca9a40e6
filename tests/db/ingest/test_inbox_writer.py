"""The inbox writer reconnects after a lost database connection."""

import asyncio
from datetime import timedelta

import psycopg
import pytest
from django.db import connection
from django.test import Client

from tests.product import database_url
from visibility.db.database_time import database_now
from visibility.ingest.add_source_and_rotate_secret import add_source
from visibility.ingest.insert_messages import (
    InboxUnavailable,
    InboxWriter,
    IncomingMessage,
    StoreResult,
)
from visibility.models import InboundMessage, MessageKey

ENDED = "SELECT pg_terminate_backend(%s)"


@pytest.mark.django_db(transaction=True)
def test_batch_is_stored_after_the_connection_is_lost() -> None:
    now = database_now()
    source = add_source("s", connector="cloudevents", config={}, secret="x" * 40, now=now).source

    async def store_twice(writer: InboxWriter) -> list[bool]:
        first = await writer.store(IncomingMessage(source.pk, "1", {}, b"{}"))
        pid = (await writer.reuse_or_open_connection()).info.backend_pid
        await asyncio.to_thread(end, pid)
        second = await writer.store(IncomingMessage(source.pk, "2", {}, b"{}"))
        await (await writer.reuse_or_open_connection()).close()
        return [first.is_new, second.is_new]

    def end(pid: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute(ENDED, [pid])
        connection.close()

    assert asyncio.run(store_twice(InboxWriter(database_url()))) == [True, True]
    assert InboundMessage.objects.count() == 2


class UnconfirmedWriter(InboxWriter):
    """The connection is lost before or after each first attempt commits."""

    def __init__(self, *, commits: bool) -> None:
        super().__init__(database_url())
        self._commits = commits

    async def _insert(
        self, messages: list[IncomingMessage], *, first_attempt: float | None = None
    ) -> list[StoreResult]:
        if first_attempt is not None or self._commits:
            results = await super()._insert(messages, first_attempt=first_attempt)
        if first_attempt is None:
            await (await self.reuse_or_open_connection()).close()
            raise psycopg.OperationalError("the connection was lost")
        return results


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("commits", [True, False])
def test_retry_of_a_batch_is_not_counted_as_a_duplicate(commits: bool) -> None:
    now = database_now()
    source = add_source("s", connector="cloudevents", config={}, secret="x" * 40, now=now).source

    async def store(writer: InboxWriter) -> None:
        await writer.store(IncomingMessage(source.pk, "1", {}, b"{}"))
        await (await writer.reuse_or_open_connection()).close()

    asyncio.run(store(UnconfirmedWriter(commits=commits)))
    assert MessageKey.objects.get().duplicate_count == 0
    # A message that was received earlier is a duplicate, also in a retry.
    MessageKey.objects.update(received_at=now - timedelta(minutes=1))
    asyncio.run(store(UnconfirmedWriter(commits=False)))
    assert MessageKey.objects.get().duplicate_count == 1
    assert InboundMessage.objects.count() == 1


class WriterWithoutSpace(InboxWriter):
    """PostgreSQL reports a full disk until `has_space`."""

    has_space = False

    async def _insert(
        self, messages: list[IncomingMessage], *, first_attempt: float | None = None
    ) -> list[StoreResult]:
        if not self.has_space:
            raise psycopg.errors.DiskFull("could not extend file: No space left on device")
        return [StoreResult(number, is_new=True) for number, _ in enumerate(messages)]


@pytest.mark.django_db
def test_write_that_finds_no_space_makes_the_process_unready_until_one_succeeds() -> None:
    writer = WriterWithoutSpace(database_url())
    message = IncomingMessage(1, "1", {}, b"{}")
    with pytest.raises(InboxUnavailable):
        asyncio.run(writer.store(message))
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["problem"]) == (503, "the database has no space")
    writer.has_space = True
    asyncio.run(writer.store(message))
    assert Client().get("/readyz").status_code == 200
