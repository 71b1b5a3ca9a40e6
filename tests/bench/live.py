"""Live push: a change in the database to every open socket."""

import json
import resource
import subprocess
import sys
import time
from bisect import bisect_left

from django.db import transaction

from tests.bench import setup
from tests.bench.report import Line, Sample, percentile
from tests.bench.size import Size
from tests.bench.stage import Stage
from visibility.db.change_feed import change
from visibility.launcher.instance import CHECKOUT
from visibility.notify.broadcast import announce

A_SECOND = 5
# Of one session the hub takes no more.
A_SESSION = 40


def live(stage: Stage, size: Size) -> list[Line]:
    """Five changes a second."""
    _allow_files(4 * size.sockets + 200)
    stage.start_web()
    cookies = [
        setup.signed_in().cookies["sessionid"].value for _ in range(size.sockets // A_SESSION + 1)
    ]
    asked = {"port": stage.port, "cookies": cookies, "sockets": size.sockets}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.ears"],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as ears:
        assert ears.stdin
        assert ears.stdout
        ears.stdin.write(json.dumps(asked) + "\n")
        ears.stdin.flush()
        if ears.stdout.readline().strip() != "ready":
            raise RuntimeError(f"the sockets were not let in:\n{stage.product.log('web')}")
        meter = stage.meter(stage.product)
        meter.start()
        told = _tell(int(A_SECOND * size.seconds))
        used = meter.used()
        heard = json.loads(ears.communicate()[0])
    waits = [1000 * wait for one in heard for wait in _waits(told, one)]
    received = sum(len(one) for one in heard)
    return [
        Line("live_p50", Sample.of([percentile(waits, 0.5)]), note=f"{size.sockets} sockets"),
        Line("live_p99", Sample.of([percentile(waits, 0.99)])),
        Line("live_cpu", Sample.of([1e6 * used["web"] / received]), note="of the web process"),
    ]


def _tell(times: int) -> dict[int, float]:
    """Change number -> when it was committed."""
    told = {}
    began = time.perf_counter()
    for place in range(times):
        time.sleep(max(began + place / A_SECOND - time.perf_counter(), 0))
        with transaction.atomic():
            head = change({"order": [place + 1]})
        told[head] = time.perf_counter()
        announce(head, ["order"])
    time.sleep(1)
    return told


def _waits(told: dict[int, float], heard: list[tuple[int, float]]) -> list[float]:
    """From each change to the first word that covers it."""
    heads = [head for head, _ in heard]
    found = [(at, bisect_left(heads, head)) for head, at in told.items()]
    if any(place == len(heard) for _, place in found):
        raise RuntimeError("a socket never heard of a change")
    return [heard[place][1] - at for at, place in found]


def _allow_files(wanted: int) -> None:
    """Each socket is a file in two processes; both inherit this."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
