"""Measure the time from a webhook to the updated page: socket message, then page over HTTP."""

import json
import threading
import time

import httpx2
from django.db import connection
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as open_socket
from websockets.typing import Origin

from tests.bench import setup, workload
from tests.bench.environment import BenchEnvironment, Measurement, close_connections
from tests.bench.processes import memory_of
from tests.bench.report import ReportLine, Sample, percentile
from tests.bench.sizes import BenchSize
from visibility.db.database_time import database_now
from visibility.master_data import imports
from visibility.master_data.tables import TABLES
from visibility.models.imports import ImportState, MasterImport

RATE = 50
CODES = ("received", "released", "allocated", "shipped", "delivered", "invoiced")
VISIBLE_MILESTONES = """
SELECT o.object_id, o.number, m.code FROM visibility_milestone m
JOIN visibility_order o ON o.object_id = m.order_id WHERE o.number = ANY(%s)
"""
OrderMilestone = tuple[str, str]


class SimulatedPage:
    """A simulated open page: listens on the socket and fetches an order that changed."""

    def __init__(self, stage: BenchEnvironment, expected: set[OrderMilestone]) -> None:
        self.cookie = setup.signed_in_client().cookies["sessionid"].value
        self.base = f"http://127.0.0.1:{stage.port}"
        self.expected = expected
        self.seen: dict[OrderMilestone, float] = {}

    def follow(self, seconds: float) -> None:
        """Listen until every expected milestone was seen. Raises RuntimeError on timeout."""
        headers = {"cookie": f"sessionid={self.cookie}"}
        end = time.perf_counter() + seconds
        url = f"{self.base.replace('http', 'ws')}/ws/live"
        with (
            open_socket(url, origin=Origin(self.base), additional_headers=headers) as socket,
            httpx2.Client(base_url=self.base, headers=headers) as client,
        ):
            while self.seen.keys() != self.expected:
                if time.perf_counter() > end:
                    raise RuntimeError(
                        f"{len(self.expected) - len(self.seen)} milestones were never visible"
                    )
                if _receive_change(socket):
                    self.find_visible(client)

    def find_visible(self, client: httpx2.Client) -> None:
        """Find new milestones; they count as visible once the order page has loaded."""
        numbers = {number for number, _ in self.expected - self.seen.keys()}
        with connection.cursor() as cursor:
            cursor.execute(VISIBLE_MILESTONES, [list(numbers)])
            visible = {(number, code): pk for pk, number, code in cursor.fetchall()}
        new = visible.keys() & (self.expected - self.seen.keys())
        if new:
            client.get(f"/orders/{visible[next(iter(new))]}").raise_for_status()
            self.seen.update(dict.fromkeys(new, time.perf_counter()))


def _receive_change(socket: ClientConnection) -> bool:
    try:
        message = json.loads(socket.recv(timeout=0.5))
    except TimeoutError:
        return False
    except ConnectionClosed as error:
        raise RuntimeError("the live socket was closed") from error
    return bool(message["type"] == "change")


def measure_visibility(stage: BenchEnvironment, size: BenchSize) -> list[ReportLine]:
    """Measure 50 messages per second through web, worker and scheduler, and their memory.

    Measure again during the import of a large item file.
    """
    stage.start_web()
    stage.start_worker()
    stage.start_scheduler()
    milliseconds_until_visible(stage, 1, "V")  # the first page of a process compiles its templates
    baseline = milliseconds_until_visible(stage, size.seconds, "X")
    lines = [
        ReportLine(code, Sample.of([percentile(baseline, share)]))
        for code, share in (("visible_p50", 0.5), ("visible_p95", 0.95))
    ]
    lines += _memory(stage)
    master_import = _load_items(size.items)
    during_import = milliseconds_until_visible(stage, size.seconds, "Y")
    master_import.refresh_from_db()
    lines.append(
        ReportLine(
            "visible_loading",
            Sample.of([percentile(during_import, 0.95)]),
            note=f"{percentile(during_import, 0.95) / percentile(baseline, 0.95):.2f}x "
            "the value without import; "
            f"{size.items} rows, {master_import.state}, {master_import.done} rows done",
        )
    )
    stage.product.stop("worker", "scheduler")
    return lines


def milliseconds_until_visible(stage: BenchEnvironment, seconds: float, prefix: str) -> list[float]:
    """Milliseconds from each message to the page that shows it."""
    orders = max(int(RATE * seconds / len(workload.STEPS)), 1)
    page = SimulatedPage(
        stage, {(f"SO-{prefix}{n:07}", code) for n in range(orders) for code in CODES}
    )
    runs: list[Measurement] = []
    sender = threading.Thread(
        target=lambda: runs.append(
            stage.run_load(stage.port, stage.product, prefix=prefix, orders=orders, rate=RATE)
        )
    )
    sender.start()
    page.follow(seconds=60 + 10 * seconds)
    sender.join()
    sent = {
        (f"SO-{message.key.split('-')[1]}", CODES[int(message.key[-1])]): runs[0].started
        + index / RATE
        for index, message in enumerate(workload.messages(prefix, 0, orders, database_now()))
    }
    return [1000 * (at - sent[step]) for step, at in page.seen.items()]


def _load_items(rows: int) -> MasterImport:
    """Start the import of a file with `rows` items and wait until it is being read."""
    header = b"number,title,unit\n"
    lines = (f"ITEM-{n:07},Cable gland {n},EA\n".encode() for n in range(rows))
    master_import = imports.store_import_file(
        TABLES["item"],
        (header, *lines),
        name="items.csv",
        format="csv",
        auto_apply=True,
        user=None,
        now=database_now(),
    )
    end = time.monotonic() + 60
    while master_import.state == ImportState.WAITING and time.monotonic() < end:
        time.sleep(0.1)
        master_import.refresh_from_db()
    if master_import.state == ImportState.WAITING:
        raise RuntimeError("no worker started the import")
    return master_import


def _memory(stage: BenchEnvironment) -> list[ReportLine]:
    close_connections()  # connections of this process must not count as memory of the product
    pids = stage.meter(stage.product).pids
    usage = {name: memory_of(pid) for name, pid in pids.items()}
    return [
        ReportLine(
            code,
            Sample.of([sum(getattr(m, field) for m in usage.values()) / 1024]),
            note=", ".join(f"{n} {getattr(m, field) / 1024:.0f}" for n, m in usage.items()),
        )
        for code, field in (("memory", "pss"), ("memory_peak", "peak"))
    ]
