"""Notices that a poller reads again: of its source, and not older than it asks for."""

from datetime import datetime, timedelta

import pytest

from connectors.sdk.webhook_and_poll_types import NOTICE_KEY
from visibility.db.database_time import database_now
from visibility.ingest.add_source_and_rotate_secret import add_source
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.storage.notices_for_pollers import load_notices

pytestmark = pytest.mark.django_db


def test_the_notices_of_a_source_since_a_time(now: datetime) -> None:
    shop, other = (
        add_source(slug, connector="vendure", config={}, now=now).source for slug in ("a", "b")
    )
    messages = [
        IncomingMessage(shop.pk, f"{NOTICE_KEY}1", {}, b'{"orderId": "1"}'),
        IncomingMessage(shop.pk, "orders 1 2026-03-02", {}, b'{"id": "1"}'),
        IncomingMessage(other.pk, f"{NOTICE_KEY}1", {}, b'{"orderId": "2"}'),
    ]
    for message in messages:
        store_messages([message])
    at = database_now()
    assert load_notices(shop.pk, at - timedelta(minutes=5)) == [b'{"orderId": "1"}']
    assert load_notices(shop.pk, at + timedelta(minutes=5)) == []
