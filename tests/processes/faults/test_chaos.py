"""F38 at a small size; `manage.py soak` runs it at full size."""

import random

from tests.processes.faults.chaos import run_chaos
from tests.processes.faults.environment import FaultEnvironment


def test_f38_random_faults_lose_nothing_and_change_no_derived_state(
    environment: FaultEnvironment,
) -> None:
    seed = random.SystemRandom().randrange(100_000)
    messages = environment.order_messages(f"F38-{seed}", count=250, seed=seed)
    result = run_chaos(environment, messages, kills=10, seed=seed, rate=25)
    assert result.verdict.violations == [], f"seed {seed}"
    assert result.kills >= 10
