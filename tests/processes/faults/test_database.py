"""A database that crashes, is down, has no free slot or is locked (F05 to F07, F17 to F20)."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import httpx2
import psycopg
import pytest
from psycopg import sql

from tests.processes.faults import faults
from tests.processes.faults.environment import FaultEnvironment
from tests.processes.faults.senders import wait_until

RNG = random.Random(2)


@pytest.fixture
def pages(environment: FaultEnvironment) -> Iterator[httpx2.Client]:
    """An HTTP client with the session of a signed-in user."""
    cookies = {"sessionid": environment.checker.under_test.call("session")}
    with httpx2.Client(
        base_url=environment.installation.url, cookies=cookies, timeout=20
    ) as client:
        yield client


def test_f05_database_crash_during_intake_loses_nothing(environment: FaultEnvironment) -> None:
    messages = environment.order_messages("F05", count=200)
    sending = environment.send(messages, rate=80)
    for share in (0.3, 0.6):
        sending.wait_for_fraction(share)
        faults.crash_database(environment, RNG)
        assert environment.installation.wait_for_web(path="/readyz") < 10
    assert environment.settle(sending).violations == []


def test_f06_killed_database_backend_loses_nothing(environment: FaultEnvironment) -> None:
    messages = environment.order_messages("F06", count=200)
    sending = environment.send(messages, rate=80)
    for share in (0.3, 0.5, 0.8):
        sending.wait_for_fraction(share)
        faults.kill_database_backend(environment, RNG)
    assert environment.settle(sending).violations == []


def test_f07_requests_get_503_with_retry_after_while_the_database_is_down(
    environment: FaultEnvironment, pages: httpx2.Client
) -> None:
    messages = environment.order_messages("F07", count=150)
    sending = environment.send(messages, rate=40)
    sending.wait_for_fraction(0.3)
    environment.cluster.postgres.kill()
    stopped = time.monotonic()
    while time.monotonic() - stopped < 8:
        for path in ("/", "/api/v1/orders", "/readyz"):
            response = pages.get(path)
            assert response.status_code == 503, (path, response.status_code, response.text[:300])
            assert int(response.headers["retry-after"]) > 0
    environment.cluster.postgres.start()
    assert environment.installation.wait_for_web(path="/readyz") < 10
    verdict = environment.settle(sending)
    assert verdict.violations == []
    assert sending.log.rejected[503] > 0
    assert sending.log.slowest_rejection < 1


def test_f17_product_recovers_from_exhausted_database_connections(
    environment: FaultEnvironment,
) -> None:
    messages = environment.order_messages("F17", count=150)
    sending = environment.send(messages, rate=40, timeout=10)
    sending.wait_for_fraction(0.2)
    with environment.cluster.occupied_connections(
        by="postgres", instead_of=environment.installation.database
    ) as taken:
        assert taken > 20
        time.sleep(3)
    assert environment.installation.wait_for_web(path="/readyz") < 10
    verdict = environment.settle(sending)
    assert verdict.violations == []
    assert sending.log.slowest_rejection < 6


def test_f18_locked_tables_cause_bounded_waits_only(environment: FaultEnvironment) -> None:
    messages = environment.order_messages("F18", count=150)
    sending = environment.send(messages, rate=40, timeout=10)
    sending.wait_for_fraction(0.2)
    tables = ("visibility_messagekey", "visibility_event", "visibility_order")
    # One statement for all three: locks taken one after another can deadlock with the product.
    lock = sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(
        sql.SQL(", ").join(map(sql.Identifier, tables))
    )
    with environment.cluster.open_transaction(environment.installation.database, lock):
        time.sleep(7)
    released = time.monotonic()
    verdict = environment.settle(sending)
    assert time.monotonic() - released < 40
    assert verdict.violations == []
    assert sending.log.rejected[503] > 0
    assert sending.log.slowest_rejection < 6


def metric(environment: FaultEnvironment, name: str) -> float:
    """The value of one Prometheus metric."""
    rows = httpx2.get(f"{environment.installation.url}/metrics", timeout=10).text.splitlines()
    return next(float(row.split(" ")[1]) for row in rows if row.startswith(f"{name} "))


def test_f19_change_feed_skips_nothing_during_a_long_transaction(
    environment: FaultEnvironment,
) -> None:
    """A reader polls for changes above the last number that it has seen."""
    messages = environment.order_messages("F19", count=200)
    database = environment.installation.database
    seen: list[int] = []
    stop = threading.Event()
    start = environment.checker.query("SELECT coalesce(max(number), 0) FROM visibility_changehead")[
        0
    ][0]

    def follow() -> None:
        last = start
        with psycopg.connect(environment.cluster.url(database), autocommit=True) as connection:
            while not stop.is_set():
                rows = connection.execute(
                    "SELECT number FROM visibility_change WHERE number > %s ORDER BY number",
                    [last],
                ).fetchall()
                seen.extend(row[0] for row in rows)
                last = seen[-1] if seen else start
                time.sleep(0.01)

    reader = threading.Thread(target=follow)
    statements = (
        sql.SQL("SELECT pg_current_xact_id()"),
        sql.SQL("SELECT 1 FROM visibility_change"),
    )
    with environment.cluster.open_transaction(database, *statements):
        reader.start()
        sending = environment.send(messages, rate=200)
        verdict = environment.settle(sending)
        stop.set()
        reader.join()
        duration = metric(environment, "throughline_longest_transaction_seconds")
    assert duration > 1
    assert metric(environment, "throughline_longest_transaction_seconds") < 1
    assert verdict.violations == []
    written = environment.checker.query(
        "SELECT number FROM visibility_change WHERE number > %s ORDER BY number", [start]
    )
    assert seen == [row[0] for row in written][: len(seen)]
    assert seen == list(range(start + 1, start + 1 + len(seen)))
    assert len(seen) > 3


DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = %s"
LOCK_SOME = "SELECT 1 FROM visibility_businessobject WHERE id % 3 = 0 ORDER BY id FOR UPDATE"
LOCK_OTHERS = "SELECT 1 FROM visibility_businessobject WHERE id % 3 > 0 ORDER BY id DESC FOR UPDATE"
BLOCKED_BY_THIS_SESSION = """
SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))
"""


def lock_in_opposite_order(connection: psycopg.Connection) -> None:
    """Lock some orders, wait until another session waits for them, then lock the others."""
    connection.execute(LOCK_SOME)
    waiting, deadline = 0, time.monotonic() + 2
    while not waiting and time.monotonic() < deadline:
        ((waiting,),) = connection.execute(BLOCKED_BY_THIS_SESSION)
        time.sleep(0.02)
    connection.execute(LOCK_OTHERS)


def test_f20_deadlocks_are_retried(environment: FaultEnvironment) -> None:
    """A foreign session locks orders in the opposite direction until it causes a deadlock."""
    environment.installation.add("worker-2")
    database = environment.installation.database
    before = environment.checker.query(DEADLOCKS, [database])[0][0]
    stop = threading.Event()

    def disturb() -> None:
        with psycopg.connect(environment.cluster.url(database)) as connection:
            while not stop.is_set():
                with suppress(psycopg.errors.DeadlockDetected):
                    lock_in_opposite_order(connection)
                connection.rollback()
                time.sleep(0.1)

    disturber = threading.Thread(target=disturb)
    disturber.start()
    try:
        sending = environment.send(environment.order_messages("F20", count=400), rate=60)
        wait_until(
            lambda: environment.checker.query(DEADLOCKS, [database])[0][0] > before,
            seconds=60,
            what="a deadlock",
        )
    finally:
        stop.set()
        disturber.join()
    assert environment.settle(sending).violations == []
