"""Packages under way: with a tracking number, not delivered, and with news lately."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from connectors.sdk.webhook_and_poll_types import OpenPackage
from visibility.ingest.add_source_and_rotate_secret import add_source
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.models import Source
from visibility.pipeline import job_functions
from visibility.storage.undelivered_packages_for_pollers import load_open_packages

pytestmark = pytest.mark.django_db


@pytest.fixture
def wms(now: datetime) -> Source:
    return add_source("wms", connector="cloudevents", config={}, now=now).source


def report(source: Source, kind: str, at: datetime, **data: Any) -> None:
    event = {"specversion": "1.0", "id": f"{kind} {at} {data}", "source": "/t", "type": kind}
    body = json.dumps({**event, "time": at.isoformat(), "data": data}).encode()
    store_messages([IncomingMessage(source.pk, str(event["id"]), {}, body)])
    job_functions.process_messages_and_refold()


def test_packages_are_open_until_they_are_delivered(wms: Source, now: datetime) -> None:
    yesterday = now - timedelta(days=1)
    carrier = {"attributes": {"carrier": "FedEx"}}
    report(wms, "shipment.confirmed", yesterday, order="S1", tracking=["1Z-1", "1Z-2"], **carrier)
    report(wms, "shipment.confirmed", yesterday, order="S2", tracking=["1Z-3"])
    report(wms, "shipment.confirmed", now - timedelta(days=80), order="S3", tracking=["1Z-4"])
    report(wms, "order.received", yesterday, order="S4")
    assert load_open_packages(now) == [
        OpenPackage("1Z-1", "FedEx"),
        OpenPackage("1Z-2", "FedEx"),
        OpenPackage("1Z-3"),
    ]
    assert [p.tracking_number for p in load_open_packages(now, after="1Z-2")] == [
        "1Z-3",
        "1Z-1",
        "1Z-2",
    ]
    report(wms, "shipment.in_transit", now, tracking="1Z-1")
    report(wms, "shipment.delivered", now, tracking="1Z-2")
    report(wms, "shipment.returned", now, tracking="1Z-3")
    assert load_open_packages(now) == [OpenPackage("1Z-1", "FedEx")]


def test_the_limit_counts_only_packages_of_the_carriers_and_repeated_calls_reach_all(
    wms: Source, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"a1": "UPS", "a2": "UPS Ground", "b1": "FedEx Ground", "b2": "", "b3": "FDEG"}
    for number, name in names.items():
        carrier = {"attributes": {"carrier": name}} if name else {}
        report(wms, "shipment.confirmed", now, order=number, tracking=[number], **carrier)
    monkeypatch.setattr("visibility.storage.undelivered_packages_for_pollers.MAX_PACKAGES", 2)
    fedex = ("fedex", "fdeg")

    def load(after: str) -> list[str]:
        return [p.tracking_number for p in load_open_packages(now, carriers=fedex, after=after)]

    assert load("") == ["b1", "b2"]
    assert load("b2") == ["b3", "b1"]
