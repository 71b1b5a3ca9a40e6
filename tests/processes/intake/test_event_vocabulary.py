"""The event vocabulary through the real door: HTTP, PostgreSQL and a worker."""

import re
import shlex
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from django.test import Client
from pytest_django.plugin import DjangoDbBlocker

from tests.builders.users import signed_in
from tests.empty_tables import empty_tables
from tests.product import ROOT, Product
from visibility.models import Identifier, InboundMessage, Order, RefoldRequest
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
DOCUMENT = (ROOT / "docs" / "events.md").read_text()
SHELL_BLOCKS = re.findall(r"```sh\n(.*?)```", DOCUMENT, re.DOTALL)
TOKENS = {
    f"{name.upper()}_TOKEN": f"token-of-{name}-with-24-characters"
    for name in ("shop", "erp", "wms", "finance", "gateway")
}
DEADLINE = 60


def document_commands(variables: dict[str, str]) -> Iterator[list[str]]:
    """The shell commands of the document, as a shell would split and expand them."""
    for block in SHELL_BLOCKS:
        lexer = shlex.shlex(block, posix=True, punctuation_chars="\n")
        lexer.whitespace, lexer.whitespace_split = " \t", True
        arguments: list[str] = []
        for argument in [*lexer, "\n"]:
            if argument.strip("\n"):
                arguments.append(
                    re.sub(r"\$([A-Z_]+)", lambda match: variables[match[1]], argument)
                )
            elif arguments:
                yield arguments
                arguments = []


def send_curl(arguments: list[str]) -> httpx2.Response:
    """Send the request of a curl command; an unknown option is an error."""
    method, url, body, headers = "GET", "", "", {}
    remaining = iter(arguments[1:])
    for argument in remaining:
        if argument == "-X":
            method = next(remaining)
        elif argument == "-H":
            name, _, value = next(remaining).partition(": ")
            headers[name] = value
        elif argument == "-d":
            body = next(remaining)
        else:
            assert not argument.startswith("-"), argument
            url = argument
    return httpx2.request(method, url, headers=headers, content=body, timeout=15)


@pytest.fixture(scope="module")
def product(
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Product]:
    """The web process and a worker, with the sources and events of the document."""
    with django_db_blocker.unblock():
        running = Product(Path(tmp_path_factory.mktemp("events")))
        variables = {**TOKENS, "URL": running.url}
        commands = list(document_commands(variables))
        assert len(commands) > 10
        for arguments in commands:
            if arguments[0] == "python3":
                assert arguments[1] == "manage.py"
                running.manage(*arguments[2:])
        running.start("web", "worker")
        for arguments in commands:
            if arguments[0] != "python3":
                assert arguments[0] == "curl"
                response = send_curl(arguments)
                assert response.status_code == 202, (arguments, response.text)
        yield running
        running.stop()
        empty_tables()


def wait_until_folded() -> None:
    """Wait until the worker processed every message and folded every order."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        waiting = InboundMessage.objects.exclude(state__in=("applied", "parked", "ignored"))
        if not waiting.exists() and not RefoldRequest.objects.exists():
            return
        time.sleep(0.2)
    raise AssertionError("the worker did not finish")


def post_event(
    product: Product, source: str, event_type: str, data: dict[str, Any], **more: str
) -> httpx2.Response:
    """Send one event of a source."""
    key = f"{event_type} {orjson.dumps(data).decode()}"
    event = {"specversion": "1.0", "id": key[:200], "source": f"/{source}", "type": event_type}
    return httpx2.post(
        f"{product.url}/api/v1/events",
        content=orjson.dumps({**event, "time": "2026-03-09T10:00:00Z", **more, "data": data}),
        headers={
            "Authorization": f"Bearer {TOKENS[f'{source.upper()}_TOKEN']}",
            "Content-Type": "application/cloudevents+json",
        },
        timeout=15,
    )


@pytest.fixture
def send(product: Product) -> Callable[..., None]:
    """A function that sends one event of a source and waits for the worker."""

    def send_and_wait(source: str, event_type: str, data: dict[str, Any], **more: str) -> None:
        response = post_event(product, source, event_type, data, **more)
        assert response.status_code == 202, response.text
        wait_until_folded()

    return send_and_wait


def order_of(value: str) -> Order:
    identifier = Identifier.objects.get(kind="order", is_identity=True, value=value)
    return Order.objects.get(pk=identifier.object_id)


def page_text(client: Client, order: Order, tab: str = "timeline") -> str:
    """The text of a tab of the order page, without tags."""
    answer = client.get(f"/orders/{order.pk}?tab={tab}")
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


@pytest.mark.slow
def test_commands_of_the_document_lead_to_an_order_delivered_invoiced_and_paid(
    product: Product,
) -> None:
    wait_until_folded()
    assert not InboundMessage.objects.exclude(state="applied").exists()
    order, client = order_of("SO-1001"), signed_in(UserRole.OPERATIONS)
    assert order == order_of("727")  # the shop's and the ERP's order are one, without settings
    assert (order.status, order.lines_shipped) == ("completed", 1)
    timeline = page_text(client, order)
    for title in ("Delivered", "Invoiced", "Paid", "Payment approved", "Contract K-9"):
        assert title in timeline
    assert "Invoice paid I-1" in page_text(client, order, "money")
    lines = page_text(client, order, "lines")
    assert "A100, A101" in lines
    assert "Ship by Wed, Mar 4" in lines
    shipments = page_text(client, order, "shipments")
    assert "Package contents: 6 EA GLAND-20" in shipments
    assert "Package contents: 4 EA GLAND-20" in shipments
    assert "Vehicle TX-1234" in shipments
    calls = page_text(client, order, "calls")
    assert "1 call, 1 failed, 2.1 s" in calls
    assert "No route to WMS" in calls
    assert not InboundMessage.objects.filter(source__slug="gateway").exists()
    for number in ("A100", "TX-1234", "K-9"):
        items = client.get("/api/v1/orders", {"q": number}).json()["items"]
        assert [item["id"] for item in items] == [order.pk], number
        page = client.get("/search", {"q": number}, follow=True)
        assert "SO-1001" in page.content.decode(), number


@pytest.mark.slow
def test_event_with_two_orders_puts_its_lines_on_the_right_one(send: Callable[..., None]) -> None:
    send("erp", "order.received", {"order": "A-1", "lines": [{"sku": "X", "ordered": 5}]})
    send("erp", "order.received", {"order": "A-2", "lines": [{"sku": "X", "ordered": 5}]})
    lines = [
        {"line_id": "1", "sku": "X", "order": 0, "shipped": 2},
        {"line_id": "1", "sku": "X", "order": "A-2", "shipped": 5},
    ]
    send(
        "erp",
        "shipment.confirmed",
        {"orders": ["A-1", "A-2"], "shipment": "9", "part": "shipment 9", "lines": lines},
    )
    statuses = [order_of(number).status for number in ("A-1", "A-2")]
    assert statuses == ["partially_shipped", "shipped"]


def test_line_that_names_no_order_of_its_event_gets_a_sentence(product: Product) -> None:
    lines = [{"line_id": "1", "order": "B-3", "shipped": 1}]
    response = post_event(
        product, "erp", "shipment.confirmed", {"orders": ["B-1", "B-2"], "lines": lines}
    )
    assert response.status_code == 422
    detail = response.json()["detail"]
    assert "data.lines[0].order: 'B-3' names none of the orders of this event" in detail
    response = post_event(product, "erp", "order.received", {"shipment": "1"})
    assert "data.order: order.received needs order or orders" in response.json()["detail"]


@pytest.mark.slow
def test_orders_with_one_contract_are_not_merged(send: Callable[..., None]) -> None:
    for number in ("C-1", "C-2"):
        send("erp", "order.received", {"order": number, "contract": "K-100", "quotation": "Q-1"})
    assert order_of("C-1") != order_of("C-2")
    client = signed_in(UserRole.OPERATIONS)
    for number in ("C-1", "C-2"):
        assert "Quotation Q-1" in page_text(client, order_of(number))
    hits = client.get("/api/v1/orders", {"q": "K-100"}).json()["items"]
    assert {item["id"] for item in hits} == {order_of("C-1").pk, order_of("C-2").pk}


@pytest.mark.slow
def test_repeated_increment_counts_once_and_a_void_takes_it_back(
    send: Callable[..., None],
) -> None:
    send("erp", "order.received", {"order": "D-1", "lines": [{"sku": "X", "ordered": 5}]})
    for number, (key, shipment, shipped) in enumerate(
        [("k1", "D1", 2), ("k2", "D2", 3), ("k1", "D1", 2)]
    ):
        data = {"order": wms_order("D-1"), "key": key, "shipment": shipment}
        lines = [{"sku": "X", "shipped": shipped, "quantity_mode": "delta"}]
        send("wms", "shipment.confirmed", {**data, "lines": lines}, id=f"increment {number}")
    assert order_of("D-1").status == "shipped"
    send("wms", "shipment.void", {"shipment": "D1"}, time="2026-03-10T10:00:00Z")
    client = signed_in(UserRole.OPERATIONS)
    (line,) = client.get(f"/api/v1/orders/{order_of('D-1').pk}").json()["lines"]["items"]
    assert line["quantities"]["shipped"] == "3"


def wms_order(number: str) -> dict[str, Any]:
    """The ERP's order, as the warehouse names it."""
    return {"numbers": [{"scheme": "order_number", "issuer": "erp", "value": number}]}
