"""Measure intake: single webhooks, batches, and response times at half of the maximum rate."""

import json
from collections.abc import Sequence

from tests.bench import workload
from tests.bench.environment import BenchEnvironment, Measurement
from tests.bench.report import ReportLine, Sample, percentile
from tests.bench.sizes import BenchSize

BATCH_CONNECTIONS = 4


def measure_webhooks(stage: BenchEnvironment, size: BenchSize) -> list[ReportLine]:
    """Measure one signed message per request on 32 connections."""
    _start(stage)
    product, plain, raw = [], [], []
    for turn in range(size.repeats):
        product.append(
            stage.run_load(stage.port, stage.product, prefix=f"I{turn}", orders=size.intake)
        )
        plain.append(
            stage.run_load(
                stage.plain_port, stage.plain, prefix=f"I{turn}", orders=size.plain_intake
            )
        )
        raw.append(_insert_limit(stage, prefix=f"I{turn}", orders=size.intake))
    waits = [
        _waits_at_half_rate(stage, size, product, plain=False),
        _waits_at_half_rate(stage, size, plain, plain=True),
    ]
    throughput, cpu = _compare("intake", product, plain, raw)
    return [
        throughput,
        cpu,
        *(
            ReportLine(code, _percentile(waits[0], share), _percentile(waits[1], share))
            for code, share in (("intake_p50", 0.5), ("intake_p99", 0.99))
        ),
    ]


def measure_batches(stage: BenchEnvironment, size: BenchSize) -> list[ReportLine]:
    """Measure NDJSON batches posted to /api/v1/events."""
    _start(stage)
    product, plain, raw = [], [], []
    options = {"batch": size.batch, "connections": BATCH_CONNECTIONS}
    for turn in range(size.repeats):
        scope = {"prefix": f"B{turn}", **options}
        product.append(stage.run_load(stage.port, stage.product, orders=size.batched, **scope))
        plain.append(
            stage.run_load(stage.plain_port, stage.plain, orders=size.plain_batched, **scope)
        )
        raw.append(_insert_limit(stage, prefix=f"B{turn}", orders=size.batched, copy=1000))
    return _compare("batches", product, plain, raw)


def _start(stage: BenchEnvironment) -> None:
    """Start and warm up both web servers."""
    stage.start_web()
    stage.start_plain_web()
    stage.run_load(stage.port, stage.product, prefix="W", orders=10)
    stage.run_load(stage.plain_port, stage.plain, prefix="W", orders=10)


def _waits_at_half_rate(
    stage: BenchEnvironment, size: BenchSize, full: Sequence[Measurement], *, plain: bool
) -> Sequence[float]:
    """Response times at half of the implementation's own maximum rate.

    Each is measured from the time the request was due, not from when it was sent.
    """
    rate = rates(full).median / 2
    port, processes = (stage.plain_port, stage.plain) if plain else (stage.port, stage.product)
    orders = max(int(rate * size.seconds / len(workload.STEPS)), 1)
    return stage.run_load(
        port, processes, prefix="H", orders=orders, rate=rate, connections=64
    ).waits


def _insert_limit(stage: BenchEnvironment, **options: object) -> Measurement:
    arguments = [a for name, value in options.items() for a in (f"--{name}", str(value))]
    stage.plain.environment["RAW_URL"] = stage.servers.raw
    meter = stage.meter(stage.plain)
    meter.start()
    result = json.loads(stage.plain.run("tests.bench.insert_limit", *arguments))
    return Measurement(result["requests"], result["seconds"], meter.used(), (), result["cpu"])


def _compare(
    code: str,
    product: Sequence[Measurement],
    plain: Sequence[Measurement],
    raw: Sequence[Measurement],
) -> list[ReportLine]:
    client = Sample.of(1000 * run.client_cpu / run.count for run in product)
    note = f"CPU of the load generator {client} ms"
    return [
        ReportLine(code, rates(product), rates(plain), rates(raw), note=note),
        ReportLine(f"{code}_cpu", cpu_each(product), cpu_each(plain), note=cpu_by_process(product)),
    ]


def _percentile(waits: Sequence[float], share: float) -> Sample:
    return Sample.of([1000 * percentile(waits, share)])


def rates(runs: Sequence[Measurement]) -> Sample:
    """Messages per second."""
    return Sample.of(run.rate for run in runs)


def cpu_each(runs: Sequence[Measurement]) -> Sample:
    """Milliseconds of CPU per message."""
    return Sample.of(run.cpu_each for run in runs)


def cpu_by_process(runs: Sequence[Measurement]) -> str:
    """Milliseconds of CPU per message, by process."""
    names = [name for name in runs[0].cpu if any(run.cpu[name] for run in runs)]
    samples = {n: Sample.of(1000 * run.cpu[n] / run.count for run in runs) for n in names}
    return ", ".join(f"{name} {sample.median:.3g}" for name, sample in samples.items())
