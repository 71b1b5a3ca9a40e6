"""F38: random faults from F01 to F14 while messages arrive. The random seed is printed."""

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.processes.faults.assertions import CheckResult
from tests.processes.faults.environment import FaultEnvironment
from tests.processes.faults.faults import FAULTS
from tests.processes.faults.installation import PREFORK
from tests.processes.faults.order_messages import FaultMessage
from tests.processes.faults.senders import SenderLog

# An additional prefork worker, whose child processes F03 kills.
POOL_WORKER = (*PREFORK, "--hostname", "pool@%h")


@dataclass
class ChaosResult:
    """The result of a random run."""

    seed: int
    faults: Counter[str] = field(default_factory=Counter)
    responses: SenderLog = field(default_factory=SenderLog)
    verdict: CheckResult = field(default_factory=CheckResult)
    kills: int = 0


def run_chaos(
    environment: FaultEnvironment,
    messages: Sequence[FaultMessage],
    *,
    kills: int,
    seed: int,
    rate: float,
    log: Callable[[str], None] = print,
    timeout: float = 120,
) -> ChaosResult:
    """Send messages and inject faults until `kills` kills were reached; then check everything."""
    result, rng = ChaosResult(seed), random.Random(seed)
    log(f"seed {seed}: {len(messages)} messages, {rate:.0f} per second, {kills} kills")
    for name, arguments in (("worker-pool", POOL_WORKER), ("worker-2", ())):
        if name not in environment.installation.processes:
            environment.installation.add(name, arguments)
    before = environment.kills
    sending = environment.send(messages, rate=rate, seed=seed, timeout=5)
    while result.kills < kills:
        _wait(environment, lambda: sending.done or sending.fraction >= result.kills / kills)
        code = rng.choice(sorted(FAULTS))
        started = time.monotonic()
        FAULTS[code](environment, rng)
        environment.installation.restart_exited()
        result.faults[code] += 1
        result.kills = environment.kills - before
        log(
            f"{code} took {time.monotonic() - started:.1f} s; kills {result.kills}, "
            f"accepted {len(sending.log.accepted)} of {len(messages)}"
        )
    _wait(environment, lambda: sending.fraction >= 1 or sending.done)
    result.responses = sending.log
    result.verdict = environment.settle(sending, seconds=timeout, deadline=timeout)
    return result


def _wait(environment: FaultEnvironment, over: Callable[[], bool]) -> None:
    """Restart processes that exit and record their memory until `over()` is true."""
    measured_at = 0.0
    while not over():
        environment.installation.restart_exited()
        if time.monotonic() - measured_at > 2:
            measured_at = time.monotonic()
            environment.installation.record_memory()
        time.sleep(0.05)
