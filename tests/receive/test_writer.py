"""The writer keeps messages though its connection has died."""

import asyncio

import pytest
from django.db import connection

from tests.product import database_url
from visibility.db.clock import database_now
from visibility.ingest.inbox import Arrival, Writer
from visibility.ingest.source_setup import add
from visibility.models import InboundMessage

ENDED = "SELECT pg_terminate_backend(%s)"


@pytest.mark.django_db(transaction=True)
def test_a_batch_is_kept_on_a_new_connection_where_the_old_one_had_died() -> None:
    now = database_now()
    source = add("s", connector="cloudevents", config={}, secret="x" * 40, now=now).source

    async def keep_twice(writer: Writer) -> list[bool]:
        first = await writer.keep(Arrival(source.pk, "1", {}, b"{}"))
        pid = (await writer.connected()).info.backend_pid
        await asyncio.to_thread(end, pid)
        second = await writer.keep(Arrival(source.pk, "2", {}, b"{}"))
        await (await writer.connected()).close()
        return [first.new, second.new]

    def end(pid: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute(ENDED, [pid])
        connection.close()

    assert asyncio.run(keep_twice(Writer(database_url()))) == [True, True]
    assert InboundMessage.objects.count() == 2
