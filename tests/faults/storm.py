"""F38: faults at random from F01 to F14 while messages come in, by a seed that is printed."""

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.faults.bed import Bed
from tests.faults.faults import FAULTS
from tests.faults.installation import PREFORK
from tests.faults.sending import Heard
from tests.faults.story import Message
from tests.faults.verdict import Verdict

# A worker besides whose pool has children, for F03.
POOL = (*PREFORK, "--hostname", "pool@%h")


@dataclass
class Storm:
    """What happened."""

    seed: int
    faults: Counter[str] = field(default_factory=Counter)
    heard: Heard = field(default_factory=Heard)
    verdict: Verdict = field(default_factory=Verdict)
    kills: int = 0


def storm(
    bed: Bed,
    messages: Sequence[Message],
    *,
    kills: int,
    seed: int,
    rate: float,
    say: Callable[[str], None] = print,
    patience: float = 120,
) -> Storm:
    """Send, and meanwhile do harm until so many processes and servers were killed; then judge."""
    found, chance = Storm(seed), random.Random(seed)
    say(f"seed {seed}: {len(messages)} messages, {rate:.0f} a second, {kills} kills")
    for name, words in (("worker-pool", POOL), ("worker-2", ())):
        if name not in bed.installation.processes:
            bed.installation.add(name, words)
    before = bed.kills
    sending = bed.send(messages, rate=rate, seed=seed, patience=5)
    while found.kills < kills:
        _wait(bed, lambda: sending.done or sending.share >= found.kills / kills)
        code = chance.choice(sorted(FAULTS))
        began = time.monotonic()
        FAULTS[code](bed, chance)
        bed.installation.revive()
        found.faults[code] += 1
        found.kills = bed.kills - before
        say(
            f"{code} took {time.monotonic() - began:.1f} s; kills {found.kills}, "
            f"accepted {len(sending.heard.accepted)} of {len(messages)}"
        )
    _wait(bed, lambda: sending.share >= 1 or sending.done)
    found.heard = sending.heard
    found.verdict = bed.settle(sending, seconds=patience, deadline=patience)
    return found


def _wait(bed: Bed, over: Callable[[], bool]) -> None:
    """Look after the processes until it is over, and note what memory they take."""
    noted = 0.0
    while not over():
        bed.installation.revive()
        if time.monotonic() - noted > 2:
            noted = time.monotonic()
            bed.installation.measure()
        time.sleep(0.05)
