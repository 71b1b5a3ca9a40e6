"""Redis emptied, gone, hanging, back (F08 to F10): it carries doorbells and nothing else."""

import random
import signal
import time

from tests.faults import faults
from tests.faults.bed import Bed
from tests.faults.sending import Sending, until

CHANCE = random.Random(3)
PROCESSED = "SELECT count(*) FROM visibility_inbound_message WHERE state <> 'waiting'"
RECEIVED_BY_TASK = b"LLEN tl-disturbed:throughline\r\n"


def untouched(sending: Sending) -> None:
    """No sender has noticed anything."""
    assert sending.heard.refused == {}
    assert sending.heard.slowest < 3


def test_f08_redis_is_emptied_again_and_again(bed: Bed) -> None:
    messages = bed.stories("F08", count=150)
    sending = bed.send(messages, rate=60)
    for share in (0.2, 0.4, 0.6, 0.8):
        sending.reach(share)
        faults.redis_is_emptied(bed, CHANCE)
    assert bed.settle(sending).broken == []
    untouched(sending)


def test_f09_without_redis_everything_goes_on(bed: Bed) -> None:
    messages = bed.stories("F09", count=150)
    bed.cluster.valkey.kill()
    sending = bed.send(messages, rate=60)
    assert bed.settle(sending).broken == []
    untouched(sending)
    bed.cluster.valkey.start()


def test_f09_a_redis_that_hangs_is_as_good_as_none(bed: Bed) -> None:
    messages = bed.stories("F09h", count=150)
    bed.cluster.valkey.send(signal.SIGSTOP)
    sending = bed.send(messages, rate=60)
    assert bed.settle(sending).broken == []
    untouched(sending)
    bed.cluster.valkey.send(signal.SIGCONT)


def test_f09_a_worker_that_starts_without_redis_works_all_the_same(bed: Bed) -> None:
    messages = bed.stories("F09s", count=100)
    bed.cluster.valkey.send(signal.SIGSTOP)
    bed.installation.kill("worker")
    bed.installation.restart("worker")
    sending = bed.send(messages, rate=60)
    assert bed.settle(sending).broken == []
    bed.cluster.valkey.send(signal.SIGCONT)


def test_f10_workers_hear_the_bell_again_after_redis_has_restarted(bed: Bed) -> None:
    messages = bed.stories("F10", count=150)
    sending = bed.send(messages, rate=60)
    for share in (0.2, 0.5, 0.8):
        sending.reach(share)
        faults.redis_restarts(bed, CHANCE)
    assert bed.settle(sending).broken == []
    untouched(sending)
    # Nothing of the scheduler's bells is left lying for longer than they hold.
    until(
        lambda: bed.cluster.redis(RECEIVED_BY_TASK) == b":0\r\n",
        seconds=60,
        what="somebody takes from the queue",
        pause=0.05,
    )
    time.sleep(3)
    assert int(bed.cluster.redis(RECEIVED_BY_TASK)[1:].strip()) < 10
