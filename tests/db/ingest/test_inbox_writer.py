"""The inbox writer reconnects after a lost database connection."""

import asyncio

import pytest
from django.db import connection

from tests.product import database_url
from visibility.db.clock import database_now
from visibility.ingest.add_source_and_rotate_secret import add_source
from visibility.ingest.inbox import InboxWriter, IncomingMessage
from visibility.models import InboundMessage

ENDED = "SELECT pg_terminate_backend(%s)"


@pytest.mark.django_db(transaction=True)
def test_batch_is_stored_after_the_connection_is_lost() -> None:
    now = database_now()
    source = add_source("s", connector="cloudevents", config={}, secret="x" * 40, now=now).source

    async def store_twice(writer: InboxWriter) -> list[bool]:
        first = await writer.store(IncomingMessage(source.pk, "1", {}, b"{}"))
        pid = (await writer.open_connection()).info.backend_pid
        await asyncio.to_thread(end, pid)
        second = await writer.store(IncomingMessage(source.pk, "2", {}, b"{}"))
        await (await writer.open_connection()).close()
        return [first.is_new, second.is_new]

    def end(pid: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute(ENDED, [pid])
        connection.close()

    assert asyncio.run(store_twice(InboxWriter(database_url()))) == [True, True]
    assert InboundMessage.objects.count() == 2
