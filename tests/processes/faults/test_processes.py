"""Processes that crash, are suspended or are restarted (F01 to F04, F13, F14, F30, F34)."""

import random
import time

import pytest
from psycopg import sql

from tests.processes.faults import faults
from tests.processes.faults.environment import FaultEnvironment
from tests.processes.faults.installation import PREFORK
from tests.processes.faults.order_messages import FaultMessage
from tests.processes.faults.senders import wait_until

RNG = random.Random(1)


def test_f01_killed_web_process_loses_nothing(environment: FaultEnvironment) -> None:
    messages = environment.order_messages("F01", count=150)
    sending = environment.send(messages, rate=60)
    for share in (0.3, 0.7):
        sending.wait_for_fraction(share)
        killed = time.monotonic()
        faults.kill_web(environment, RNG)
        environment.installation.wait_for_web(path="/readyz")
        assert time.monotonic() - killed < 15
    assert environment.settle(sending).violations == []


def test_f02_killed_worker_loses_nothing(environment: FaultEnvironment) -> None:
    messages = environment.order_messages("F02", count=300)
    sending = environment.send(messages, rate=100)
    for share in (0.3, 0.7):
        sending.wait_for_fraction(share)
        faults.kill_worker(environment, RNG)
    assert environment.settle(sending).violations == []


def test_f03_killed_pool_child_loses_nothing(environment: FaultEnvironment) -> None:
    environment.installation.kill("worker")
    environment.installation.add("worker-pool", (*PREFORK, "--hostname", "pool@%h"))
    messages = environment.order_messages("F03", count=200)
    sending = environment.send(messages, rate=60)
    for share in (0.3, 0.6, 0.9):
        sending.wait_for_fraction(share)
        faults.kill_pool_child(environment, RNG)
    environment.installation.restart("worker")
    assert environment.settle(sending).violations == []


def test_f04_killing_all_processes_loses_nothing(environment: FaultEnvironment) -> None:
    messages = environment.order_messages("F04", count=150)
    sending = environment.send(messages, rate=60)
    sending.wait_for_fraction(0.5)
    faults.kill_everything(environment, RNG)
    assert environment.installation.wait_for_web(path="/readyz") < 15
    assert environment.settle(sending).violations == []


WAITING_MESSAGES = "SELECT count(*) FROM visibility_inbound_message WHERE state = 'waiting'"
# The text of the statement is cut off before the name of the table.
WORKER_WAITS_FOR_LOCK = """
SELECT count(*) FROM pg_stat_activity activity
JOIN pg_locks held ON held.pid = activity.pid AND held.granted
    AND held.relation = 'visibility_changehead'::regclass
WHERE activity.datname = %s AND activity.wait_event_type = 'Lock'
    AND activity.application_name = 'worker'
"""
# Locks the row of the change number, whether or not it exists.
LOCK_CHANGE_NUMBER = sql.SQL(
    "INSERT INTO visibility_changehead AS h (id, number) VALUES (1, 0) "
    "ON CONFLICT (id) DO UPDATE SET number = h.number"
)
WORKER_HOLDS_LOCK = """
SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND state = 'idle in transaction'
    AND application_name = 'worker' AND backend_xid IS NOT NULL
"""


def test_f13_suspended_worker_blocks_no_other_and_writes_nothing_when_resumed(
    environment: FaultEnvironment,
) -> None:
    """The worker is suspended in a transaction that has locked the change number."""
    messages = environment.order_messages("F13", count=200)
    database = environment.installation.database
    with environment.cluster.open_transaction(database, LOCK_CHANGE_NUMBER):
        sending = environment.send(messages, rate=60)
        wait_until(
            lambda: environment.checker.query(WORKER_WAITS_FOR_LOCK, [database])[0][0],
            seconds=30,
            what="the worker waits for the lock",
        )
        environment.installation.suspend("worker")
    wait_until(
        lambda: environment.checker.query(WORKER_HOLDS_LOCK, [database])[0][0],
        seconds=5,
        what="the worker has the lock",
    )
    frozen_at = time.monotonic()
    environment.installation.add("worker-2")
    sending.finish()
    environment.checker.wait_until_idle(seconds=60)
    assert time.monotonic() - frozen_at < 60
    environment.installation.resume("worker")
    time.sleep(1)
    assert environment.settle(sending).violations == []


def test_f14_senders_retry_while_the_web_process_is_suspended(
    environment: FaultEnvironment,
) -> None:
    messages = environment.order_messages("F14", count=100)
    sending = environment.send(messages, rate=60, timeout=1)
    sending.wait_for_fraction(0.4)
    environment.installation.suspend("web")
    time.sleep(4)
    environment.installation.resume("web")
    verdict = environment.settle(sending)
    assert verdict.violations == []
    assert sending.log.unanswered > 0


@pytest.mark.parametrize("kind", ["deadly", "endless"])
def test_f30_message_that_crashes_its_worker_is_parked_and_blocks_no_other(
    environment: FaultEnvironment, kind: str
) -> None:
    """The message kills the worker, or keeps it busy until the watchdog ends the process."""
    environment.installation.kill("worker")
    module = "visibility.pipeline.process_message_batches"
    short_limits = f"{module}:LEASE_SECONDS=1,{module}:PARSE_LIMIT_SECONDS=2"
    environment.installation.add(
        "worker-mortal", FAULT_POISON=f"{kind}-text", FAULT_PATCH=short_limits
    )
    poison = FaultMessage("erp", kind, f'{{"type": "{kind}-text"}}'.encode())
    messages = environment.order_messages(f"F30{kind[0]}", count=100)
    messages.insert(50, poison)
    sending = environment.send(messages, rate=200)
    sending.finish()

    def waiting() -> int:
        environment.installation.restart_if_exited("worker-mortal")
        return int(environment.checker.query(WAITING_MESSAGES)[0][0])

    wait_until(lambda: waiting() <= 1, seconds=120, what="the other messages are applied")
    wait_until(lambda: waiting() == 0, seconds=120, what="the crashing message is parked")
    assert environment.installation.exits["worker-mortal"] >= 5
    environment.installation.restart("worker")
    assert environment.settle(sending, given_up=1).violations == []


def test_f34_rolling_restart_only_delays_messages(environment: FaultEnvironment) -> None:
    messages = environment.order_messages("F34", count=200)
    sending = environment.send(messages, rate=40)
    for name in ("worker", "beat", "web"):
        sending.wait_for_fraction(0.2)
        assert environment.installation.terminate(name) < 30
        environment.installation.restart(name)
        time.sleep(0.5)
    environment.installation.wait_for_web()
    verdict = environment.settle(sending)
    assert verdict.violations == []
    assert set(sending.log.rejected) <= {503}
