"""Processes that die, freeze, or are asked to go (F01 to F04, F13, F14, F30, F34)."""

import random
import time

import pytest
from psycopg import sql

from tests.faults import faults
from tests.faults.bed import Bed
from tests.faults.installation import PREFORK
from tests.faults.sending import until
from tests.faults.story import Message

CHANCE = random.Random(1)


def test_f01_the_web_dies_in_mid_request(bed: Bed) -> None:
    messages = bed.stories("F01", count=150)
    sending = bed.send(messages, rate=60)
    for share in (0.3, 0.7):
        sending.reach(share)
        began = time.monotonic()
        faults.web_dies(bed, CHANCE)
        bed.installation.await_web(path="/readyz")
        assert time.monotonic() - began < 15
    assert bed.settle(sending).broken == []


def test_f02_a_worker_dies_while_applying(bed: Bed) -> None:
    messages = bed.stories("F02", count=300)
    sending = bed.send(messages, rate=100)
    for share in (0.3, 0.7):
        sending.reach(share)
        faults.worker_dies(bed, CHANCE)
    assert bed.settle(sending).broken == []


def test_f03_a_child_of_a_pool_dies_while_applying(bed: Bed) -> None:
    bed.installation.kill("worker")
    bed.installation.add("worker-pool", (*PREFORK, "--hostname", "pool@%h"))
    messages = bed.stories("F03", count=200)
    sending = bed.send(messages, rate=60)
    for share in (0.3, 0.6, 0.9):
        sending.reach(share)
        faults.pool_child_dies(bed, CHANCE)
    bed.installation.restart("worker")
    assert bed.settle(sending).broken == []


def test_f04_everything_dies_at_once(bed: Bed) -> None:
    messages = bed.stories("F04", count=150)
    sending = bed.send(messages, rate=60)
    sending.reach(0.5)
    faults.everything_dies(bed, CHANCE)
    assert bed.installation.await_web(path="/readyz") < 15
    assert bed.settle(sending).broken == []


WAITING = "SELECT count(*) FROM visibility_inbound_message WHERE state = 'waiting'"
WAITS = """
SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'
    AND application_name = 'worker' AND query LIKE '%%visibility_changehead%%'
"""
# Locks the row of the change number, there or not.
HEAD = sql.SQL(
    "INSERT INTO visibility_changehead AS h (id, number) VALUES (1, 0) "
    "ON CONFLICT (id) DO UPDATE SET number = h.number"
)
HOLDS = """
SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND state = 'idle in transaction'
    AND application_name = 'worker' AND backend_xid IS NOT NULL
"""


def test_f13_a_frozen_worker_holds_nobody_up_and_writes_nothing_when_it_wakes(bed: Bed) -> None:
    """Frozen in the middle of a transaction, with the row locked that everybody needs."""
    messages = bed.stories("F13", count=200)
    database = bed.installation.database
    with bed.cluster.holding(database, HEAD):
        sending = bed.send(messages, rate=60)
        until(lambda: bed.court.ask(WAITS, [database])[0][0], seconds=30, what="it waits")
        bed.installation.freeze("worker")
    until(lambda: bed.court.ask(HOLDS, [database])[0][0], seconds=5, what="it holds the row")
    frozen_at = time.monotonic()
    bed.installation.add("worker-2")
    sending.finish()
    bed.court.quiet(seconds=60)
    assert time.monotonic() - frozen_at < 60
    bed.installation.resume("worker")
    time.sleep(1)
    assert bed.settle(sending).broken == []


def test_f14_a_frozen_web_makes_senders_try_again(bed: Bed) -> None:
    messages = bed.stories("F14", count=100)
    sending = bed.send(messages, rate=60, patience=1)
    sending.reach(0.4)
    bed.installation.freeze("web")
    time.sleep(4)
    bed.installation.resume("web")
    verdict = bed.settle(sending)
    assert verdict.broken == []
    assert sending.heard.unanswered > 0


@pytest.mark.parametrize("how", ["deadly", "endless"])
def test_f30_a_message_that_ends_its_worker_is_parked_and_holds_nobody_up(
    bed: Bed, how: str
) -> None:
    """It kills it; or it takes it for ever, until the worker ends itself."""
    bed.installation.kill("worker")
    reading = "visibility.pipeline.batches"
    hasty = f"{reading}:LEASE_SECONDS=1,{reading}:READ_SECONDS=2"
    bed.installation.add("worker-mortal", FAULT_POISON=f"{how}-words", FAULT_PATCH=hasty)
    poison = Message("erp", how, f'{{"type": "{how}-words"}}'.encode())
    messages = bed.stories(f"F30{how[0]}", count=100)
    messages.insert(50, poison)
    sending = bed.send(messages, rate=200)
    sending.finish()

    def left() -> int:
        bed.installation.revive_only("worker-mortal")
        return int(bed.court.ask(WAITING)[0][0])

    until(lambda: left() <= 1, seconds=120, what="the others are applied")
    until(lambda: left() == 0, seconds=120, what="the poison is parked")
    assert bed.installation.falls["worker-mortal"] >= 5
    bed.installation.restart("worker")
    assert bed.settle(sending, given_up=1).broken == []


def test_f34_a_rolling_restart_refuses_nobody_for_good(bed: Bed) -> None:
    messages = bed.stories("F34", count=200)
    sending = bed.send(messages, rate=40)
    for name in ("worker", "beat", "web"):
        sending.reach(0.2)
        assert bed.installation.terminate(name) < 30
        bed.installation.restart(name)
        time.sleep(0.5)
    bed.installation.await_web()
    verdict = bed.settle(sending)
    assert verdict.broken == []
    assert set(sending.heard.refused) <= {503}
