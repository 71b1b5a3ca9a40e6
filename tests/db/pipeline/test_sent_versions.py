"""Versions of messages are counted with their batch; unsupported ones alert or are parked."""

from datetime import timedelta

import orjson
import pytest

from connectors.sdk.payload import ParkReason
from tests.builders.cloudevents import HEADERS, cloudevent
from tests.builders.sources import create_source
from tests.builders.users import signed_in
from visibility.alerts.sweep_due_clocks_and_snoozes import sweep
from visibility.db.database_time import database_now
from visibility.ingest import record_sent_versions
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.models import Alert, Event, InboundMessage, SentVersion, Source
from visibility.pipeline import job_functions
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db


def receive(source: Source, *bodies: bytes, headers: dict[str, str] | None = None) -> list[int]:
    before = InboundMessage.objects.count()
    for body in bodies:
        message = IncomingMessage(source.pk, str(hash(body)), headers or HEADERS, body)
        store_messages([message])
    job_functions.process_messages_and_refold()
    return list(InboundMessage.objects.order_by("pk").values_list("pk", flat=True)[before:])


def event(number: str, version: int | None) -> bytes:
    data = {"order": {"number": f"SO-{number}"}}
    at = "2026-03-04T10:00:00Z"
    document = cloudevent("order.received", data, event_id=number, at=at)
    if version:
        document["dataschema"] = f"https://x.example/schemas/v{version}/event-data.json"
    return orjson.dumps(document)


def test_versions_are_counted_by_source(monkeypatch: pytest.MonkeyPatch) -> None:
    wms, erp = (create_source(slug, connector="cloudevents") for slug in ("wms", "erp"))
    [first, _, last] = receive(wms, event("1", 1), event("2", None), event("3", 1))
    [parked] = receive(wms, event("4", 9))
    receive(erp, event("1", 1))
    rows = list(SentVersion.objects.filter(source=wms).order_by("version"))
    assert [(r.name, r.version, r.message_count) for r in rows] == [
        ("dataschema", "v1", 2),
        ("dataschema", "v9", 1),
    ]
    assert (rows[0].first_message_id, rows[0].last_message_id) == (first, last)
    assert InboundMessage.objects.get(pk=parked).reason == ParkReason.VERSION
    assert SentVersion.objects.get(source=erp).message_count == 1
    monkeypatch.setattr(record_sent_versions, "MAX_VERSIONS_PER_SOURCE", 2)
    receive(wms, event("5", 8), event("6", 1))
    counts = SentVersion.objects.filter(source=wms).order_by("version")
    assert list(counts.values_list("version", "message_count")) == [("v1", 3), ("v9", 1)]


def test_an_unsupported_breaking_version_is_parked_and_not_half_read() -> None:
    source = create_source("wms", connector="epcis")
    body = source.build_connector().example_payload()
    headers = {"content-type": "application/json"}
    later = body.replace(b'"2.0"', b'"3.0"').replace(b"SO-1", b"SO-2")
    [read, refused] = receive(source, body, later, headers=headers)
    assert InboundMessage.objects.get(pk=read).state == "applied"
    message = InboundMessage.objects.get(pk=refused)
    assert (message.state, message.reason) == ("parked", ParkReason.VERSION)
    assert message.detail == "schemaVersion: version 3.0 is not supported"
    assert not Event.objects.filter(message_id=refused).exists()
    page = signed_in(UserRole.INTEGRATOR).get("/sources/wms?tab=parked").content.decode()
    assert "The sender uses a version of its messages that is not supported" in page


def test_a_deprecated_version_alerts_until_it_is_not_sent_any_more() -> None:
    shop = create_source("shop", title="Shop", connector="shopify")
    headers = {"x-shopify-topic": "orders/create", "x-shopify-api-version": "2020-01"}
    [message] = receive(shop, b"{}", headers=headers)
    now = database_now()
    sweep(now=now)
    alert = Alert.objects.get(kind="outdated_version")
    title = "Shop sends X-Shopify-Api-Version 2020-01, which ends on 2021-01-01"
    assert (alert.state, alert.title) == ("open", title)
    integrator = signed_in(UserRole.INTEGRATOR)
    page = integrator.get(f"/alerts/{alert.pk}").content.decode()
    assert 'href="/sources/shop?tab=drift"' in page
    page = integrator.get("/sources/shop?tab=drift").content.decode()
    for shown in ("Deprecated", "2021-01-01", "ended on", f'href="/messages/{message}"'):
        assert shown in page
    [version] = integrator.get("/api/v1/sources/shop/drift").json()["versions"]
    assert (version["status"], version["ends_on"], version["message_count"]) == (
        "deprecated",
        "2021-01-01",
        1,
    )
    SentVersion.objects.update(last_seen_at=now - timedelta(days=8))
    sweep(now=now)
    alert.refresh_from_db()
    assert (alert.state, alert.resolution) == ("resolved", "The version is not sent any more.")
