"""Changed copies of every sample give valid events, a reason, or a parked message; nothing else.

`make test-full` tries 10,000 copies of each sample.
"""

import random
import time

import pytest

from connectors.sdk.connector import RawMessage
from tests.builders.changed_payloads import changed_copies
from tests.effort import FULL
from tests.unit.connectors.contract_samples import (
    NOW,
    ContractSample,
    all_contract_samples,
    check_outcome,
    parse_as_pipeline,
)

COPIES = 10_000 if FULL else 200
# Far more than any copy needs, so that a slow computer fails no test.
MAX_CPU_SECONDS = 5.0


@pytest.mark.parametrize("sample", all_contract_samples(), ids=str)
def test_changed_copies_are_parsed_ignored_or_parked(sample: ContractSample, run_seed: int) -> None:
    connector = sample.connector()
    chance = random.Random(f"{run_seed} {sample}")
    for number, body in enumerate(changed_copies(sample.body, COPIES, chance)):
        started = time.thread_time()
        try:
            outcome = parse_as_pipeline(connector, RawMessage(body, sample.headers, NOW))
            check_outcome(*outcome, NOW)
        except Exception as error:
            error.add_note(f"copy {number} of {sample}: {body[:2000]!r}")
            raise
        assert time.thread_time() - started < MAX_CPU_SECONDS, body[:2000]
