"""Shippo is polled about packages whose carriers it has, and its webhooks prove their sender."""

import hashlib
import hmac
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
NUMBER = "9400150206217311200116"


def scan(at: datetime, status: str, code: str) -> dict[str, Any]:
    return {"status": status, "substatus": {"code": code}, "status_date": at.isoformat()}


@pytest.fixture
def shippo(settings: Settings, now: datetime) -> Iterator[CarrierPolls]:
    def respond(request: VendorRequest) -> Answer:
        _, tracks, carrier, number = request.path.split("/")
        assert tracks == "tracks"
        if number not in server.scans:
            return Answer(404, {"detail": "Not found"})
        history = server.scans[number]
        return Answer(
            200, {"carrier": carrier, "tracking_number": number, "tracking_history": history}
        )

    server = CarrierServer(respond)
    server.authorize = has_header("authorization", "ShippoToken shippo_live_1")
    settings.OUTGOING_ALLOWED = [server.address]
    yield CarrierPolls.connect(server, "shippo", now, SECRET, api_key="shippo_live_1")
    server.close()


def test_packages_are_asked_for_with_the_code_of_their_carrier(shippo: CarrierPolls) -> None:
    at = shippo.now.replace(microsecond=0) - timedelta(hours=3)
    shippo.ship(NUMBER, "USPS Ground Advantage")
    shippo.ship("1Z5R8W310349871206", "UPS")
    shippo.ship("PRO-1", "Saia")
    shippo.ship("9400150206217311200999", "")
    shippo.server.scans[NUMBER] = [scan(at, "TRANSIT", "package_accepted")]
    assert shippo.poll().poll_error == ""
    asked = [request.path for request in shippo.server.asked]
    assert asked == ["/tracks/ups/1Z5R8W310349871206", f"/tracks/usps/{NUMBER}"]
    assert shippo.events() == [("shipment.picked_up", at)]
    shippo.server.scans[NUMBER].append(scan(shippo.now, "DELIVERED", "delivered"))
    shippo.poll(minutes=30)
    shippo.poll(minutes=60)
    assert shippo.types() == ["shipment.picked_up", "shipment.delivered"]
    assert len(shippo.server.asked) == 5  # a delivered package is not asked for


def test_a_refused_request_is_repeated_after_the_pause(shippo: CarrierPolls) -> None:
    shippo.ship(NUMBER, "USPS")
    shippo.server.refusals = [429]
    source = shippo.poll()
    assert "HTTP 429" in source.poll_error
    assert source.throttled_until is not None
    assert source.throttled_until - shippo.now >= timedelta(seconds=600)
    assert shippo.poll(minutes=11).poll_error == ""


def test_webhooks_are_signed_or_have_the_token_in_the_address(shippo: CarrierPolls) -> None:
    at = shippo.now.replace(microsecond=0) - timedelta(hours=3)
    tracking = {
        "carrier": "usps",
        "tracking_number": NUMBER,
        "tracking_history": [scan(at, "TRANSIT", "out_for_delivery")],
    }
    body = json.dumps({"event": "track_updated", "test": False, "data": tracking}).encode()
    time = str(int(shippo.now.timestamp()))
    signed = time.encode() + b"." + body
    digest = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    headers = {"shippo-auth-signature": f"t={time},v1={digest}"}
    wrong: list[tuple[dict[str, str], str]] = [
        ({}, ""),
        ({}, "token=wrong"),
        ({"shippo-auth-signature": f"t={time},v1={'0' * 64}"}, f"token={SECRET}"),
        ({"shippo-auth-signature": f"t=1{time},v1={digest}"}, ""),
    ]
    for refused, query in wrong:
        with pytest.raises(InvalidSignature):
            shippo.receive(body, refused, query)
    shippo.receive(body, headers)
    shippo.receive(body + b" ", {}, f"token={SECRET}")
    assert shippo.events() == [("shipment.out_for_delivery", at)]
    url_query = shippo.source.build_connector().webhook_url_query(SECRET)
    assert url_query == f"?token={SECRET}"
