"""ShipStation signs webhooks by RSA, and is polled about packages whose carriers it has."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from connectors.sdk.auth import InvalidSignature, MalformedSignatureHeader
from tests.builders.carrier_polls import CarrierPolls
from tests.builders.carrier_server import CarrierServer, has_header
from tests.builders.rsa_sender import RsaSender, key_set
from tests.builders.vendor_server import Answer, VendorRequest
from visibility.ingest.add_source_and_rotate_secret import change_settings
from visibility.models import Source

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "webhook-secret-of-this-source"
NUMBER = "1Z5R8W310349872011"


def event(at: datetime, code: str, status: str) -> dict[str, Any]:
    return {"occurred_at": at.isoformat(), "event_code": code, "status_code": status}


@pytest.fixture
def shipengine(settings: Settings, now: datetime) -> Iterator[CarrierPolls]:
    def respond(request: VendorRequest) -> Answer:
        assert request.path == "/tracking"
        query = request.query
        if query["tracking_number"] not in server.scans:
            return Answer(404, {"errors": [{"error_code": "not_found"}]})
        tracking = {"tracking_number": query["tracking_number"], "status_code": "IT"}
        events = server.scans[query["tracking_number"]]
        return Answer(200, {**tracking, "carrier_code": query["carrier_code"], "events": events})

    server = CarrierServer(respond)
    server.authorize = has_header("api-key", "key-1")
    settings.OUTGOING_ALLOWED = [server.address]
    yield CarrierPolls.connect(server, "shipengine", now, SECRET, api_key="key-1")
    server.close()


def test_packages_are_asked_for_with_the_code_of_their_carrier(shipengine: CarrierPolls) -> None:
    at = shipengine.now.replace(microsecond=0) - timedelta(hours=3)
    shipengine.ship(NUMBER, "UPS")
    shipengine.ship("9400150206217311200215", "USPS")
    shipengine.ship("PRO-1", "Saia")
    shipengine.server.scans[NUMBER] = [event(at, "P", "AC")]
    assert shipengine.poll().poll_error == ""
    asked = [request.query for request in shipengine.server.asked]
    assert asked == [
        {"carrier_code": "ups", "tracking_number": NUMBER},
        {"carrier_code": "stamps_com", "tracking_number": "9400150206217311200215"},
    ]
    assert shipengine.events() == [("shipment.picked_up", at)]
    shipengine.server.refusals = [429]
    assert "HTTP 429" in shipengine.poll(minutes=30).poll_error
    shipengine.server.scans[NUMBER].insert(0, event(shipengine.now, "D", "DE"))
    assert shipengine.poll(minutes=60).poll_error == ""
    assert shipengine.types() == ["shipment.picked_up", "shipment.delivered"]


def test_webhooks_are_signed_with_a_key_of_the_key_set(shipengine: CarrierPolls) -> None:
    sender = RsaSender("key-1")
    at = shipengine.now.replace(microsecond=0) - timedelta(hours=3)
    tracking = {"tracking_number": NUMBER, "status_code": "IT", "events": [event(at, "OT", "IT")]}
    body = json.dumps({"resource_type": "API_TRACK", "data": tracking}).encode()

    def headers(time: str, signer: RsaSender = sender) -> dict[str, str]:
        return {
            "x-shipengine-rsa-sha256-signature": signer.sign(time.encode() + b"." + body),
            "x-shipengine-rsa-sha256-key-id": "key-1",
            "x-shipengine-timestamp": time,
        }

    time = shipengine.now.isoformat()
    with pytest.raises(InvalidSignature):
        shipengine.receive(body, headers(time))  # there is no key yet, and no token
    shipengine.receive(body, headers(time), f"token={SECRET}")
    config = {**shipengine.source.config, "public_keys": key_set(RsaSender("key-0"), sender)}
    change_settings(shipengine.source, config, now=shipengine.now)
    shipengine.source = Source.objects.get(pk=shipengine.source.pk)
    for wrong in (
        {},
        headers(time, RsaSender("key-1")),
        headers(time) | {"x-shipengine-timestamp": f"{time} "},
        headers((shipengine.now - timedelta(minutes=6)).isoformat()),
    ):
        with pytest.raises((InvalidSignature, MalformedSignatureHeader)):
            shipengine.receive(body, wrong, f"token={SECRET}")
    shipengine.receive(body, headers(time))
    assert shipengine.events() == [("shipment.out_for_delivery", at)]
