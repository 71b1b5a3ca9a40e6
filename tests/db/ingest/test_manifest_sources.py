"""Sources of manifests in the pipeline: unknown codes alert, and broken settings park."""

import json
from datetime import datetime
from typing import Any

import pytest

from visibility.alerts.source_alerts import update_source_alerts
from visibility.ingest.add_source_and_rotate_secret import add_source, change_settings
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.ingest.replay_messages import replay_parked_messages
from visibility.models import Alert, Event, InboundMessage, Order, Source
from visibility.pipeline import job_functions

pytestmark = pytest.mark.django_db
AT = "2026-03-02T14:15:00"


@pytest.fixture
def shop(now: datetime) -> Source:
    return add_source("shop", connector="woocommerce", config={}, now=now).source


def receive(source: Source, **order: Any) -> None:
    body = json.dumps(
        {"number": "5011", "date_created_gmt": AT, "date_modified_gmt": AT, **order}
    ).encode()
    store_messages([IncomingMessage(source.pk, f"sha256 {hash(body)}", {}, body)])
    job_functions.process_messages_and_refold()


def test_an_undeclared_code_raises_one_alert_and_loses_nothing(shop: Source, now: datetime) -> None:
    receive(shop, id=1, status="processing", date_paid_gmt=AT)
    assert len(update_source_alerts(now=now).changed) == 0
    receive(shop, id=2, number="5012", status="awaiting-pickup")
    receive(shop, id=3, number="5013", status="awaiting-pickup")
    assert len(update_source_alerts(now=now).changed) == 1
    assert Alert.objects.get().subject_key == "awaiting-pickup"
    assert Order.objects.count() == 3
    assert Event.objects.filter(type="order.received").count() == 3


def test_a_setting_that_became_invalid_parks_until_it_is_corrected(
    now: datetime,
) -> None:
    source = add_source("north", connector="northlog_945", config={}, now=now).source
    Source.objects.update(config={"zone": "Texas"})
    head = "ORDER;SHIPMENT;PO;CUST;BOL;LINE;ITEM;QTY;UOM;STATUS;SHIPPED;SCAC;TRACKING;SSCC\n"
    row = "S1;N1;;;;10;A;1;ST;C;03.03.2026 15:10;FDEG;;\n"
    store_messages([IncomingMessage(source.pk, "f1", {}, (head + row).encode())])
    job_functions.process_messages_and_refold()
    parked = InboundMessage.objects.get()
    assert (parked.state, parked.reason) == ("parked", "mapping")
    assert "zone: 'Texas' is not an IANA time zone" in parked.detail
    source.refresh_from_db()
    change_settings(source, {"zone": "America/Denver"}, now=now)
    replay_parked_messages([parked.pk], by=None, now=now)
    job_functions.process_messages_and_refold()
    assert f"{Event.objects.get().occurred_at:%H:%M}" == "22:10"


def test_messages_of_a_removed_connector_are_parked(shop: Source) -> None:
    Source.objects.update(connector="removed")
    receive(shop, id=1, status="pending")
    parked = InboundMessage.objects.get()
    assert (parked.state, parked.reason, parked.detail) == (
        "parked",
        "source",
        "this version has no connector 'removed'",
    )
