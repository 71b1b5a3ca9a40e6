"""Through PostgreSQL: arrival, repetition, batches and workers leave the same facts, every byte."""

import random
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import OperationalError, connection, connections

from tests.cast import SHOP_ORDER, SOURCES, Said, story
from tests.rules import promise
from visibility.identity import assign, decisions
from visibility.ingest.inbox import Arrival, keep
from visibility.kpi import aggregate
from visibility.models import (
    Identifier,
    InboundMessage,
    JoinAct,
    MessageKey,
    MessageState,
    Order,
    Source,
    WorkCalendar,
)
from visibility.operations.canonical_dump import facts
from visibility.pipeline import batches, stages

LATER = datetime(2026, 4, 1, tzinfo=UTC)
TABLES = (
    "visibility_messagekey, visibility_inbound_message, visibility_event, "
    "visibility_businessobject, visibility_identifier, visibility_kpicell, visibility_dirtycell"
)


@pytest.fixture
def connected(transactional_db: None) -> dict[str, Source]:
    """The systems of the story, and one promise."""
    calendar = WorkCalendar.objects.create(
        code="office",
        title="Office",
        zone="America/Chicago",
        hours={day: [["08:00", "18:00"]] for day in ("mon", "tue", "wed", "thu", "fri")},
    )
    promise(calendar)
    return {
        slug: Source.objects.create(
            slug=slug, title=slug, connector=connector, role=role, config=config
        )
        for slug, (connector, role, config) in SOURCES.items()
    }


def tell(connected: dict[str, Source], messages: Sequence[Said]) -> None:
    """Keep the messages as the intake does."""
    arrivals = [
        Arrival(connected[m.source].pk, f"{m.source} {hash(m.body)}", m.headers, m.body)
        for m in messages
    ]
    keep(arrivals)


def forget() -> None:
    """Everything that was said, and what followed from it."""
    with connection.cursor() as cursor:
        cursor.execute("SET client_min_messages = warning")
        cursor.execute(f"TRUNCATE {TABLES} CASCADE")


def without(row: Mapping[str, object], name: str) -> dict[str, object]:
    """A row but for one column."""
    return {key: value for key, value in row.items() if key != name}


def exported() -> list[bytes]:
    """The facts as they stand."""
    return list(facts(as_of=LATER))


def in_order(connected: dict[str, Source]) -> list[bytes]:
    """The facts when everything comes once and in its order."""
    for message in story():
        tell(connected, [message])
        stages.advance()
    return exported()


@pytest.mark.django_db(transaction=True)
def test_shop_erp_warehouse_carriers_and_finance_make_one_timeline(
    connected: dict[str, Source],
) -> None:
    told = in_order(connected)
    assert len([line for line in told if b'"kind":"order"' in line]) == 1
    order = Order.objects.get()
    assert (order.number, order.status, order.event_count) == ("SO-104711", "completed", 12)
    assert {m.state for m in InboundMessage.objects.all()} == {MessageState.APPLIED}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", range(12))
def test_any_order_twice_in_any_batches_leaves_the_same_facts(
    connected: dict[str, Source], seed: int
) -> None:
    truth = in_order(connected)
    forget()
    chance = random.Random(seed)
    messages = [*story(), *story()]
    chance.shuffle(messages)
    while messages:
        size = chance.randint(1, 6)
        tell(connected, messages[:size])
        messages = messages[size:]
        if chance.random() < 0.7:
            stages.advance()
    stages.advance()
    assert exported() == truth
    assert sum(MessageKey.objects.values_list("repeats", flat=True)) == len(story())


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", range(3))
def test_four_workers_at_once_leave_the_same_facts(
    connected: dict[str, Source], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = in_order(connected)
    forget()
    monkeypatch.setattr(batches, "BATCH", 2)
    messages = [*story(), *story()]
    random.Random(seed).shuffle(messages)
    tell(connected, messages)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            stages.advance()
        except BaseException as error:
            failures.append(error)
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failures
    InboundMessage.objects.filter(state=MessageState.WAITING).update(next_attempt_at=None)
    stages.advance()
    assert exported() == truth


def at_once(monkeypatch: pytest.MonkeyPatch, *works: Callable[[], object]) -> None:
    """Run each in a thread with connections of its own, and let none fail."""
    monkeypatch.setattr(batches, "BATCH", 2)
    failures: list[BaseException] = []

    def work(one: Callable[[], object]) -> None:
        try:
            one()
        except BaseException as error:
            failures.append(error)
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work, args=[one]) for one in works]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failures
    InboundMessage.objects.filter(state=MessageState.WAITING).update(next_attempt_at=None)
    stages.advance()


def number(value: str) -> tuple[str, str, str]:
    """A number of the order as an act names it."""
    i = Identifier.objects.get(kind="order", strong=True, value=value)
    return i.scheme, i.issuer, i.value


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", range(3))
def test_what_people_decided_holds_for_four_workers_in_any_order(
    connected: dict[str, Source], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A split that tears the shop's number from the ERP's, and a join of what it tore off."""
    in_order(connected)
    olga, order = User.objects.create(username="olga"), Order.objects.get().pk
    shops = [number("4711"), number(str(SHOP_ORDER["id"]))]
    split = stages.decide(lambda: decisions.split(order, shops, by=olga, why="", now=LATER))
    parted = exported()
    assert sum(b'"kind":"order"' in line for line in parted) == 2
    for truth, undone in ((parted, None), (in_order_again(connected, split), LATER)):
        forget()
        JoinAct.objects.update(undone_at=undone)
        messages = [*story(), *story()]
        random.Random(seed).shuffle(messages)
        tell(connected, messages)
        at_once(monkeypatch, *[stages.advance] * 4)
        assert exported() == truth


def in_order_again(connected: dict[str, Source], split: JoinAct) -> list[bytes]:
    """The facts without the split."""
    standing = split.undone_at
    JoinAct.objects.update(undone_at=LATER)
    forget()
    told = in_order(connected)
    JoinAct.objects.update(undone_at=standing)
    return told


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", range(2))
def test_people_decide_while_workers_work(
    connected: dict[str, Source], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Joined and torn apart meanwhile: the end is as if it had been decided first."""
    in_order(connected)
    olga, order = User.objects.create(username="olga"), Order.objects.get().pk
    shops = [number("4711"), number(str(SHOP_ORDER["id"]))]
    split = stages.decide(lambda: decisions.split(order, shops, by=olga, why="", now=LATER))
    parted = exported()
    stages.decide(lambda: decisions.undo(split.pk, by=olga, now=LATER))
    forget()
    messages = [*story(), *story()]
    random.Random(seed).shuffle(messages)
    tell(connected, messages[:6])
    stages.advance()
    tell(connected, messages[6:])

    def again_and_again() -> None:
        for _ in range(4):
            JoinAct.objects.update(undone_at=None)
            with suppress(OperationalError, assign.Moved):
                stages.decide(lambda: decisions.undo(split.pk, by=olga, now=LATER))

    at_once(monkeypatch, stages.advance, stages.advance, again_and_again)
    JoinAct.objects.update(undone_at=None)
    call_command("rebuild")
    assert exported() == parted


@pytest.mark.django_db(transaction=True)
def test_a_rebuild_changes_nothing(connected: dict[str, Source]) -> None:
    truth = in_order(connected)
    before = [{**row} for row in Order.objects.values().order_by("pk")]
    call_command("rebuild")
    after = [{**row} for row in Order.objects.values().order_by("pk")]
    assert [without(row, "folded_at") for row in after] == [
        without(row, "folded_at") for row in before
    ]
    assert exported() == truth
    assert aggregate.recompute() == 0


@pytest.mark.django_db(transaction=True)
def test_a_parcel_scanned_before_its_order_is_known_shows_on_it_afterwards(
    connected: dict[str, Source],
) -> None:
    scans = [m for m in story() if m.source == "carrier"]
    rest = [m for m in story() if m.source != "carrier"]
    tell(connected, scans)
    stages.advance()
    assert not Order.objects.exists()
    tell(connected, rest)
    stages.advance()
    assert Order.objects.get().status == "completed"


@pytest.mark.django_db(transaction=True)
def test_what_lies_ahead_has_no_effect_before_its_time(connected: dict[str, Source]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        ahead = cursor.fetchone()[0] + timedelta(hours=1)
    event = {
        "specversion": "1.0",
        "id": "ahead",
        "source": "/test",
        "type": "order.cancelled",
        "time": ahead.isoformat(),
        "data": {"order": {"number": "SO-104711"}},
    }
    import orjson

    kind = {"content-type": "application/cloudevents+json"}
    tell(connected, [*story()[:3], Said("generic", orjson.dumps(event), kind)])
    stages.advance()
    assert Order.objects.get().status == "released"
    assert [b"cancelled" in line for line in facts(as_of=ahead)][-1]
