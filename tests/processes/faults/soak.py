"""`manage.py soak`: random faults at full size, and a table with the results."""

import argparse
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.processes.faults.chaos import ChaosResult, run_chaos
from tests.processes.faults.environment import FaultEnvironment
from tests.processes.faults.installation import FaultInstallation

MAX_MEMORY_KIB = 350 * 1024


def main(argv: Sequence[str]) -> int:
    """Run, print the results, and return 1 if any guarantee was violated."""
    options = _parse(argv)
    folder = Path(tempfile.mkdtemp(prefix="throughline-soak-"))
    started = time.monotonic()

    def log(line: str) -> None:
        print(f"{time.monotonic() - started:7.1f} s  {line}", flush=True)

    log(f"starting servers and processes in {folder}")
    environment = FaultEnvironment(folder, quick=False)
    try:
        environment.start()
        result = run_chaos(
            environment,
            environment.order_messages("soak", count=options.messages, seed=options.seed),
            kills=options.kills or max(1, options.messages // 500),
            seed=options.seed,
            rate=options.messages / (options.minutes * 60),
            log=log,
            timeout=600,
        )
        violations = [*result.verdict.violations, *_memory_violations(environment.installation)]
        print("\n".join(("", *table(result, environment.installation))))
    finally:
        environment.stop()
    for violation in violations:
        print(f"FAILED  {violation}")
    if violations:
        print(f"Logs: {folder / 'data'}")
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    return 0


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="manage.py soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30, help="duration of sending")
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=0, help="default: one per 500 messages")
    parser.add_argument("--seed", type=int, default=int(time.monotonic() * 1000) % 100_000)
    return parser.parse_args(argv)


def table(result: ChaosResult, installation: FaultInstallation) -> Iterator[str]:
    """The results, one per line."""
    verdict, responses = result.verdict, result.responses
    times = sorted(responses.response_times)
    faults = " ".join(f"{code}:{n}" for code, n in sorted(result.faults.items()))
    rejected = (
        " ".join(f"{status}:{n}" for status, n in sorted(responses.rejected.items())) or "none"
    )
    rows = {
        "seed": result.seed,
        "accepted": verdict.accepted,
        "lost": verdict.lost,
        "stored twice": verdict.stored_twice,
        "faults": f"{sum(result.faults.values())} ({faults})",
        "kills": result.kills,
        "state identical": "yes" if verdict.identical else "no",
        "rejections by status": rejected,
        "attempts without response": responses.unanswered,
        "response times": f"P50 {_at(times, 0.5)} P99 {_at(times, 0.99)} "
        f"max {responses.slowest:.2f} s",
    }
    for name, value in rows.items():
        yield f"{name:24} {value}"
    yield f"{'memory (MiB, mean)':24} first third, last third, max"
    for name, process in sorted(installation.processes.items()):
        kib = [size for _, size in process.memory if size]
        third = max(1, len(kib) // 3)
        if kib:
            first, last = (sum(sizes) / len(sizes) / 1024 for sizes in (kib[:third], kib[-third:]))
            yield f"  {name:22} {first:.0f}, {last:.0f}, {max(kib) / 1024:.0f}"


def _at(times: Sequence[float], share: float) -> str:
    return f"{times[int(len(times) * share)] * 1000:.0f} ms" if times else "-"


def _memory_violations(installation: FaultInstallation) -> list[str]:
    return [
        f"{name} used {max(size for _, size in process.memory) // 1024} MiB"
        for name, process in sorted(installation.processes.items())
        if process.memory and max(size for _, size in process.memory) > MAX_MEMORY_KIB
    ]
