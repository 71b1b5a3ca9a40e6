"""Isolation of failures: one failing order, message, broker or channel stops no other work."""

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

from connectors.sdk.settings import ParsedSettings
from tests.builders.sources import create_source
from tests.db.faults.sabotage_checks import new_message
from visibility.db.database_time import database_now
from visibility.ingest import insert_messages
from visibility.models import (
    Alert,
    InboundMessage,
    Notification,
    Order,
    RefoldRequest,
    Source,
    Subscription,
)
from visibility.notify import outbox
from visibility.notify.channel import OutgoingMessage
from visibility.notify.channels.email import Email
from visibility.pipeline import (
    job_functions,
    process_message_batches,
    refold_orders,
    tasks_and_fallback_loop,
)
from visibility.pipeline.shutdown_flag import stopping
from visibility.web.intake.source_cache import conninfo

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def source() -> Source:
    """A source without a reporting interval."""
    return create_source("erp", connector="standard_webhooks", role="erp", expect_every=None)


@pytest.fixture
def notifications(source: Source) -> list[Notification]:
    """Two notifications that are due, to two addresses."""
    now = database_now()
    person = User.objects.create(username="olga")
    subscriptions = [
        Subscription.objects.create(user=person, address=f"{name}@example.test")
        for name in ("olga", "team")
    ]
    alert = Alert.objects.create(
        source=source, subject_key="x", severity="high", title="x",
        started_at=now, due_at=now, opened_at=now,
    )  # fmt: skip
    return [
        Notification.objects.create(
            alert=alert, episode=n, transition="opened", subscription=subscription
        )
        for n, subscription in enumerate(subscriptions, 1)
    ]


class FailingChannel(Email):
    """A channel that raises an unexpected exception for the first message."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def missing_server_sentence(self) -> str:
        return ""

    def send(self, note: OutgoingMessage, settings: ParsedSettings) -> str:
        if not self.sent:
            self.sent.append("")
            raise KeyError("surprise")
        self.sent.append(note.id)
        return "accepted"


def test_order_that_cannot_be_folded_does_not_stop_others(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert_messages.store_messages([new_message(source, order=f"SO-{n}") for n in range(20)])
    job_functions.parse_and_correlate_waiting_messages()
    with connection.cursor() as cursor:
        cursor.execute("SELECT object_id FROM visibility_identifier WHERE value = 'SO-7'")
        (poison,) = cursor.fetchone()
    fold = refold_orders.refold_orders_clocks_alerts_and_kpi_facts

    def fold_orders(order_ids: Sequence[int]) -> None:
        if poison in order_ids:
            raise ZeroDivisionError
        fold(order_ids)

    monkeypatch.setattr(refold_orders, "refold_orders_clocks_alerts_and_kpi_facts", fold_orders)
    for _ in range(12):
        refold_orders.refold_batch()
    assert Order.objects.count() == 19
    assert [row.object_id for row in RefoldRequest.objects.all()] == [poison]


def test_database_error_does_not_count_as_an_attempt(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert_messages.store_messages([new_message(source)])

    def locked(_: object, **__: object) -> int:
        raise OperationalError from psycopg.errors.LockNotAvailable()

    monkeypatch.setattr(process_message_batches, "_parse_correlate_and_settle_messages", locked)
    assert process_message_batches.claim_parse_and_correlate_messages() == 0
    assert InboundMessage.objects.get().attempts == 0


def test_stopping_worker_claims_no_new_batch(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert_messages.store_messages([new_message(source)])
    tasks_and_fallback_loop.begin_shutdown()
    try:
        assert job_functions.process_messages_and_refold() == 0
    finally:
        stopping.clear()
    assert InboundMessage.objects.get().state == "waiting"


def test_hanging_broker_is_tried_once_and_then_skipped(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []

    def hang(name: str, **_: object) -> None:
        sent.append(name)
        time.sleep(0.2)
        raise TimeoutError

    monkeypatch.setattr(current_app, "send_task", hang)
    monkeypatch.setitem(job_functions._nudges, "resume_at", 0.0)
    for _ in range(50):
        job_functions.ask_worker_to_run_job_now("refold")
    assert sent == ["visibility.refold"]


def test_stuck_session_with_locks_is_terminated(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No database timeout ends a session that is blocked sending to a suspended worker."""
    insert_messages.store_messages([new_message(source)])
    monkeypatch.setattr(job_functions, "STUCK_SECONDS", 0)
    with closing(psycopg.connect(conninfo())) as frozen:
        frozen.execute("SELECT 1 FROM visibility_inbound_message FOR UPDATE")
        frozen.execute("SELECT pg_current_xact_id()")
        frozen.pgconn.send_query(b"SELECT repeat('x', 100000) FROM generate_series(1, 1000)")
        deadline = time.monotonic() + 10
        while (
            not (ended := job_functions.terminate_sessions_stuck_in_client_write())
            and time.monotonic() < deadline
        ):
            time.sleep(0.05)
        assert ended == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM visibility_inbound_message FOR UPDATE")


def test_suspended_worker_does_not_send_what_another_has_reclaimed(
    notifications: list[Notification], mailoutbox: list[object]
) -> None:
    now = database_now() + timedelta(seconds=1)
    claimed = outbox._claim_due_notifications(now, 50)
    assert outbox.send_due_notifications(now=now + timedelta(minutes=5)) == len(notifications)
    assert [outbox._send_batch(letter, now) for letter in claimed] == [0, 0]
    assert len(mailoutbox) == len(notifications)


def test_failing_channel_does_not_stop_other_notifications(
    notifications: list[Notification], monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = FailingChannel()
    monkeypatch.setattr(outbox, "channel_registry", lambda: {"email": channel})
    now: datetime = database_now() + timedelta(seconds=1)
    assert outbox.send_due_notifications(now=now) == 1
    states = Notification.objects.values_list("state", "error")
    assert sorted(states) == [("pending", "KeyError: 'surprise'"), ("sent", "")]


def test_intake_responds_in_time_when_the_database_does_not_respond(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each request has its own timeout, independent of the requests before it."""
    monkeypatch.setattr(insert_messages.InboxWriter, "TIMEOUT", 0.5)
    message = new_message(source)

    async def rejected(writer: insert_messages.InboxWriter) -> float:
        started = time.monotonic()
        with pytest.raises(insert_messages.InboxUnavailable):
            await writer.store(message)
        return time.monotonic() - started

    async def all_of_them(port: int) -> list[float]:
        writer = insert_messages.InboxWriter(
            f"host=127.0.0.1 port={port} user=nobody sslmode=disable"
        )
        monkeypatch.setattr(insert_messages.InboxWriter, "BATCH", 1)
        return await asyncio.gather(*(rejected(writer) for _ in range(20)))

    with socket.socket() as unresponsive:
        unresponsive.bind(("127.0.0.1", 0))
        unresponsive.listen(50)
        assert max(asyncio.run(all_of_them(unresponsive.getsockname()[1]))) < 1.5
