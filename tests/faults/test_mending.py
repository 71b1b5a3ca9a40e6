"""What keeps one trouble from becoming everybody's: each told by one small case."""

import asyncio
import socket
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta

import psycopg
import pytest
from celery import current_app
from django.contrib.auth.models import User
from django.db import OperationalError, connection
from pytest_django.fixtures import Settings

from tests.faults.test_sabotage import arrival
from visibility.db.clock import database_now
from visibility.ingest import inbox
from visibility.models import (
    Alert,
    InboundMessage,
    Notification,
    Order,
    Refold,
    Source,
    Subscription,
)
from visibility.notify import outbox
from visibility.notify.channel import Note
from visibility.pipeline import batches, refold, stages, tasks
from visibility.pipeline.shutdown import stopping
from visibility.web.intake.sources import conninfo

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def source() -> Source:
    """One system."""
    return Source.objects.create(
        slug="erp", title="ERP", connector="standard_webhooks", role="erp", expect_every=None
    )


@pytest.fixture
def notifications(source: Source) -> list[Notification]:
    """Two that are due, to two people."""
    now = database_now()
    person = User.objects.create(username="olga")
    to = [
        Subscription.objects.create(user=person, address=f"{name}@example.test")
        for name in ("olga", "team")
    ]
    alert = Alert.objects.create(
        source=source, obligation="x", severity="high", title="x",
        started_at=now, due_at=now, opened_at=now,
    )  # fmt: skip
    return [
        Notification.objects.create(alert=alert, episode=n, transition="opened", subscription=who)
        for n, who in enumerate(to, 1)
    ]


class Broken:
    """A channel that raises what nobody expects, of the first episode alone."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def send(self, note: Note, address: str) -> None:
        if not self.sent:
            self.sent.append("")
            raise KeyError("surprise")
        self.sent.append(note.id)


def test_one_order_that_cannot_be_folded_does_not_stop_the_others(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox.keep([arrival(source, order=f"SO-{n}") for n in range(20)])
    stages.take_all()
    with connection.cursor() as cursor:
        cursor.execute("SELECT object_id FROM visibility_identifier WHERE value = 'SO-7'")
        (poison,) = cursor.fetchone()
    fold = stages.fold_orders

    def fold_orders(order_ids: Sequence[int]) -> None:
        if poison in order_ids:
            raise ZeroDivisionError
        fold(order_ids)

    monkeypatch.setattr(refold, "fold_orders", fold_orders)
    for _ in range(12):
        stages.refold()
    assert Order.objects.count() == 19
    assert [row.object_id for row in Refold.objects.all()] == [poison]


def test_trouble_of_the_database_costs_a_message_no_attempt(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox.keep([arrival(source)])

    def locked(_: object) -> int:
        raise OperationalError from psycopg.errors.LockNotAvailable()

    monkeypatch.setattr(batches, "_apply", locked)
    assert stages.take() == 0
    assert InboundMessage.objects.get().attempts == 0


def test_who_was_asked_to_stop_takes_no_new_batch(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox.keep([arrival(source)])
    tasks.stop_taking()
    try:
        assert stages.advance() == 0
    finally:
        stopping.clear()
    assert InboundMessage.objects.get().state == "waiting"


def test_a_broker_that_hangs_is_asked_once_and_then_left_alone(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def hang(name: str, **_: object) -> None:
        asked.append(name)
        time.sleep(0.2)
        raise TimeoutError

    monkeypatch.setattr(current_app, "send_task", hang)
    monkeypatch.setitem(stages._bell, "quiet_until", 0.0)
    for _ in range(50):
        stages.nudge("fold")
    assert asked == ["visibility.fold"]


def test_a_session_that_holds_locks_and_is_never_read_from_is_ended(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker frozen while the database answers it: no timeout of the database's ends that."""
    inbox.keep([arrival(source)])
    monkeypatch.setattr(stages, "STUCK_SECONDS", 0)
    with closing(psycopg.connect(conninfo())) as frozen:
        frozen.execute("SELECT 1 FROM visibility_inbound_message FOR UPDATE")
        frozen.execute("SELECT pg_current_xact_id()")
        frozen.pgconn.send_query(b"SELECT repeat('x', 100000) FROM generate_series(1, 1000)")
        until = time.monotonic() + 10
        while not (ended := stages.release_stuck()) and time.monotonic() < until:
            time.sleep(0.05)
        assert ended == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM visibility_inbound_message FOR UPDATE")


def test_who_was_frozen_does_not_send_what_another_has_claimed(
    notifications: list[Notification], mailoutbox: list[object]
) -> None:
    now = database_now() + timedelta(seconds=1)
    claimed = outbox._claim(now, 50)
    assert outbox.deliver(now=now + timedelta(minutes=5)) == len(notifications)
    assert [outbox._send(letter, now) for letter in claimed] == [0, 0]
    assert len(mailoutbox) == len(notifications)


def test_a_channel_that_raises_stops_no_other_notification(
    notifications: list[Notification], monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = Broken()
    monkeypatch.setattr(outbox, "channels", lambda: {"email": channel})
    now: datetime = database_now() + timedelta(seconds=1)
    assert outbox.deliver(now=now) == 1
    states = Notification.objects.values_list("state", "error")
    assert sorted(states) == [("pending", "KeyError: 'surprise'"), ("sent", "")]


def test_the_intake_answers_in_time_when_the_database_swallows_everything(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each request waits for its own time, not for all that were before it."""
    monkeypatch.setattr(inbox.Writer, "TIMEOUT", 0.5)
    message = arrival(source)

    async def refused(writer: inbox.Writer) -> float:
        began = time.monotonic()
        with pytest.raises(inbox.Unavailable):
            await writer.keep(message)
        return time.monotonic() - began

    async def all_of_them(port: int) -> list[float]:
        writer = inbox.Writer(f"host=127.0.0.1 port={port} user=nobody sslmode=disable")
        monkeypatch.setattr(inbox.Writer, "BATCH", 1)
        return await asyncio.gather(*(refused(writer) for _ in range(20)))

    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(50)
        assert max(asyncio.run(all_of_them(deaf.getsockname()[1]))) < 1.5
