"""Live push: latency and CPU from a commit to every open socket."""

import json
import resource
import subprocess
import sys
import time
from bisect import bisect_left

from django.db import transaction

from tests.bench import setup
from tests.bench.environment import BenchEnvironment
from tests.bench.report import ReportLine, Sample, percentile
from tests.bench.sizes import BenchSize
from visibility.db.change_feed import append_changes
from visibility.launcher.instance_lock_and_environment import CHECKOUT
from visibility.notify.publish_change_number import broadcast_change_number

CHANGES_PER_SECOND = 5
# The hub accepts 50 per session.
SOCKETS_PER_SESSION = 40


def measure_live_push(stage: BenchEnvironment, size: BenchSize) -> list[ReportLine]:
    """Measure the 50th and 99th percentile of the latency, and the CPU per delivery."""
    _raise_file_limit(4 * size.sockets + 200)
    stage.start_web()
    cookies = [
        setup.signed_in_client().cookies["sessionid"].value
        for _ in range(size.sockets // SOCKETS_PER_SESSION + 1)
    ]
    arguments = {"port": stage.port, "cookies": cookies, "sockets": size.sockets}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.websocket_clients"],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as clients:
        assert clients.stdin
        assert clients.stdout
        clients.stdin.write(json.dumps(arguments) + "\n")
        clients.stdin.flush()
        if clients.stdout.readline().strip() != "ready":
            raise RuntimeError(f"the sockets did not connect:\n{stage.product.log('web')}")
        meter = stage.meter(stage.product)
        meter.start()
        committed_at = _publish_changes(int(CHANGES_PER_SECOND * size.seconds))
        used = meter.used()
        received = json.loads(clients.communicate()[0])
    waits = [1000 * wait for changes in received for wait in _waits(committed_at, changes)]
    deliveries = sum(map(len, received))
    return [
        ReportLine("live_p50", Sample.of([percentile(waits, 0.5)]), note=f"{size.sockets} sockets"),
        ReportLine("live_p99", Sample.of([percentile(waits, 0.99)])),
        ReportLine(
            "live_cpu", Sample.of([1e6 * used["web"] / deliveries]), note="of the web process"
        ),
    ]


def _publish_changes(times: int) -> dict[int, float]:
    """Publish changes at a steady rate; return {change number: commit time}."""
    committed_at = {}
    began = time.perf_counter()
    for index in range(times):
        time.sleep(max(began + index / CHANGES_PER_SECOND - time.perf_counter(), 0))
        with transaction.atomic():
            head = append_changes({"order": [index + 1]})
        committed_at[head] = time.perf_counter()
        broadcast_change_number(head, ["order"])
    time.sleep(1)
    return committed_at


def _waits(committed_at: dict[int, float], received: list[tuple[int, float]]) -> list[float]:
    """Seconds from each commit to the first message with that change number or a later one."""
    heads = [head for head, _ in received]
    arrivals = [(at, bisect_left(heads, head)) for head, at in committed_at.items()]
    if any(index == len(received) for _, index in arrivals):
        raise RuntimeError("a socket missed a change")
    return [received[index][1] - at for at, index in arrivals]


def _raise_file_limit(count: int) -> None:
    """Raise the limit of open files, which child processes inherit: each socket is a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))
