"""A sales channel from its notice to the order: a webhook, the poll that it causes, and a limit."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from pytest_django.fixtures import Settings

from tests.builders.vendor_server import Answer
from tests.unit.connectors.systems.test_bigcommerce import StoreServer, order, webhook
from visibility.db.database_time import database_now
from visibility.ingest import polling
from visibility.ingest.add_source_and_rotate_secret import add_source
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.models import InboundMessage, Order, Source
from visibility.pipeline import job_functions

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def store(settings: Settings) -> Iterator[StoreServer]:
    server = StoreServer()
    settings.OUTGOING_ALLOWED = [server.address]
    yield server
    server.close()


def poll(at: datetime) -> Source:
    (claimed,) = polling.claim_due_polls(at, limit=1, slow_limit=1)
    polling.poll_source(claimed, now=at)
    return Source.objects.get()


def test_a_webhook_without_data_becomes_an_order_with_its_shipment(store: StoreServer) -> None:
    config = {"base_url": f"{store.url}/stores/s1", "access_token": "t-1"}
    source = add_source("shop", connector="bigcommerce", config=config, now=database_now()).source
    assert "t-1" not in str(Source.objects.get().config) + Source.objects.get().sealed_secrets
    poll(database_now())
    now, hour = database_now(), timedelta(hours=1)
    Source.objects.update(
        next_poll_at=now + hour, poll_started_at=now - hour, poll_ended_at=now - hour
    )
    store.orders = [order(250, status=3, items_shipped=2)]
    body = json.dumps(webhook("store/shipment/created", type="shipment", id=5, orderId=250))
    store_messages([IncomingMessage(source.pk, "hook-1", {}, body.encode())])
    job_functions.process_messages_and_refold()
    assert Source.objects.get().next_poll_at <= database_now()  # type: ignore[operator] # is set
    assert poll(database_now()).poll_error == ""
    job_functions.process_messages_and_refold()
    assert {message.state for message in InboundMessage.objects.all()} == {"applied"}
    row = Order.objects.get()
    assert (row.number, row.status, row.channel) == ("250", "partially_shipped", "web")


def test_more_details_than_a_page_may_request_are_read_in_several(store: StoreServer) -> None:
    config = {"base_url": f"{store.url}/stores/s1", "access_token": "t-1"}
    add_source("shop", connector="bigcommerce", config=config, now=database_now())
    store.orders = [order(n, n, status=4, items_shipped=2) for n in range(1, 60)]
    assert poll(database_now()).poll_error == ""
    assert InboundMessage.objects.count() == 59


def test_a_limit_of_the_system_is_observed(store: StoreServer) -> None:
    config = {"base_url": f"{store.url}/stores/s1", "access_token": "t-1"}
    add_source("shop", connector="bigcommerce", config=config, now=database_now())
    store.failures = [Answer(429, {}, {"X-Rate-Limit-Time-Reset-Ms": "12000"})]
    now = database_now()
    row = poll(now)
    assert row.throttled_until is not None
    assert timedelta(seconds=11) < row.throttled_until - now < timedelta(seconds=30)
