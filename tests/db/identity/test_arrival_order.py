"""The derived state does not depend on arrival order, duplicates, batches or parallel workers."""

import random
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import OperationalError, connection, connections

from tests.builders.cloudevents import HEADERS, cloudevent
from tests.builders.identity import clear_state
from tests.builders.sla_rules import create_rule
from tests.builders.sources import create_source
from tests.builders.web_order import SHOP_ORDER, SOURCES, SampleMessage, web_order_messages
from tests.effort import seeds
from visibility.identity import decisions, store_and_link_events
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.kpi import facts_and_cells
from visibility.models import (
    Identifier,
    IdentityDecision,
    InboundMessage,
    MessageKey,
    MessageState,
    Order,
    Source,
    WorkCalendar,
)
from visibility.operations.canonical_dump import dump_lines
from visibility.pipeline import job_functions, process_message_batches, refold_orders

LATER = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.fixture
def connected(transactional_db: None) -> dict[str, Source]:
    """Create the sources of the example order, and one SLA rule."""
    calendar = WorkCalendar.objects.create(
        code="office",
        title="Office",
        zone="America/Chicago",
        hours={day: [["08:00", "18:00"]] for day in ("mon", "tue", "wed", "thu", "fri")},
    )
    create_rule(calendar)
    return {
        slug: create_source(slug, connector=connector, role=role, config=config)
        for slug, (connector, role, config) in SOURCES.items()
    }


def shuffled_twice(rng: random.Random) -> list[SampleMessage]:
    """Each message of the order twice, in any order."""
    messages = [*web_order_messages(), *web_order_messages()]
    rng.shuffle(messages)
    return messages


def store(connected: dict[str, Source], messages: Sequence[SampleMessage]) -> None:
    """Store the messages as the intake does."""
    incoming = [
        IncomingMessage(connected[m.source].pk, f"{m.source} {hash(m.body)}", m.headers, m.body)
        for m in messages
    ]
    store_messages(incoming)


def without_column(row: Mapping[str, object], name: str) -> dict[str, object]:
    """Return the row without one column."""
    return {key: value for key, value in row.items() if key != name}


def dump_state() -> list[bytes]:
    """Return the canonical dump of the derived state."""
    return list(dump_lines(as_of=LATER))


def state_in_order(connected: dict[str, Source]) -> list[bytes]:
    """Return the dump after each message arrived once, in order."""
    for message in web_order_messages():
        store(connected, [message])
        job_functions.process_messages_and_refold()
    return dump_state()


@pytest.mark.django_db(transaction=True)
def test_messages_of_all_sources_form_a_single_timeline(
    connected: dict[str, Source],
) -> None:
    dumped = state_in_order(connected)
    assert len([line for line in dumped if b'"kind":"order"' in line]) == 1
    order = Order.objects.get()
    assert (order.number, order.status, order.event_count) == ("SO-104711", "completed", 12)
    assert {m.state for m in InboundMessage.objects.all()} == {MessageState.APPLIED}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", seeds(12))
def test_any_order_with_duplicates_and_batches_gives_the_same_state(
    connected: dict[str, Source], seed: int
) -> None:
    expected = state_in_order(connected)
    clear_state()
    rng = random.Random(seed)
    messages = shuffled_twice(rng)
    while messages:
        size = rng.randint(1, 6)
        store(connected, messages[:size])
        messages = messages[size:]
        if rng.random() < 0.7:
            job_functions.process_messages_and_refold()
    job_functions.process_messages_and_refold()
    assert dump_state() == expected
    assert sum(MessageKey.objects.values_list("duplicate_count", flat=True)) == len(
        web_order_messages()
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", seeds(3))
def test_four_parallel_workers_give_the_same_state(
    connected: dict[str, Source], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = state_in_order(connected)
    clear_state()
    monkeypatch.setattr(process_message_batches, "BATCH_SIZE", 2)
    store(connected, shuffled_twice(random.Random(seed)))
    failures: list[BaseException] = []

    def work() -> None:
        try:
            job_functions.process_messages_and_refold()
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
    job_functions.process_messages_and_refold()
    assert dump_state() == expected


def run_in_threads(monkeypatch: pytest.MonkeyPatch, *functions: Callable[[], object]) -> None:
    """Run each function in a thread with its own connections; fail if one of them fails."""
    monkeypatch.setattr(process_message_batches, "BATCH_SIZE", 2)
    failures: list[BaseException] = []

    def work(function: Callable[[], object]) -> None:
        try:
            function()
        except BaseException as error:
            failures.append(error)
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work, args=[function]) for function in functions]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failures
    InboundMessage.objects.filter(state=MessageState.WAITING).update(next_attempt_at=None)
    job_functions.process_messages_and_refold()


def decision_identifier(value: str) -> tuple[str, str, str]:
    """Return an identifier of the order as a decision names it."""
    identifier = Identifier.objects.get(kind="order", is_identity=True, value=value)
    return identifier.scheme, identifier.issuer, identifier.value


def split_shop_numbers(*, by: User) -> IdentityDecision:
    """Split the shop's numbers from the order."""
    order = Order.objects.get().pk
    shops = [decision_identifier("4711"), decision_identifier(str(SHOP_ORDER["id"]))]
    return refold_orders.apply_identity_decision_and_refold(
        lambda: decisions.split_order(order, shops, by=by, reason="", now=LATER)
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", seeds(3))
def test_decisions_apply_with_four_workers_in_any_order(
    connected: dict[str, Source], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Check with a split of the shop's numbers from the order, and with that split undone."""
    state_in_order(connected)
    split = split_shop_numbers(by=User.objects.create(username="olga"))
    separated = dump_state()
    assert sum(b'"kind":"order"' in line for line in separated) == 2
    for expected, undone in ((separated, None), (state_without(connected, split), LATER)):
        clear_state()
        IdentityDecision.objects.update(undone_at=undone)
        store(connected, shuffled_twice(random.Random(seed)))
        run_in_threads(monkeypatch, *[job_functions.process_messages_and_refold] * 4)
        assert dump_state() == expected


def state_without(connected: dict[str, Source], split: IdentityDecision) -> list[bytes]:
    """Return the dump without the split."""
    undone_at = split.undone_at
    IdentityDecision.objects.update(undone_at=LATER)
    clear_state()
    dumped = state_in_order(connected)
    IdentityDecision.objects.update(undone_at=undone_at)
    return dumped


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", seeds(2))
def test_decisions_during_processing(
    connected: dict[str, Source], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Split and undo while workers process: the result is as if the split came first."""
    state_in_order(connected)
    olga = User.objects.create(username="olga")
    split = split_shop_numbers(by=olga)
    separated = dump_state()
    refold_orders.apply_identity_decision_and_refold(
        lambda: decisions.undo_decision(split.pk, by=olga, now=LATER)
    )
    clear_state()
    messages = shuffled_twice(random.Random(seed))
    store(connected, messages[:6])
    job_functions.process_messages_and_refold()
    store(connected, messages[6:])

    def undo_repeatedly() -> None:
        for _ in range(4):
            IdentityDecision.objects.update(undone_at=None)
            with suppress(OperationalError, store_and_link_events.ConcurrentChange):
                refold_orders.apply_identity_decision_and_refold(
                    lambda: decisions.undo_decision(split.pk, by=olga, now=LATER)
                )

    run_in_threads(
        monkeypatch,
        job_functions.process_messages_and_refold,
        job_functions.process_messages_and_refold,
        undo_repeatedly,
    )
    IdentityDecision.objects.update(undone_at=None)
    call_command("rebuild")
    assert dump_state() == separated


@pytest.mark.django_db(transaction=True)
def test_rebuild_changes_nothing(connected: dict[str, Source]) -> None:
    expected = state_in_order(connected)
    before = [{**row} for row in Order.objects.values().order_by("pk")]
    call_command("rebuild")
    after = [{**row} for row in Order.objects.values().order_by("pk")]
    assert [without_column(row, "folded_at") for row in after] == [
        without_column(row, "folded_at") for row in before
    ]
    assert dump_state() == expected
    assert facts_and_cells.update_cells() == 0


@pytest.mark.django_db(transaction=True)
def test_package_scanned_before_its_order_is_added_to_it_later(
    connected: dict[str, Source],
) -> None:
    scans = [m for m in web_order_messages() if m.source == "carrier"]
    others = [m for m in web_order_messages() if m.source != "carrier"]
    store(connected, scans)
    job_functions.process_messages_and_refold()
    assert not Order.objects.exists()
    store(connected, others)
    job_functions.process_messages_and_refold()
    assert Order.objects.get().status == "completed"


@pytest.mark.django_db(transaction=True)
def test_future_event_has_no_effect_before_its_time(connected: dict[str, Source]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        ahead = cursor.fetchone()[0] + timedelta(hours=1)
    event = cloudevent(
        "order.cancelled", {"order": {"number": "SO-104711"}}, event_id="ahead", at=ahead
    )
    late = SampleMessage("generic", orjson.dumps(event), HEADERS)
    store(connected, [*web_order_messages()[:3], late])
    job_functions.process_messages_and_refold()
    assert Order.objects.get().status == "released"
    assert [b"cancelled" in line for line in dump_lines(as_of=ahead)][-1]
