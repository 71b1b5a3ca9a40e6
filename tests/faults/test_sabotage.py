"""Ten defects put in on purpose: each check passes without its defect, and fails with it."""

import asyncio
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import orjson
import psycopg
import pytest
from django.db import OperationalError, connection, connections, transaction

from tests.rules import promise
from visibility.alerts import sweep
from visibility.db import change_feed
from visibility.db.clock import database_now
from visibility.ingest import inbox
from visibility.models import Alert, InboundMessage, Source, WorkCalendar
from visibility.operations import invariants
from visibility.pipeline import batches, stages
from visibility.sla.calendar import DAYS
from visibility.timeline import fold
from visibility.web.intake.sources import conninfo
from visibility.web.live import hub

pytestmark = pytest.mark.django_db(transaction=True)
Check = Callable[[Source], None]
Patch = pytest.MonkeyPatch


@pytest.fixture
def source() -> Source:
    """One system."""
    return Source.objects.create(
        slug="erp", title="ERP", connector="standard_webhooks", role="erp", expect_every=None
    )


def arrival(source: Source, *, kind: str = "order.received", order: str = "") -> inbox.Arrival:
    """One message nobody has sent before."""
    name = uuid.uuid4().hex
    body = {
        "type": kind,
        "timestamp": (database_now() - timedelta(hours=6)).isoformat(),
        "data": {"order": {"number": order or name}},
    }
    return inbox.Arrival(source.pk, name, {"webhook-id": name}, orjson.dumps(body))


def apart(work: Callable[[], object]) -> threading.Thread:
    """Do it in a thread with a connection of its own."""

    def run() -> None:
        try:
            work()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


# --- What must hold -------------------------------------------------------------------------------


def a_message_is_kept_once(source: Source) -> None:
    message = arrival(source)
    before = InboundMessage.objects.count()
    inbox.keep([message])
    inbox.keep([message])
    assert InboundMessage.objects.count() == before + 1


def an_answer_means_committed(source: Source) -> None:
    """Somebody holds the table for a while: the answer must wait for the commit."""
    message = arrival(source)

    async def answered() -> bool:
        writer = inbox.Writer(conninfo())
        async with await psycopg.AsyncConnection.connect(conninfo()) as stranger:
            await stranger.execute("LOCK TABLE visibility_messagekey IN SHARE MODE")
            asyncio.get_running_loop().call_later(
                0.5, lambda: tasks.append(asyncio.create_task(stranger.rollback()))
            )
            tasks: list[asyncio.Task[None]] = []
            await writer.keep(message)
            kept = InboundMessage.objects.filter(dedupe_key=message.dedupe_key)
            visible = await kept.aexists()
            await asyncio.sleep(0.6)
            await asyncio.gather(*tasks, *HASTE)
            HASTE.clear()
            await writer._drop()
            return visible

    assert asyncio.run(answered())


# What was answered before it was done.
HASTE: list[asyncio.Task[inbox.Kept]] = []


def a_reader_of_changes_misses_none(source: Source) -> None:
    """One that took its number first commits last."""
    taken, go_on = threading.Event(), threading.Event()
    last, _, _ = hub.news(0)
    seen: set[int] = set()

    def slow() -> None:
        with transaction.atomic():
            change_feed.change({"order": [1]})
            taken.set()
            go_on.wait(10)

    def quick() -> None:
        with transaction.atomic():
            change_feed.change({"order": [2]})

    one = apart(slow)
    assert taken.wait(10)
    other = apart(quick)
    other.join(0.5)
    for _ in range(2):
        last, _, ids = hub.news(last)
        seen |= set(ids.get("order", ()))
        go_on.set()
        one.join(10)
        other.join(10)
    assert seen == {1, 2}


def who_has_claimed_is_left_alone_for_a_while(source: Source) -> None:
    (kept,) = inbox.keep([arrival(source)])
    with connection.cursor() as cursor:
        cursor.execute(batches.CLAIM, [batches.LEASE_SECONDS, False, 0, 0, 0, 200])
    stages.take_all()
    assert InboundMessage.objects.get(pk=kept.message_id).attempts == 1


def workers_do_not_wait_for_each_other(source: Source) -> None:
    inbox.keep([arrival(source)])
    claimed, go_on = threading.Event(), threading.Event()

    def other() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(batches.CLAIM, [60, False, 0, 0, 0, 200])
            claimed.set()
            go_on.wait(10)

    thread = apart(other)
    assert claimed.wait(10)
    (mine,) = inbox.keep([arrival(source)])
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '500ms'")
        stages.take()
    except OperationalError as error:
        raise AssertionError("it waited") from error
    finally:
        go_on.set()
        thread.join(10)
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '10s'")
    assert InboundMessage.objects.get(pk=mine.message_id).state == "applied"


def nothing_waits_in_the_end(source: Source) -> None:
    inbox.keep([arrival(source) for _ in range(3)])
    stages.advance()
    assert not InboundMessage.objects.filter(state="waiting").exists()
    assert invariants.one_fate() == []


def the_order_of_arrival_is_nothing(source: Source) -> None:
    kinds = ("order.received", "order.released", "order.held", "order.changed", "order.cancelled")
    for _ in range(6):
        name = uuid.uuid4().hex
        inbox.keep([arrival(source, kind=kind, order=name) for kind in kinds])
    stages.advance()
    assert invariants.order_of_arrival() == []


def a_kill_between_clock_and_alert_loses_no_alert(source: Source) -> None:
    before = Alert.objects.count()
    order = uuid.uuid4().hex
    inbox.keep([arrival(source, kind="order.released", order=order)])
    stages.advance()

    def killed(*_: Any) -> list[int]:
        BETWEEN["clock and alert"]()
        raise SystemExit

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep, "judge_only", killed)
        with pytest.raises(SystemExit):
            sweep.due(now=database_now())
    sweep.due(now=database_now())
    assert invariants.judged() == []
    assert Alert.objects.count() == before + 1


# What happens between the clock and its alert.
BETWEEN: dict[str, Callable[[], None]] = {"clock and alert": lambda: None}


def a_dead_broker_stops_no_work(source: Source) -> None:
    inbox.keep([arrival(source) for _ in range(batches.BATCH + 5)])
    try:
        stages.take_all()
    except OSError as error:
        raise AssertionError("the doorbell has stopped the work") from error
    assert not InboundMessage.objects.filter(state="waiting").exists()


def the_answers_add_up(source: Source) -> None:
    message = arrival(source)
    before = InboundMessage.objects.count()
    answers = [*inbox.keep([message, message]), *inbox.keep([message])]
    assert sum(kept.new for kept in answers) == InboundMessage.objects.count() - before


# --- What breaks it -------------------------------------------------------------------------------


def no_unique_key(patch: Patch) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE visibility_messagekey DROP CONSTRAINT message_key_once")
    begin, _, rest = inbox.KEEP.partition("    ON CONFLICT")
    patch.setattr(inbox, "KEEP", begin + rest[rest.index("    RETURNING") :])


def answer_before_the_commit(patch: Patch) -> None:
    keep = inbox.Writer.keep

    async def hasty(self: inbox.Writer, arrival: inbox.Arrival) -> inbox.Kept:
        HASTE.append(asyncio.create_task(keep(self, arrival)))
        return inbox.Kept(1, True)

    patch.setattr(inbox.Writer, "keep", hasty)


def numbers_without_a_lock(patch: Patch) -> None:
    """A sequence instead of the locked row: what commits late has a low number."""

    def change(touched: Mapping[str, Sequence[int]]) -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT nextval('sabotage')")
            number = int(cursor.fetchone()[0])
            for kind, ids in touched.items():
                cursor.execute(
                    "INSERT INTO visibility_change (number, at, kind, ids) "
                    "VALUES (%s, now(), %s, %s)",
                    [number, kind, orjson.dumps(list(ids)).decode()],
                )
        return number

    def head() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT coalesce(max(number), 0) FROM visibility_change")
            return int(cursor.fetchone()[0])

    with connection.cursor() as cursor:
        cursor.execute("CREATE SEQUENCE IF NOT EXISTS sabotage START 1000000")
    patch.setattr(change_feed, "change", change)
    patch.setattr(hub, "head", head)


def no_lease(patch: Patch) -> None:
    patch.setattr(batches, "LEASE_SECONDS", 0)


def no_skipping(patch: Patch) -> None:
    patch.setattr(batches, "CLAIM", batches.CLAIM.replace(" SKIP LOCKED", ""))


def never_settled(patch: Patch) -> None:
    patch.setattr(batches, "SETTLE", batches.SETTLE + " AND false")


def the_last_to_come_wins(patch: Patch) -> None:
    patch.setattr(invariants, "fold", lambda events, **more: fold(list(events)[-1:], **more))


def two_transactions(patch: Patch) -> None:
    def commit() -> None:
        connection.connection.commit()

    patch.setitem(BETWEEN, "clock and alert", commit)


def a_doorbell_that_raises(patch: Patch) -> None:
    def nudge(_: str) -> None:
        raise ConnectionError

    patch.setattr(stages, "nudge", nudge)


def duplicates_are_new(patch: Patch) -> None:
    spread = inbox._spread
    patch.setattr(
        inbox,
        "_spread",
        lambda found, places: [inbox.Kept(k.message_id, True) for k in spread(found, places)],
    )


DEFECTS: Mapping[Callable[[Patch], None], Check] = {
    no_unique_key: a_message_is_kept_once,
    answer_before_the_commit: an_answer_means_committed,
    numbers_without_a_lock: a_reader_of_changes_misses_none,
    no_lease: who_has_claimed_is_left_alone_for_a_while,
    no_skipping: workers_do_not_wait_for_each_other,
    never_settled: nothing_waits_in_the_end,
    the_last_to_come_wins: the_order_of_arrival_is_nothing,
    two_transactions: a_kill_between_clock_and_alert_loses_no_alert,
    a_doorbell_that_raises: a_dead_broker_stops_no_work,
    duplicates_are_new: the_answers_add_up,
}


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda d: d.__name__)
def test_the_check_passes_and_sees_the_defect(
    defect: Callable[[Patch], None], source: Source, monkeypatch: Patch
) -> None:
    calendar = WorkCalendar.objects.create(
        code="always", title="Always", hours={day: [["00:00", "24:00"]] for day in DAYS}
    )
    promise(calendar)
    check = DEFECTS[defect]
    check(source)
    defect(monkeypatch)
    try:
        with pytest.raises(AssertionError):
            check(source)
    finally:
        _undo(defect)


def _undo(defect: Callable[[Patch], None]) -> None:
    """What was done to the database itself."""
    if defect is no_unique_key:
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE visibility_messagekey, visibility_inbound_message")
            cursor.execute(
                "ALTER TABLE visibility_messagekey ADD CONSTRAINT message_key_once "
                "UNIQUE (source_id, dedupe_key, content_hash)"
            )
