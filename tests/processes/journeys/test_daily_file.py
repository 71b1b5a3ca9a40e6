"""A 3PL sends one file a day: no silence for hours, and a missing shipment still alerts."""

import os
import re
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import httpx2
import orjson
import pytest

from tests.builders.cloudevents import authorized_headers, cloudevent
from tests.builders.sla_rules import always_open, create_rule
from tests.builders.users import create_user
from tests.product import Product
from visibility.db.database_time import database_now
from visibility.ingest.add_source_and_rotate_secret import add_source
from visibility.models import Alert, InboundMessage, MessageState, Order, Source, SourceActivity
from visibility.web.permissions import UserRole

HOUR = timedelta(hours=1)
SECRET = "erp-secret-of-at-least-24-characters"
PASSWORD = "correct horse battery"
HEAD = "ORDER;SHIPMENT;PO;CUST;BOL;LINE;ITEM;QTY;UOM;STATUS;SHIPPED;SCAC;TRACKING;SSCC\n"


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    running = Product(tmp_path)
    (tmp_path / "drop").mkdir()
    now = database_now()
    numbers = {"role": "erp", "order_number": "sales_order@erp"}
    add_source("erp", connector="cloudevents", config=numbers, secret=SECRET, now=now)
    folder = {"drop": str(tmp_path / "drop"), "zone": "UTC"}
    add_source("north", connector="northlog_945", config=folder, title="3PL North", now=now)
    create_user(UserRole.ADMIN, "ada", password=PASSWORD)
    running.manage("collectstatic", "--noinput")
    running.start("web", "worker")
    yield running
    running.stop()


@pytest.fixture
def client(product: Product) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=product.url, timeout=60) as http_client:
        http_client.get("/signin")
        answer = post(http_client, "/signin", {"username": "ada", "password": PASSWORD})
        assert answer.status_code == 302, answer.text
        yield http_client


def post(client: httpx2.Client, path: str, form: dict[str, str]) -> httpx2.Response:
    return client.post(path, data=form, headers={"X-CSRFToken": client.cookies["csrftoken"]})


def drop_file(product: Product, name: str, shipped: dict[str, datetime]) -> None:
    rows = "".join(
        f"{order};NL-{order};PO-{order};C14;B7001;10;BOLT-M8;4;ST;C;{at:%d.%m.%Y %H:%M};FDEG;;\n"
        for order, at in shipped.items()
    )
    path = product.folder / "drop" / name
    path.write_bytes((HEAD + rows).encode("cp1252"))
    old = time.time() - 60
    os.utime(path, (old, old))


def release(client: httpx2.Client, order: str, at: datetime) -> None:
    data = {"order": {"number": order}}
    event = cloudevent("order.released", data, event_id=f"released {order}", at=at)
    headers = authorized_headers(SECRET)
    answer = client.post("/hooks/erp", content=orjson.dumps(event), headers=headers)
    assert answer.status_code == 202, answer.text


def page(client: httpx2.Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


def wait_until_north_reported(product: Product) -> None:
    deadline = time.monotonic() + 60
    while not SourceActivity.objects.filter(source__slug="north").exists():
        assert time.monotonic() < deadline, product.log("worker")
        time.sleep(0.2)


def wait_for_alerts(expected: dict[str, str], product: Product) -> None:
    deadline = time.monotonic() + 60
    while (states := states_by_order()) != expected:
        assert time.monotonic() < deadline, (states, product.log("worker"))
        time.sleep(0.2)


def states_by_order() -> dict[str, str]:
    orders = dict(Order.objects.values_list("object_id", "number"))
    return {
        orders[order_id]: state
        for order_id, state in Alert.objects.exclude(order=None).values_list("order_id", "state")
    }


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_daily_file_is_no_silence_and_its_missing_shipment_alerts(
    product: Product, client: httpx2.Client
) -> None:
    create_rule(always_open(), title="Released orders ship within 4 h")
    assert "1 d 2 h, default for sources that report in batches" in page(client, "/sources/north")
    assert post(client, "/sources/north/settings", {"silent_after": "27 h"}).status_code == 302
    assert "1 d 3 h, set for this source" in page(client, "/sources/north")
    now = database_now()
    # The file of yesterday was received seven hours ago.
    drop_file(product, "SHIP_0001.csv", {"S0": now - 9 * HOUR})
    wait_until_north_reported(product)
    InboundMessage.objects.filter(source__slug="north").update(received_at=now - 7 * HOUR)
    SourceActivity.objects.filter(source__slug="north").update(last_received_at=now - 7 * HOUR)
    Source.objects.filter(slug="north").update(created_at=now - 99 * HOUR)
    # Both orders were due an hour ago, and the 3PL has not reported since.
    for order in ("S1", "S2"):
        release(client, order, now - 5 * HOUR)
    wait_for_alerts({"S1": "suppressed", "S2": "suppressed"}, product)
    assert not Alert.objects.filter(kind="source_silent", source__slug="north").exists()
    # The file of today comes with one of them.
    drop_file(product, "SHIP_0002.csv", {"S1": now - 3 * HOUR})
    wait_for_alerts({"S1": "withdrawn", "S2": "open"}, product)
    assert not Alert.objects.filter(kind="source_silent", source__slug="north").exists()
    assert not InboundMessage.objects.filter(state=MessageState.PARKED).exists()
    shown = page(client, f"/alerts/{Alert.objects.get(state='open').pk}")
    assert "S2" in shown
    assert re.search(r"No ship confirmation .* after the release", shown)
    assert "On hold: 3PL North reports in batches and has not reported since." in shown
    assert "The sources have reported up to the deadline; the condition still holds." in shown
