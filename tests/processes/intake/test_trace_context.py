"""Trace context is stored with messages, and exports are sent by the web process, over HTTP."""

from collections.abc import Iterator

import httpx2
import orjson
import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django.plugin import DjangoDbBlocker

from tests.builders.cloudevents import authorized_headers, cloudevent
from tests.empty_tables import empty_tables
from tests.product import Product
from visibility.models import InboundMessage

pytestmark = pytest.mark.django_db
SECRET = "a-secret-of-at-least-24-bytes-traced"
ID = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{ID}-00f067aa0ba902b7-01"
OTHER = f"00-{'1' * 32}-00f067aa0ba902b7-01"


@pytest.fixture(scope="module")
def product(
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Product]:
    """Start the web process with one source and an administrator."""
    with django_db_blocker.unblock():
        running = Product(tmp_path_factory.mktemp("traced"))
        running.manage("source", "add", "traced", "--connector", "cloudevents", "--secret", SECRET)
        browser = Client()
        browser.force_login(User.objects.create(username="traced_admin", is_superuser=True))
        running.environment["SESSION"] = browser.cookies["sessionid"].value
        running.start("web")
        yield running
        running.stop()
        empty_tables()


def event(number: int, **more: str) -> dict[str, object]:
    data = {"order": {"number": f"SO-{number}"}}
    at = "2026-03-02T10:00:00Z"
    return cloudevent("order.received", data, event_id=f"t{number}", at=at, source="/t", **more)


def post(product: Product, path: str, body: bytes, **headers: str) -> dict[str, str]:
    """Post a message and return the headers that were stored with it."""
    all_headers = {**authorized_headers(SECRET), **headers}
    response = httpx2.post(f"{product.url}{path}", content=body, headers=all_headers, timeout=15)
    assert response.status_code == 202, response.text
    result = response.json()
    result = result["results"][0] if "results" in result else result
    stored_headers: dict[str, str] = InboundMessage.objects.get(
        pk=int(result["message_id"])
    ).headers
    return stored_headers


def test_trace_context_of_a_request_is_stored_with_its_message(product: Product) -> None:
    for number, path in ((1, "/hooks/traced"), (2, "/api/v1/events")):
        body = orjson.dumps(event(number))
        stored = post(product, path, body, traceparent=PARENT, tracestate="vendor=1")
        assert (stored["traceparent"], stored["tracestate"]) == (PARENT, "vendor=1")


def test_invalid_trace_context_is_ignored(product: Product) -> None:
    stored = post(
        product, "/hooks/traced", orjson.dumps(event(3)), traceparent="00-x", tracestate="a=1"
    )
    assert not {"traceparent", "tracestate"} & set(stored)


def test_event_with_its_own_trace_context(product: Product) -> None:
    stored = post(product, "/hooks/traced", orjson.dumps(event(4, traceparent=OTHER)))
    assert stored["ce-traceparent"] == OTHER
    stored = post(product, "/hooks/traced", orjson.dumps(event(5, traceparent="00-x")))
    assert "ce-traceparent" not in stored
    binary = {"content-type": "application/json", "ce-traceparent": OTHER}
    names = {"specversion": "1.0", "id": "t6", "source": "/t", "type": "order.received"}
    binary |= {f"ce-{name}": text for name, text in names.items()}
    assert post(product, "/hooks/traced", b'{"order": "SO-6"}', **binary)["ce-traceparent"] == OTHER


def test_batch_event_has_the_trace_context_of_the_request_and_its_own(product: Product) -> None:
    body = orjson.dumps([event(7, traceparent=OTHER)])
    media = {"content-type": "application/cloudevents-batch+json"}
    stored = post(product, "/api/v1/events", body, traceparent=PARENT, **media)
    assert (stored["traceparent"], stored["ce-traceparent"]) == (PARENT, OTHER)


def test_export_is_sent_by_the_web_process(product: Product) -> None:
    response = httpx2.get(
        f"{product.url}/api/v1/orders/export",
        cookies={"sessionid": product.environment["SESSION"]},
        timeout=15,
    )
    assert response.status_code == 200
    assert response.headers["content-length"] == str(len(response.content))
    assert set(response.json()) == {"objectTypes", "eventTypes", "objects", "events"}
