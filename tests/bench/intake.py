"""Intake: singly, in batches, and how long an answer takes at half of the full load."""

import json
from collections.abc import Sequence

from tests.bench import course
from tests.bench.report import Line, Sample, percentile
from tests.bench.size import Size
from tests.bench.stage import Stage, Took

BATCH_CONNECTIONS = 4


def intake(stage: Stage, size: Size) -> list[Line]:
    """One signed message a request, on 32 connections."""
    _start(stage)
    ours, plain, raw = [], [], []
    for turn in range(size.repeats):
        ours.append(stage.load(stage.port, stage.product, prefix=f"I{turn}", orders=size.intake))
        plain.append(
            stage.load(stage.plain_port, stage.plain, prefix=f"I{turn}", orders=size.plain_intake)
        )
        raw.append(_raw(stage, prefix=f"I{turn}", orders=size.intake))
    waits = [_half(stage, size, ours, plain=False), _half(stage, size, plain, plain=True)]
    singly, cpu = _beside("intake", ours, plain, raw)
    return [
        singly,
        cpu,
        *(
            Line(code, _percentile(waits[0], share), _percentile(waits[1], share))
            for code, share in (("intake_p50", 0.5), ("intake_p99", 0.99))
        ),
    ]


def batches(stage: Stage, size: Size) -> list[Line]:
    """NDJSON to /api/v1/events."""
    _start(stage)
    ours, plain, raw = [], [], []
    asked = {"batch": size.batch, "connections": BATCH_CONNECTIONS}
    for turn in range(size.repeats):
        scope = {"prefix": f"B{turn}", **asked}
        ours.append(stage.load(stage.port, stage.product, orders=size.batched, **scope))
        plain.append(stage.load(stage.plain_port, stage.plain, orders=size.plain_batched, **scope))
        raw.append(_raw(stage, prefix=f"B{turn}", orders=size.batched, copy=1000))
    return _beside("batches", ours, plain, raw)


def _start(stage: Stage) -> None:
    """Both web servers, warm."""
    stage.start_web()
    stage.start_plain_web()
    stage.load(stage.port, stage.product, prefix="W", orders=10)
    stage.load(stage.plain_port, stage.plain, prefix="W", orders=10)


def _half(stage: Stage, size: Size, full: Sequence[Took], *, plain: bool) -> Sequence[float]:
    """The waits at half of the rate each reached itself, each counted from when it was due."""
    rate = rates(full).median / 2
    port, processes = (stage.plain_port, stage.plain) if plain else (stage.port, stage.product)
    orders = max(int(rate * size.seconds / len(course.STEPS)), 1)
    return stage.load(port, processes, prefix="H", orders=orders, rate=rate, connections=64).waits


def _raw(stage: Stage, **asked: object) -> Took:
    words = [w for name, value in asked.items() for w in (f"--{name}", str(value))]
    stage.plain.environment["RAW_URL"] = stage.servers.raw
    meter = stage.meter(stage.plain)
    meter.start()
    said = json.loads(stage.plain.run("tests.bench.raw", *words))
    return Took(said["requests"], said["seconds"], meter.used(), (), said["cpu"])


def _beside(
    code: str, ours: Sequence[Took], plain: Sequence[Took], raw: Sequence[Took]
) -> list[Line]:
    client = Sample.of(1000 * took.client_cpu / took.count for took in ours)
    note = f"the generator's own CPU {client} ms"
    return [
        Line(code, rates(ours), rates(plain), rates(raw), note=note),
        Line(f"{code}_cpu", cpu_each(ours), cpu_each(plain), note=spent(ours)),
    ]


def _percentile(waits: Sequence[float], share: float) -> Sample:
    return Sample.of([1000 * percentile(waits, share)])


def rates(runs: Sequence[Took]) -> Sample:
    """How many a second."""
    return Sample.of(took.rate for took in runs)


def cpu_each(runs: Sequence[Took]) -> Sample:
    """Milliseconds of CPU for each."""
    return Sample.of(took.cpu_each for took in runs)


def spent(runs: Sequence[Took]) -> str:
    """Whose the CPU was, in milliseconds each."""
    names = [name for name in runs[0].cpu if any(took.cpu[name] for took in runs)]
    parts = {n: Sample.of(1000 * took.cpu[n] / took.count for took in runs) for n in names}
    return ", ".join(f"{name} {sample.median:.3g}" for name, sample in parts.items())
