"""`make test-systems`: Tryton 8.0 makes orders in a database of its own, and the product polls it.

Not a part of the suite: pytest collects this file only by name. It installs Tryton from PyPI into
an environment of its own, with SQLite, and fails where that is impossible.
"""

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pytest_django.fixtures import Settings

from tests.product import ROOT, free_port
from tests.systems.installing import TRYTON_MODULES, TRYTON_SERIES, install_tryton
from visibility.db.database_time import database_now
from visibility.ingest import polling
from visibility.ingest.add_source_and_rotate_secret import add_source
from visibility.models import (
    Event,
    InboundMessage,
    MessageState,
    Order,
    Source,
)
from visibility.pipeline import job_functions

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "tryton-password-of-a-test"


@dataclass
class InstalledTryton:
    """A running server, and its own records of the documents that were made in it."""

    folder: Path
    port: int
    records: dict[str, Any]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


@pytest.fixture(scope="module")
def tryton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InstalledTryton]:
    """Install Tryton, start it with an empty database, and make orders through its API."""
    folder = tmp_path_factory.mktemp("tryton")
    programs = install_tryton()
    port = free_port()
    database = folder / "databases" / "shop.sqlite"
    database.parent.mkdir()
    database.touch()  # SQLite databases must exist
    configuration = folder / "trytond.conf"
    configuration.write_text(
        f"[database]\nuri = sqlite://\npath = {database.parent}\n"
        f"[web]\nlisten = 127.0.0.1:{port}\n[session]\nmax_attempt = 1000\n"
    )
    (folder / "password").write_text(PASSWORD)
    environment = {**os.environ, "TRYTONPASSFILE": str(folder / "password")}
    run(
        [str(programs / "trytond-admin"), "-c", str(configuration), "-d", "shop",
         "-u", *TRYTON_MODULES, "--activate-dependencies", "--email", "admin@example.com",
         "--password"],
        environment,
    )  # fmt: skip
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [str(programs / "trytond"), "-c", str(configuration), "-d", "shop"],
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        wait_until_it_answers(server, port, folder)
        url = f"http://admin:{PASSWORD}@127.0.0.1:{port}/shop/rpc/"
        script = str(ROOT / "tests" / "systems" / "tryton_records.py")
        printed = run([str(programs / "python"), script, url], environment)
        yield InstalledTryton(folder, port, json.loads(printed))
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        server.wait(20)


def run(command: list[str], environment: dict[str, str]) -> str:
    """Run a program; return what it printed."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, f"{command[:3]}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout


def wait_until_it_answers(server: "subprocess.Popen[bytes]", port: int, folder: Path) -> None:
    call = {"id": 1, "method": "common.server.version", "params": []}
    for _ in range(300):
        assert server.poll() is None, (folder / "server.log").read_text()
        with suppress(httpx2.HTTPError):
            answer = httpx2.post(f"http://127.0.0.1:{port}/rpc/", json=call).json()
            assert answer["result"] == TRYTON_SERIES
            return
        time.sleep(0.2)
    raise AssertionError("Tryton does not answer")


@pytest.fixture
def source(tryton: InstalledTryton, settings: Settings) -> Source:
    settings.OUTGOING_ALLOWED = [tryton.address]
    config = {
        "base_url": f"http://{tryton.address}",
        "database": "shop",
        "user": "admin",
        "page_size": "2",  # several pages of everything
    }
    now = database_now()
    return add_source("erp", connector="tryton", secret=PASSWORD, config=config, now=now).source


def poll(source: Source, minutes: int = 0) -> Source:
    at = database_now() + timedelta(minutes=minutes)
    (claimed,) = polling.claim_due_polls(at, limit=1, slow_limit=1)
    polling.poll_source(claimed, now=at)
    source.refresh_from_db()
    return source


def test_timelines_say_what_tryton_says(tryton: InstalledTryton, source: Source) -> None:
    assert poll(source).poll_error == ""
    job_functions.process_messages_and_refold()
    assert not InboundMessage.objects.filter(state=MessageState.PARKED).exists()
    check_orders(tryton.records)
    counted = Event.objects.count()
    poll(source, minutes=10)
    job_functions.process_messages_and_refold()
    assert Event.objects.count() == counted, "the second poll shown something else"


def test_log_of_tryton_tells_when_a_sale_was_processed(source: Source) -> None:
    """The events that have a time of their own, and not the one of the last change."""
    poll(source)
    job_functions.process_messages_and_refold()
    released = Event.objects.filter(type="order.released", data__key__endswith=" released")
    assert released
    assert not [e for e in released if "time_of_report" in e.data.get("flags", [])]


def check_orders(records: dict[str, Any]) -> None:
    """Compare the orders with the sales, shipments, returns and invoices of Tryton."""
    sales = {row["number"]: row for row in records["sales"]}
    sold = next(row for row in sales.values() if row["reference"] == "PO-5521")
    returned = next(n for n, row in sales.items() if all(q < 0 for q in row["ordered"].values()))
    cancelled = next(n for n, row in sales.items() if row["state"] == "cancelled")
    assert set(Order.objects.values_list("number", flat=True)) == {sold["number"], cancelled}
    assert Order.objects.get(number=cancelled).status == "cancelled"
    order = Order.objects.get(number=sold["number"])
    assert (order.customer_po, order.customer_name) == ("PO-5521", "Harbor Supply")
    assert order.total == Decimal(sold["total"])
    assert sold["shipment_state"] == "sent"
    invoices = [row for row in records["invoices"] if Decimal(row["total"]) > 0]
    credits = [row for row in records["invoices"] if Decimal(row["total"]) < 0]
    assert (len(invoices), len(credits)) == (2, 1)
    shipments = [row for row in records["shipments"] if row["sale"] == sold["number"]]
    returns = [row for row in records["returns"] if row["sale"] == returned]
    expected = {
        "ordered": Counter(sold["ordered"]),
        "shipped": add_up(row["shipped"] for row in shipments),
        "invoiced": add_up(row["lines"] for row in invoices),
        "returned": add_up(row["returned"] for row in returns),
        "credited": add_up({k: -q for k, q in row["lines"].items()} for row in credits),
    }
    for measure, quantities in expected.items():
        shown = {line.sku: getattr(line, measure) or 0 for line in order.lines.all()}
        assert shown == {sku: quantities.get(sku, 0) for sku in sold["ordered"]}, measure
    check_shipments(order, shipments)
    assert Event.objects.filter(type="invoice.paid").count() == sum(
        row["state"] == "paid" for row in invoices
    )


def check_shipments(order: Order, shipments: list[dict[str, Any]]) -> None:
    """Compare shipments with their numbers, dates, packages and the items in the packages."""
    for row in shipments:
        (event,) = Event.objects.filter(
            type="shipment.confirmed", data__objects__contains=[{"kind": "shipment"}],
            data__attributes__status=row["state"], data__key__startswith="shipment ",
        ).filter(data__icontains=next(iter(row["tracking"])))  # fmt: skip
        data = event.data
        numbers = [i["value"] for ref in data["objects"] for i in ref["identifiers"]]
        assert row["number"] in numbers
        assert data["occurred_at"][:10] == row["date"]
        contents = {
            data["objects"][line["package"]]["identifiers"][0]["value"]: line["sku"]
            for line in data["lines"]
        }
        assert contents == row["tracking"]
    assert order.shipments.count() == len(shipments)


def add_up(rows: Any) -> Counter[str]:
    """The sum of quantities by item."""
    total: Counter[str] = Counter()
    for row in rows:
        total.update(row)
    return total


def test_a_session_that_ended_is_replaced(tryton: InstalledTryton, source: Source) -> None:
    assert poll(source).poll_error == ""
    with closing(sqlite3.connect(tryton.folder / "databases" / "shop.sqlite")) as database:
        database.execute("DELETE FROM ir_session")
        database.commit()
    assert poll(source, minutes=10).poll_error == ""


def test_a_wrong_password_is_an_error_of_the_source(
    tryton: InstalledTryton, settings: Settings
) -> None:
    settings.OUTGOING_ALLOWED = [tryton.address]
    config = {"base_url": f"http://{tryton.address}", "database": "shop", "user": "admin"}
    added = add_source(
        "erp", connector="tryton", secret="another-password", config=config, now=database_now()
    )
    assert "HTTP 401" in poll(added.source).poll_error
