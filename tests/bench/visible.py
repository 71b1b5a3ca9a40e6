"""From the webhook to the open page: socket, then the order's page over HTTP."""

import json
import threading
import time

import httpx2
from django.db import connection
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as open_socket
from websockets.typing import Origin

from tests.bench import course, setup
from tests.bench.processes import memory_of
from tests.bench.report import Line, Sample, percentile
from tests.bench.size import Size
from tests.bench.stage import Stage, Took, hang_up
from visibility.db.clock import database_now
from visibility.master_data import imports
from visibility.master_data.tables import TABLES
from visibility.models.imports import ImportState, MasterImport

RATE = 50
CODES = ("received", "released", "allocated", "shipped", "delivered", "invoiced")
SEEN = """
SELECT o.object_id, o.number, m.code FROM visibility_milestone m
JOIN visibility_order o ON o.object_id = m.order_id WHERE o.number = ANY(%s)
"""
Step = tuple[str, str]


class Page:
    """A page that listens, asks what became visible, and fetches one of its orders."""

    def __init__(self, stage: Stage, wanted: set[Step]) -> None:
        self.cookie = setup.signed_in().cookies["sessionid"].value
        self.base = f"http://127.0.0.1:{stage.port}"
        self.wanted = wanted
        self.seen: dict[Step, float] = {}

    def follow(self, seconds: float) -> None:
        """Until everything was seen."""
        headers = {"cookie": f"sessionid={self.cookie}"}
        end = time.perf_counter() + seconds
        url = f"{self.base.replace('http', 'ws')}/ws/live"
        with (
            open_socket(url, origin=Origin(self.base), additional_headers=headers) as socket,
            httpx2.Client(base_url=self.base, headers=headers) as client,
        ):
            while self.seen.keys() != self.wanted:
                if time.perf_counter() > end:
                    raise RuntimeError(f"{len(self.wanted) - len(self.seen)} were never seen")
                if _changed(socket):
                    self.look(client)

    def look(self, client: httpx2.Client) -> None:
        """What is new is visible once the page has come."""
        numbers = {number for number, _ in self.wanted - self.seen.keys()}
        with connection.cursor() as cursor:
            cursor.execute(SEEN, [list(numbers)])
            found = {(number, code): pk for pk, number, code in cursor.fetchall()}
        fresh = found.keys() & (self.wanted - self.seen.keys())
        if fresh:
            client.get(f"/orders/{found[next(iter(fresh))]}").raise_for_status()
            self.seen.update(dict.fromkeys(fresh, time.perf_counter()))


def _changed(socket: ClientConnection) -> bool:
    try:
        said = json.loads(socket.recv(timeout=0.5))
    except TimeoutError:
        return False
    except ConnectionClosed as error:
        raise RuntimeError("the live socket was closed") from error
    return bool(said["type"] == "change")


def visible(stage: Stage, size: Size) -> list[Line]:
    """Fifty messages a second into web, worker and scheduler; and what memory they take.

    Then the same again while a large file of items is being loaded.
    """
    stage.start_web()
    stage.start_worker()
    stage.start_scheduler()
    _waits(stage, 1, "V")  # the first page of a process is made from its sources
    quiet = _waits(stage, size.seconds, "X")
    lines = [
        Line(code, Sample.of([percentile(quiet, share)]))
        for code, share in (("visible_p50", 0.5), ("visible_p95", 0.95))
    ]
    lines += _memory(stage)
    file = _load_items(size.items)
    busy = _waits(stage, size.seconds, "Y")
    file.refresh_from_db()
    lines.append(
        Line(
            "visible_loading",
            Sample.of([percentile(busy, 0.95)]),
            note=f"{percentile(busy, 0.95) / percentile(quiet, 0.95):.2f}x of undisturbed; "
            f"{size.items} rows, {file.state} {file.done} of them at the end",
        )
    )
    stage.product.stop("worker", "scheduler")
    return lines


def _waits(stage: Stage, seconds: float, prefix: str) -> list[float]:
    """Milliseconds from each message to the page that shows it."""
    orders = max(int(RATE * seconds / len(course.STEPS)), 1)
    page = Page(stage, {(f"SO-{prefix}{n:07}", code) for n in range(orders) for code in CODES})
    took: list[Took] = []
    sender = threading.Thread(
        target=lambda: took.append(
            stage.load(stage.port, stage.product, prefix=prefix, orders=orders, rate=RATE)
        )
    )
    sender.start()
    page.follow(seconds=60 + 10 * seconds)
    sender.join()
    sent = {
        (f"SO-{told.key.split('-')[1]}", CODES[int(told.key[-1])]): took[0].began + place / RATE
        for place, told in enumerate(course.messages(prefix, 0, orders, database_now()))
    }
    return [1000 * (at - sent[step]) for step, at in page.seen.items()]


def _load_items(rows: int) -> MasterImport:
    """Hand a file of so many items over, and wait until it is being read."""
    head = b"number,title,unit\n"
    pieces = (f"ITEM-{n:07},Cable gland {n},EA\n".encode() for n in range(rows))
    kept = imports.keep(
        TABLES["item"],
        (head, *pieces),
        name="items.csv",
        format="csv",
        apply=True,
        who=None,
        now=database_now(),
    )
    end = time.monotonic() + 60
    while kept.state == ImportState.WAITING and time.monotonic() < end:
        time.sleep(0.1)
        kept.refresh_from_db()
    if kept.state == ImportState.WAITING:
        raise RuntimeError("nobody began to load the file")
    return kept


def _memory(stage: Stage) -> list[Line]:
    hang_up()  # what the bench itself has open at the server is not the product's
    pids = stage.meter(stage.product).pids
    found = {name: memory_of(pid) for name, pid in pids.items()}
    return [
        Line(
            code,
            Sample.of([sum(getattr(m, part) for m in found.values()) / 1024]),
            note=", ".join(f"{n} {getattr(m, part) / 1024:.0f}" for n, m in found.items()),
        )
        for code, part in (("memory", "pss"), ("memory_peak", "peak"))
    ]
