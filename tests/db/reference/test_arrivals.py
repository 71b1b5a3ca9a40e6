"""Neither the order of arrival nor the number of workers changes the canonical dump.

With `manage.py test --full`: 200 arrival orders through PostgreSQL.
"""

import hashlib
import random
import threading
import time
from collections.abc import Iterator
from functools import cache

import orjson
import pytest
from django.db import connection, connections, transaction

from connectors.sdk.event_codec import format_decimal
from connectors.sdk.events import Measure
from tests.builders.identity import clear_state
from tests.builders.sources import create_source
from tests.effort import FULL
from tests.reference import history, ownership
from tests.reference.kinds import events_of, spread
from tests.reference.plain_fold import ReferenceFold
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.management.demo_sources import SOURCES
from visibility.models import InboundMessage, MessageState, Source
from visibility.operations.canonical_dump import dump_lines
from visibility.pipeline import job_functions, process_message_batches, refold_orders
from visibility.simulator.document_numbers import sales_order_number

POSTED, ARRIVALS = (40, 200) if FULL else (14, 4)
WORKERS = (1, 2, 4, 8)
SET_MESSAGE_TIMES = """
UPDATE visibility_inbound_message m SET received_at = t.at
FROM unnest(%s::bigint[], %s::timestamptz[]) AS t (id, at) WHERE m.id = t.id
"""
SET_BODY_TIMES = """
UPDATE visibility_message_body b SET received_at = m.received_at
FROM visibility_inbound_message m WHERE m.id = b.message_id AND m.id = ANY(%s)
"""
SET_KEY_TIMES = """
UPDATE visibility_messagekey k SET received_at = m.received_at
FROM visibility_inbound_message m WHERE m.id = k.message_id AND m.id = ANY(%s)
"""


@pytest.fixture
def connected(transactional_db: None) -> dict[str, Source]:
    """The sources of the demo."""
    return {
        slug: create_source(
            slug, title=title, connector=connector, role=role, config={**config, "role": role}
        )
        for slug, (connector, title, role, config, _) in SOURCES.items()
    }


@cache
def arriving() -> tuple[history.ReceivedMessage, ...]:
    """Every message of the posted orders, without duplicates."""
    messages = ownership.without_duplicates(
        message for n in spread(POSTED) for message in history.messages(n)
    )
    return tuple(messages)


def post(connected: dict[str, Source], messages: list[history.ReceivedMessage]) -> None:
    """Store the messages as if received when the simulator first sent them."""
    arrivals = [
        IncomingMessage(connected[m.source].pk, f"{m.identity} {digest(m.body)}", m.headers, m.body)
        for m in messages
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        results = store_messages(arrivals)
        new = {k.message_id: m.at for k, m in zip(results, messages, strict=True) if k.is_new}
        cursor.execute(SET_MESSAGE_TIMES, [list(new), list(new.values())])
        cursor.execute(SET_BODY_TIMES, [list(new)])
        cursor.execute(SET_KEY_TIMES, [list(new)])


def digest(body: bytes) -> str:
    """A short hash that separates two bodies with the same message id."""
    return hashlib.sha256(body).hexdigest()[:12]


def work(done: threading.Event, failures: list[BaseException]) -> None:
    """One worker: process and refold until no more messages come."""
    try:
        while (
            busy := process_message_batches.claim_parse_and_correlate_messages()
            + refold_orders.refold_batch()
        ) or not done.is_set():
            if not busy:
                time.sleep(0.01)
    except BaseException as error:
        failures.append(error)
    finally:
        connections.close_all()


def settle() -> list[bytes]:
    """Process postponed messages, then export the derived state."""
    InboundMessage.objects.filter(state=MessageState.WAITING).update(next_attempt_at=None)
    job_functions.process_messages_and_refold()
    return list(dump_lines(as_of=history.NOW))


@cache
def expected_export() -> dict[str, list[bytes]]:
    """The export if every message comes once and in order; filled by the first test."""
    return {}


@pytest.fixture
def in_order(connected: dict[str, Source]) -> Iterator[list[bytes]]:
    """The expected export, with empty tables."""
    if not expected_export():
        messages = sorted(arriving(), key=lambda m: m.at)
        for start in range(0, len(messages), 100):
            post(connected, messages[start : start + 100])
            job_functions.process_messages_and_refold()
        expected_export()["facts"] = settle()
        clear_state()
    yield expected_export()["facts"]
    clear_state()


@pytest.mark.django_db(transaction=True)
def test_exported_statuses_and_quantities_equal_the_reference(
    in_order: list[bytes],
) -> None:
    orders = [line for line in map(orjson.loads, in_order) if line["kind"] == "order"]
    by_number = {number: line for line in orders for number in line["numbers"].values()}
    assert len(orders) == len(spread(POSTED))
    for n in spread(POSTED):
        key, events = events_of(n)
        reference, order = ReferenceFold(events, history.NOW), by_number[sales_order_number(n)]
        assert order["status"] == reference.status(history.NOW), key
        for line in order["lines"]:
            sku = line["key"]
            expected = {m: format_decimal(reference.counts(sku, m, history.NOW)) for m in Measure}
            assert {m: line["quantities"].get(m, "0") for m in Measure} == expected, (key, sku)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", range(ARRIVALS))
def test_any_arrival_order_with_any_number_of_workers_gives_the_same_export(
    connected: dict[str, Source],
    in_order: list[bytes],
    seed: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process_message_batches, "BATCH_SIZE", 50)
    chance, done, failures = random.Random(seed), threading.Event(), list[BaseException]()
    messages = [*arriving(), *chance.sample(arriving(), len(arriving()) // 3)]
    chance.shuffle(messages)
    workers = [
        threading.Thread(target=work, args=(done, failures))
        for _ in range(WORKERS[seed % len(WORKERS)])
    ]
    for worker in workers:
        worker.start()
    try:
        while messages:
            size = chance.randint(1, 200)
            post(connected, messages[:size])
            messages = messages[size:]
    finally:
        done.set()
        for worker in workers:
            worker.join()
    assert not failures
    assert settle() == in_order
