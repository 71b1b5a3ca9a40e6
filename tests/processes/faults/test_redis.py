"""Redis emptied, down, hanging or restarted (F08 to F10): it carries wake-ups only."""

import random
import signal
import time

from tests.processes.faults import faults
from tests.processes.faults.environment import FaultEnvironment
from tests.processes.faults.senders import SenderThread, wait_until

RNG = random.Random(3)
QUEUE_LENGTH = b"LLEN tl-disturbed:throughline\r\n"


def assert_senders_unaffected(sending: SenderThread) -> None:
    """Check that no sender was rejected or slowed down."""
    assert sending.log.rejected == {}
    assert sending.log.slowest < 3


def test_f08_emptying_redis_repeatedly_loses_nothing(environment: FaultEnvironment) -> None:
    messages = environment.order_messages("F08", count=150)
    sending = environment.send(messages, rate=60)
    for share in (0.2, 0.4, 0.6, 0.8):
        sending.wait_for_fraction(share)
        faults.flush_redis(environment, RNG)
    assert environment.settle(sending).violations == []
    assert_senders_unaffected(sending)


def test_f09_product_works_without_redis(environment: FaultEnvironment) -> None:
    messages = environment.order_messages("F09", count=150)
    environment.cluster.valkey.kill()
    sending = environment.send(messages, rate=60)
    assert environment.settle(sending).violations == []
    assert_senders_unaffected(sending)
    environment.cluster.valkey.start()


def test_f09_product_works_while_redis_hangs(environment: FaultEnvironment) -> None:
    messages = environment.order_messages("F09h", count=150)
    environment.cluster.valkey.send_signal(signal.SIGSTOP)
    sending = environment.send(messages, rate=60)
    assert environment.settle(sending).violations == []
    assert_senders_unaffected(sending)
    environment.cluster.valkey.send_signal(signal.SIGCONT)


def test_f09_worker_works_when_started_while_redis_hangs(environment: FaultEnvironment) -> None:
    messages = environment.order_messages("F09s", count=100)
    environment.cluster.valkey.send_signal(signal.SIGSTOP)
    environment.installation.kill("worker")
    environment.installation.restart("worker")
    sending = environment.send(messages, rate=60)
    assert environment.settle(sending).violations == []
    environment.cluster.valkey.send_signal(signal.SIGCONT)


def test_f10_workers_resume_consuming_after_redis_restarted(environment: FaultEnvironment) -> None:
    messages = environment.order_messages("F10", count=150)
    sending = environment.send(messages, rate=60)
    for share in (0.2, 0.5, 0.8):
        sending.wait_for_fraction(share)
        faults.restart_redis(environment, RNG)
    assert environment.settle(sending).violations == []
    assert_senders_unaffected(sending)
    # Tasks of the scheduler do not pile up in the queue.
    wait_until(
        lambda: environment.cluster.valkey_command(QUEUE_LENGTH) == b":0\r\n",
        seconds=60,
        what="the queue is empty",
        pause=0.05,
    )
    time.sleep(3)
    assert int(environment.cluster.valkey_command(QUEUE_LENGTH)[1:].strip()) < 10
