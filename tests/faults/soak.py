"""`manage.py soak`: the random run at full size, and a table of what it showed."""

import argparse
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.faults.bed import Bed
from tests.faults.installation import Installation
from tests.faults.storm import Storm, storm

MOST_MEMORY = 350 * 1024


def main(argv: Sequence[str]) -> int:
    """Run, print, and answer 1 when any promise was broken."""
    options = _parse(argv)
    folder = Path(tempfile.mkdtemp(prefix="throughline-soak-"))
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {line}", flush=True)

    say(f"starting servers and processes in {folder}")
    bed = Bed(folder, quick=False)
    try:
        bed.start()
        found = storm(
            bed,
            bed.stories("soak", count=options.messages, seed=options.seed),
            kills=options.kills or max(1, options.messages // 500),
            seed=options.seed,
            rate=options.messages / (options.minutes * 60),
            say=say,
            patience=600,
        )
        breaches = [*found.verdict.broken, *_too_large(bed.installation)]
        print("\n".join(("", *table(found, bed.installation))))
    finally:
        bed.stop()
    for sentence in breaches:
        print(f"BROKEN  {sentence}")
    if breaches:
        print(f"the logs are kept in {folder / 'data'}")
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    return 0


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="manage.py soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30, help="how long messages come in")
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=0, help="default: one for 500 messages")
    parser.add_argument("--seed", type=int, default=int(time.monotonic() * 1000) % 100_000)
    return parser.parse_args(argv)


def table(found: Storm, installation: Installation) -> Iterator[str]:
    """The figures, one on each line."""
    verdict, heard = found.verdict, found.heard
    took = sorted(heard.took)
    faults = " ".join(f"{code}:{n}" for code, n in sorted(found.faults.items()))
    refused = " ".join(f"{status}:{n}" for status, n in sorted(heard.refused.items())) or "none"
    rows = {
        "seed": found.seed,
        "accepted": verdict.accepted,
        "lost": verdict.lost,
        "doubled": verdict.doubled,
        "faults": f"{sum(found.faults.values())} ({faults})",
        "kills": found.kills,
        "facts identical": "yes" if verdict.identical else "no",
        "refusals by status": refused,
        "tries without an answer": heard.unanswered,
        "answers": f"p50 {_at(took, 0.5)} p99 {_at(took, 0.99)} slowest {heard.slowest:.2f} s",
    }
    for name, value in rows.items():
        yield f"{name:24} {value}"
    yield f"{'memory (MiB, mean)':24} first third, last third, most"
    for name, process in sorted(installation.processes.items()):
        kib = [size for _, size in process.memory if size]
        third = max(1, len(kib) // 3)
        if kib:
            first, last = (sum(some) / len(some) / 1024 for some in (kib[:third], kib[-third:]))
            yield f"  {name:22} {first:.0f}, {last:.0f}, {max(kib) / 1024:.0f}"


def _at(took: Sequence[float], share: float) -> str:
    return f"{took[int(len(took) * share)] * 1000:.0f} ms" if took else "-"


def _too_large(installation: Installation) -> list[str]:
    return [
        f"{name} took {max(size for _, size in process.memory) // 1024} MiB"
        for name, process in sorted(installation.processes.items())
        if process.memory and max(size for _, size in process.memory) > MOST_MEMORY
    ]
