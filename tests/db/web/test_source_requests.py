"""Requests of a source with their verdicts, test events through the intake, and dry polls."""

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import Client
from pytest_django.fixtures import Settings

from tests.builders.live_client import LiveTestClient
from tests.builders.polled_systems import PolledSystem, running_system
from tests.builders.users import signed_in
from visibility.db.database_time import database_now
from visibility.ingest.add_source_and_rotate_secret import add_source, rotate_secret
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.ingest.unstored_requests import (
    STORED_REQUESTS,
    ReceivedRequest,
    sign_test_header,
    store_unstored_requests,
)
from visibility.models import (
    AuditEntry,
    BusinessObject,
    Cursor,
    InboundMessage,
    MessageKey,
    Order,
    RejectedRequestCount,
    Source,
    SourceActivity,
    UnstoredRequest,
)
from visibility.pipeline import job_functions
from visibility.web.intake.source_cache import SourceCache
from visibility.web.intake.webhook_endpoint import WebhookEndpoint
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "a-secret-with-more-than-24-bytes"
URL = "/api/v1/sources/shop"


@pytest.fixture
def integrator() -> Client:
    return signed_in(UserRole.INTEGRATOR, "ines")


@pytest.fixture
def shop() -> Source:
    return add_source(
        "shop", connector="shopify", config={}, secret=SECRET, now=database_now()
    ).source


def post_to_intake(
    source: Source, body: bytes, headers: dict[str, str], *, path: str = ""
) -> tuple[int, dict[str, Any]]:
    """Post through the intake of a web process."""

    async def send_request() -> tuple[int, dict[str, Any]]:
        sources, sent = SourceCache(), []
        scope: Any = {
            "type": "http",
            "method": "POST",
            "path": path or f"/hooks/{source.slug}",
            "query_string": b"",
            "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
        }

        async def receive() -> Any:
            return {"type": "http.request", "body": body}

        async def send(message: Any) -> None:
            sent.append(message)

        await WebhookEndpoint(sources)(scope, receive, send)
        await sources.unstored.write_now()
        return sent[0]["status"], json.loads(sent[1]["body"])

    return async_to_sync(send_request)()


def signed(source: Source, body: bytes, secret: str = SECRET) -> dict[str, str]:
    connector = source.build_connector()
    return dict(connector.build_signed_headers(body, secret.encode(), database_now()))


def newest(client: Client) -> dict[str, Any]:
    items: list[dict[str, Any]] = client.get(f"{URL}/requests").json()["items"]
    return items[0]


def nothing_is_stored() -> bool:
    models = (InboundMessage, MessageKey, BusinessObject, Order, SourceActivity)
    return not any(model.objects.exists() for model in models)


def test_a_test_event_is_verified_and_read_but_changes_nothing(
    integrator: Client, shop: Source
) -> None:
    answer = integrator.post("/sources/shop/test-event")
    assert answer.headers["location"] == "/sources/shop?tab=requests"
    row = newest(integrator)
    assert (row["outcome"], row["is_verified"], row["message_id"]) == ("test", True, None)
    assert row["event_types"] == ["order.received"]
    job_functions.process_messages_and_refold()
    assert nothing_is_stored()
    assert not RejectedRequestCount.objects.exists()
    page = integrator.get("/sources/shop?tab=requests").content.decode()
    assert "test: changes no order" in page
    assert AuditEntry.objects.filter(action="source.test_event", object="shop").count() == 1
    content = integrator.post(f"{URL}/test-event", {}, "application/json").json()
    assert (content["status"], content["event_types"]) == (200, ["order.received"])
    assert nothing_is_stored()


def test_a_test_event_shows_that_the_source_is_paused(integrator: Client, shop: Source) -> None:
    Source.objects.update(enabled=False)
    content = integrator.post(f"{URL}/test-event", {}, "application/json").json()
    assert content["status"] == 404
    assert nothing_is_stored()


def test_only_the_product_itself_can_mark_a_request_as_a_test(shop: Source) -> None:
    body = shop.build_connector().example_payload()
    for marker in ("yes", sign_test_header("other"), sign_test_header("shop")[:-1] + "!"):
        UnstoredRequest.objects.all().delete()
        headers = {**signed(shop, body), "x-throughline-test": marker}
        status, content = post_to_intake(shop, body, headers)
        assert status == 202, marker
        assert content["status"] in {"accepted", "duplicate"}
        assert not UnstoredRequest.objects.exists()
    unsigned = {"x-throughline-test": sign_test_header("shop")}
    assert post_to_intake(shop, body, unsigned)[0] == 401


def test_a_refused_request_says_why_and_a_stored_one_leads_to_its_order(
    integrator: Client, shop: Source
) -> None:
    body = shop.build_connector().example_payload()
    status, content = post_to_intake(shop, body, {})
    assert (status, content["detail"]) == (401, "the signature is invalid")
    assert newest(integrator)["detail"] == "the signature is missing"
    post_to_intake(shop, body, signed(shop, body, "x" * 30))
    assert "does not match" in newest(integrator)["detail"]
    assert newest(integrator)["outcome"] == "refused"
    old = SECRET
    new = rotate_secret(shop, now=database_now() - timedelta(days=2))
    post_to_intake(shop, body, signed(shop, body, old))
    assert "old secret" in newest(integrator)["detail"]
    assert post_to_intake(shop, body, signed(shop, body, new))[0] == 202
    assert newest(integrator)["outcome"] == "waiting"
    job_functions.process_messages_and_refold()
    row = newest(integrator)
    assert (row["outcome"], row["verification"]) == ("accepted", "Signature valid")
    order = Order.objects.get()
    assert row["orders"] == [{"id": order.pk, "number": order.number}]
    page = integrator.get("/sources/shop?tab=requests").content.decode()
    assert f'<a href="/orders/{order.pk}">{order.number}</a>' in page
    assert f'href="/messages/{row["message_id"]}"' in page
    assert page.count("<span>Refused</span>") == 3


def test_a_refused_request_reaches_open_pages(integrator: Client, shop: Source) -> None:
    async def receive_after_refusal() -> dict[str, Any]:
        live = LiveTestClient(integrator)
        assert await live.connect()
        await live.receive()
        await asyncio.to_thread(
            store_unstored_requests, [ReceivedRequest(shop.pk, database_now_value, 401, "no")]
        )
        change = await live.receive_change()
        await live.disconnect()
        return change

    database_now_value = database_now()
    assert "source" in async_to_sync(receive_after_refusal)()["kinds"]


def test_only_the_newest_refused_requests_are_stored(shop: Source) -> None:
    now = database_now()
    for number in range(4):
        store_unstored_requests(
            [ReceivedRequest(shop.pk, now, 401, f"{number}") for _ in range(20)]
        )
    assert UnstoredRequest.objects.count() == STORED_REQUESTS
    assert UnstoredRequest.objects.latest("id").reason == "3"


def test_a_message_is_not_shown_as_that_of_another_source(integrator: Client, shop: Source) -> None:
    other = add_source("other", connector="shopify", config={}, now=database_now()).source
    store_messages([IncomingMessage(other.pk, "k", {}, b"{}")])
    assert integrator.get(f"{URL}/requests").json() == {"items": []}
    assert "No requests yet" in integrator.get("/sources/shop?tab=requests").content.decode()


@pytest.fixture
def polled(settings: Settings) -> Iterator[PolledSystem]:
    def respond(handler: BaseHTTPRequestHandler, system: PolledSystem) -> None:
        order = {
            "id": "b1",
            "number": "SO-1",
            "orderDate": "2026-01-05",
            "status": "Open",
            "lastModifiedDateTime": "2026-01-05T10:00:00Z",
            "salesOrderLines": [],
        }
        rows = [order] if "/salesOrders" in handler.path else []
        body = json.dumps({"value": rows}).encode()
        handler.send_response(200)
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    with running_system(respond) as system:
        settings.OUTGOING_ALLOWED = frozenset({system.address})
        yield system


def test_a_connection_test_shows_the_next_page_and_stores_nothing(
    integrator: Client, polled: PolledSystem
) -> None:
    add_source(
        "shop",
        connector="business_central",
        config={"base_url": polled.base_url},
        secret=SECRET,
        now=database_now() + timedelta(hours=1),
    )
    content = integrator.post(f"{URL}/test-poll", {}, "application/json").json()
    assert (content["records"], content["error"]) == (1, "")
    assert content["readings"][0]["event_types"][0].startswith("order.")
    page = integrator.post("/sources/shop/test-poll").content.decode()
    assert "1 record on the page. Nothing was stored." in page
    assert nothing_is_stored()
    assert not Cursor.objects.exists()
    assert Source.objects.get().poll_error == ""


def test_a_failed_connection_test_says_why_and_is_no_failure_of_the_source(
    integrator: Client,
) -> None:
    add_source(
        "shop",
        connector="business_central",
        config={"base_url": "http://127.0.0.1:9/api"},
        now=database_now(),
    )
    page = integrator.post("/sources/shop/test-poll").content.decode()
    assert "127.0.0.1 is not a public address" in page
    assert Source.objects.get().poll_error == ""


@pytest.mark.parametrize("role", [UserRole.OPERATIONS, UserRole.CUSTOMER_SERVICE])
def test_others_may_not_send_tests(role: UserRole, shop: Source) -> None:
    client = signed_in(role)
    for address in ("/sources/shop/test-event", "/sources/shop/test-poll"):
        assert client.post(address).status_code == 403
    for address in (f"{URL}/test-event", f"{URL}/test-poll"):
        assert client.post(address, {}, "application/json").status_code == 403
    assert not UnstoredRequest.objects.exists()
