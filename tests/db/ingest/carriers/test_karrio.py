"""Karrio is polled about each package under way; its webhooks have a secret in a header."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from connectors.sdk.auth import InvalidSignature
from tests.builders.carrier_polls import CarrierPolls
from tests.builders.carrier_server import CarrierServer, has_header
from tests.builders.vendor_server import Answer, VendorRequest

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "webhook-secret-of-this-source"
NUMBER = "1Z5R8W310349872015"


def tracker(number: str, events: list[Any]) -> dict[str, Any]:
    head = {"id": f"trk_{number}", "tracking_number": number, "carrier_name": "ups"}
    return {**head, "status": "in_transit", "test_mode": False, "events": events}


def event(at: datetime, code: str) -> dict[str, str]:
    return {"code": code, "date": f"{at:%Y-%m-%d}", "time": f"{at:%H:%M}"}


@pytest.fixture
def karrio(settings: Settings, now: datetime) -> Iterator[CarrierPolls]:
    def respond(request: VendorRequest) -> Answer:
        number = request.path.removeprefix("/v1/trackers/")
        if number not in server.scans:
            return Answer(404, {"errors": [{"code": "not_found"}]})
        return Answer(200, tracker(number, server.scans[number]))

    server = CarrierServer(respond)
    server.authorize = has_header("authorization", "Token key-1")
    settings.OUTGOING_ALLOWED = [server.address]
    yield CarrierPolls.connect(server, "karrio", now, SECRET, api_key="key-1")
    server.close()


def test_a_webhook_and_a_poll_report_an_event_once(karrio: CarrierPolls) -> None:
    at = karrio.now.replace(second=0, microsecond=0) - timedelta(hours=3)
    karrio.ship(NUMBER, "UPS")
    karrio.ship("AN-UNKNOWN-NUMBER", "")
    events = [event(at, "PU")]
    body = json.dumps({"event": "tracker_updated", "data": tracker(NUMBER, events)}).encode()
    for headers in ({}, {"x-event-id": "wrong"}):
        with pytest.raises(InvalidSignature):
            karrio.receive(body, headers)
    karrio.receive(body, {"x-event-id": SECRET})
    assert karrio.events() == [("shipment.picked_up", at)]
    karrio.server.scans[NUMBER] = events
    assert karrio.poll().poll_error == ""
    assert karrio.types() == ["shipment.picked_up"]
    karrio.server.refusals = [429]
    assert "HTTP 429" in karrio.poll(minutes=30).poll_error
    events.insert(0, event(at + timedelta(hours=1), "DL"))
    assert karrio.poll(minutes=60).poll_error == ""
    assert karrio.types() == ["shipment.picked_up", "shipment.delivered"]
