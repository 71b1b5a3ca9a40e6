"""No order of arrival, no repetition and no number of workers changes what the reference says.

With `WHOLE_REFERENCE=1`: every kind of order, and 200 arrivals through PostgreSQL.
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

from connectors.sdk.events import Measure, plain
from tests.correlate.test_any_order_in_postgres import forget
from tests.reference import past, whose
from tests.reference.compare import differences
from tests.reference.plain_fold import Story
from visibility.ingest.inbox import Arrival, keep
from visibility.management.commands.demo import SOURCES
from visibility.models import InboundMessage, MessageState, Source
from visibility.operations.canonical_dump import facts
from visibility.pipeline import batches, stages
from visibility.simulator.document_numbers import sales_order
from visibility.timeline import Spoken, fold

ORDERS, PERMUTATIONS = (60, 200) if past.WHOLE else (8, 200)
POSTED, ARRIVALS = (40, 200) if past.WHOLE else (14, 4)
WORKERS = (1, 2, 4, 8)
AS_IF_RECEIVED = """
UPDATE visibility_inbound_message m SET received_at = t.at
FROM unnest(%s::bigint[], %s::timestamptz[]) AS t (id, at) WHERE m.id = t.id
"""
KEYS_TOO = """
UPDATE visibility_messagekey k SET received_at = m.received_at
FROM visibility_inbound_message m WHERE m.id = k.message_id AND m.id = ANY(%s)
"""


@cache
def kinds() -> tuple[int, ...]:
    """The first order of each kind: by channel, warehouse, and what befell it."""
    found: dict[tuple[object, ...], int] = {}
    for n in past.indices():
        order = past.world().order(n)
        what = (order.channel, order.warehouse, len(order.shipments), order.blind_from)
        fate = (order.dropped, order.returned, order.cancelled_at, order.held_at, order.drift)
        found.setdefault((*what, *map(bool, fate)), n)
    return tuple(found.values())


def spread(count: int) -> list[int]:
    """So many of the kinds, evenly."""
    every = kinds()
    return [every[place * len(every) // count] for place in range(min(count, len(every)))]


@cache
def said_of(n: int) -> tuple[str, tuple[Spoken, ...]]:
    """One order, and what was said of it."""
    ((key, events),) = whose.orders(past.messages(n)).items()
    return key, tuple(events)


def shuffled(events: tuple[Spoken, ...], chance: random.Random) -> list[Spoken]:
    """In any order, some of it told several times."""
    again = chance.choices(events, k=chance.randint(0, len(events)))
    return chance.sample([*events, *again], len(events) + len(again))


@pytest.mark.parametrize("n", spread(ORDERS))
def test_two_hundred_permutations_with_repetitions_are_one_timeline(n: int) -> None:
    key, events = said_of(n)
    truth = fold(events, key=key, as_of=past.NOW)
    assert differences(events, key=key, as_of=past.NOW) == []
    chance = random.Random(n)
    for _ in range(PERMUTATIONS):
        assert fold(shuffled(events, chance), key=key, as_of=past.NOW) == truth


def test_the_reference_itself_does_not_depend_on_the_order() -> None:
    for n in spread(5):
        key, events = said_of(n)
        for seed in range(3):
            told = shuffled(events, random.Random(seed))
            assert differences(told, key=key, as_of=past.NOW) == []


@pytest.fixture
def connected(transactional_db: None) -> dict[str, Source]:
    """The demonstration's systems."""
    return {
        slug: Source.objects.create(
            slug=slug, title=title, connector=connector, role=role, config={**config, "role": role}
        )
        for slug, (connector, title, role, config, _) in SOURCES.items()
    }


@cache
def arriving() -> tuple[past.Told, ...]:
    """Every message of the orders that are posted, as it first came."""
    found = whose.once(message for n in spread(POSTED) for message in past.messages(n))
    return tuple(found)


def post(connected: dict[str, Source], messages: list[past.Told]) -> None:
    """Keep them, each as if received when the simulator sent it first."""
    arrivals = [
        Arrival(connected[m.source].pk, f"{m.identity} {digest(m.body)}", m.headers, m.body)
        for m in messages
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        kept = keep(arrivals)
        new = {k.message_id: m.at for k, m in zip(kept, messages, strict=True) if k.new}
        cursor.execute(AS_IF_RECEIVED, [list(new), list(new.values())])
        cursor.execute(KEYS_TOO, [list(new)])


def digest(body: bytes) -> str:
    """What tells two bodies of one delivery apart."""
    return hashlib.sha256(body).hexdigest()[:12]


def work(over: threading.Event, failures: list[BaseException]) -> None:
    """One worker: takes and folds until nothing more will come."""
    try:
        while (busy := stages.take() + stages.refold()) or not over.is_set():
            if not busy:
                time.sleep(0.01)
    except BaseException as error:
        failures.append(error)
    finally:
        connections.close_all()


def settle() -> list[bytes]:
    """Take what was given back, and export."""
    InboundMessage.objects.filter(state=MessageState.WAITING).update(next_attempt_at=None)
    stages.advance()
    return list(facts(as_of=past.NOW))


@cache
def truth() -> dict[str, list[bytes]]:
    """The facts when everything came once and in its order; filled by the first test."""
    return {}


@pytest.fixture
def in_order(connected: dict[str, Source]) -> Iterator[list[bytes]]:
    """Those facts, and tables without any message."""
    if not truth():
        messages = sorted(arriving(), key=lambda m: m.at)
        for start in range(0, len(messages), 100):
            post(connected, messages[start : start + 100])
            stages.advance()
        truth()["facts"] = settle()
        forget()
    yield truth()["facts"]
    forget()


@pytest.mark.django_db(transaction=True)
def test_what_is_exported_has_the_reference_s_statuses_and_quantities(
    in_order: list[bytes],
) -> None:
    found = [line for line in map(orjson.loads, in_order) if line["kind"] == "order"]
    told = {number: line for line in found for number in line["numbers"].values()}
    assert len(found) == len(spread(POSTED))
    for n in spread(POSTED):
        key, events = said_of(n)
        story, line = Story(events, past.NOW), told[sales_order(n)]
        assert line["status"] == story.status(past.NOW), key
        for one in line["lines"]:
            right = {m: plain(story.counts(one["key"], m, past.NOW)) for m in Measure}
            assert {m: one["quantities"].get(m, "0") for m in Measure} == right, (key, one["key"])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", range(ARRIVALS))
def test_any_arrival_with_any_number_of_workers_leaves_the_same_bytes(
    connected: dict[str, Source],
    in_order: list[bytes],
    seed: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batches, "BATCH", 50)
    chance, over, failures = random.Random(seed), threading.Event(), list[BaseException]()
    messages = [*arriving(), *chance.sample(arriving(), len(arriving()) // 3)]
    chance.shuffle(messages)
    workers = [
        threading.Thread(target=work, args=(over, failures))
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
        over.set()
        for worker in workers:
            worker.join()
    assert not failures
    assert settle() == in_order
