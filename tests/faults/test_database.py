"""The database that dies, hides, is full or held (F05 to F07, F17 to F20)."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import httpx2
import psycopg
import pytest
from psycopg import sql

from tests.faults import faults
from tests.faults.bed import Bed
from tests.faults.sending import until

CHANCE = random.Random(2)


@pytest.fixture
def pages(bed: Bed) -> Iterator[httpx2.Client]:
    """Somebody who is signed in."""
    cookies = {"sessionid": bed.court.under_test.ask("session")}
    with httpx2.Client(base_url=bed.installation.url, cookies=cookies, timeout=20) as made:
        yield made


def test_f05_the_database_stops_hard_in_mid_intake(bed: Bed) -> None:
    messages = bed.stories("F05", count=200)
    sending = bed.send(messages, rate=80)
    for share in (0.3, 0.6):
        sending.reach(share)
        faults.database_stops_hard(bed, CHANCE)
        assert bed.installation.await_web(path="/readyz") < 10
    assert bed.settle(sending).broken == []


def test_f06_one_backend_dies_in_mid_commit(bed: Bed) -> None:
    messages = bed.stories("F06", count=200)
    sending = bed.send(messages, rate=80)
    for share in (0.3, 0.5, 0.8):
        sending.reach(share)
        faults.backend_dies(bed, CHANCE)
    assert bed.settle(sending).broken == []


def test_f07_while_the_database_is_away_everybody_is_told_to_come_again(
    bed: Bed, pages: httpx2.Client
) -> None:
    messages = bed.stories("F07", count=150)
    sending = bed.send(messages, rate=40)
    sending.reach(0.3)
    bed.cluster.postgres.kill()
    began = time.monotonic()
    while time.monotonic() - began < 8:
        for path in ("/", "/api/v1/orders", "/readyz"):
            answer = pages.get(path)
            assert answer.status_code == 503, (path, answer.status_code, answer.text[:300])
            assert int(answer.headers["retry-after"]) > 0
    bed.cluster.postgres.start()
    assert bed.installation.await_web(path="/readyz") < 10
    verdict = bed.settle(sending)
    assert verdict.broken == []
    assert sending.heard.refused[503] > 0
    assert sending.heard.slowest_refusal < 1


def test_f17_without_a_free_slot_it_waits_a_little_and_recovers_alone(bed: Bed) -> None:
    messages = bed.stories("F17", count=150)
    sending = bed.send(messages, rate=40, patience=10)
    sending.reach(0.2)
    with bed.cluster.occupied(by="postgres", instead_of=bed.installation.database) as taken:
        assert taken > 20
        time.sleep(3)
    assert bed.installation.await_web(path="/readyz") < 10
    verdict = bed.settle(sending)
    assert verdict.broken == []
    assert sending.heard.slowest_refusal < 6


def test_f18_a_locked_table_makes_bounded_waits_and_no_pile_up(bed: Bed) -> None:
    messages = bed.stories("F18", count=150)
    sending = bed.send(messages, rate=40, patience=10)
    sending.reach(0.2)
    tables = ("visibility_messagekey", "visibility_event", "visibility_order")
    locks = [
        sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.Identifier(table))
        for table in tables
    ]
    with bed.cluster.holding(bed.installation.database, *locks):
        time.sleep(7)
    released = time.monotonic()
    verdict = bed.settle(sending)
    assert time.monotonic() - released < 40
    assert verdict.broken == []
    assert sending.heard.refused[503] > 0
    assert sending.heard.slowest_refusal < 6


def figure(bed: Bed, name: str) -> float:
    """One of the figures that Prometheus reads."""
    rows = httpx2.get(f"{bed.installation.url}/metrics", timeout=10).text.splitlines()
    return next(float(row.split(" ")[1]) for row in rows if row.startswith(f"{name} "))


def test_f19_beside_a_long_transaction_the_feed_of_changes_skips_nothing(bed: Bed) -> None:
    """A reader that asks for what is above its last number, all the while."""
    messages = bed.stories("F19", count=200)
    database = bed.installation.database
    seen: list[int] = []
    over = threading.Event()
    start = bed.court.ask("SELECT coalesce(max(number), 0) FROM visibility_changehead")[0][0]

    def follow() -> None:
        last = start
        with psycopg.connect(bed.cluster.url(database), autocommit=True) as connection:
            while not over.is_set():
                rows = connection.execute(
                    "SELECT number FROM visibility_change WHERE number > %s ORDER BY number",
                    [last],
                ).fetchall()
                seen.extend(row[0] for row in rows)
                last = seen[-1] if seen else start
                time.sleep(0.01)

    reader = threading.Thread(target=follow)
    begun = (sql.SQL("SELECT pg_current_xact_id()"), sql.SQL("SELECT 1 FROM visibility_change"))
    with bed.cluster.holding(database, *begun):
        reader.start()
        sending = bed.send(messages, rate=200)
        verdict = bed.settle(sending)
        over.set()
        reader.join()
        held = figure(bed, "throughline_longest_transaction_seconds")
    assert held > 1
    assert figure(bed, "throughline_longest_transaction_seconds") < 1
    assert verdict.broken == []
    written = bed.court.ask(
        "SELECT number FROM visibility_change WHERE number > %s ORDER BY number", [start]
    )
    assert seen == [row[0] for row in written][: len(seen)]
    assert seen == list(range(start + 1, start + 1 + len(seen)))
    assert len(seen) > 3


DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = %s"
SOME = "SELECT 1 FROM visibility_businessobject WHERE id % 3 = 0 ORDER BY id FOR UPDATE"
THE_OTHERS = "SELECT 1 FROM visibility_businessobject WHERE id % 3 > 0 ORDER BY id DESC FOR UPDATE"
WAITS_FOR_ME = """
SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))
"""


def cross(connection: psycopg.Connection) -> None:
    """Lock some orders, wait until somebody waits for them, then want what that one holds."""
    connection.execute(SOME)
    waiting, patience = 0, time.monotonic() + 2
    while not waiting and time.monotonic() < patience:
        ((waiting,),) = connection.execute(WAITS_FOR_ME)
        time.sleep(0.02)
    connection.execute(THE_OTHERS)


def test_f20_deadlocks_are_tried_again(bed: Bed) -> None:
    """A stranger locks the orders of the batch from the other end, until it has met somebody."""
    bed.installation.add("worker-2")
    database = bed.installation.database
    before = bed.court.ask(DEADLOCKS, [database])[0][0]
    over = threading.Event()

    def disturb() -> None:
        with psycopg.connect(bed.cluster.url(database)) as connection:
            while not over.is_set():
                with suppress(psycopg.errors.DeadlockDetected):
                    cross(connection)
                connection.rollback()
                time.sleep(0.1)

    stranger = threading.Thread(target=disturb)
    stranger.start()
    try:
        sending = bed.send(bed.stories("F20", count=400), rate=60)
        until(
            lambda: bed.court.ask(DEADLOCKS, [database])[0][0] > before,
            seconds=60,
            what="a deadlock",
        )
    finally:
        over.set()
        stranger.join()
    assert bed.settle(sending).broken == []
