"""DHL is polled about each package under way, within 250 calls a day."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from pytest_django.fixtures import Settings

from tests.builders.carrier_polls import CarrierPolls
from tests.builders.carrier_server import CarrierServer, has_header
from tests.builders.vendor_server import Answer, VendorRequest

pytestmark = pytest.mark.django_db(transaction=True)
NUMBER = "4417203955"


@pytest.fixture
def dhl(settings: Settings, now: datetime) -> Iterator[CarrierPolls]:
    def respond(request: VendorRequest) -> Answer:
        assert request.path == "/track/shipments"
        number = request.query["trackingNumber"]
        if number not in server.scans:
            problem = {"title": "No result found", "status": 404}
            return Answer(404, problem, {"content-type": "application/problem+json"})
        shipment = {"id": number, "service": "express", "events": server.scans[number]}
        return Answer(200, {"url": request.target, "shipments": [shipment]})

    server = CarrierServer(respond)
    server.authorize = has_header("dhl-api-key", "key-1")
    settings.OUTGOING_ALLOWED = [server.address]
    zone = "America/Chicago"
    yield CarrierPolls.connect(server, "dhl", now, api_key="key-1", zone=zone)
    server.close()


def event(at: datetime, code: str, description: str) -> dict[str, str]:
    """An event in the local time of its location, six hours behind GMT in winter."""
    local = (at - timedelta(hours=6)).replace(tzinfo=None)
    return {"timestamp": local.isoformat(), "statusCode": code, "description": description}


def asked(polls: CarrierPolls) -> list[str]:
    return [request.query["trackingNumber"] for request in polls.server.asked]


@pytest.mark.parametrize("now", [datetime.fromisoformat("2026-01-20T12:00:00+00:00")])
def test_only_packages_of_dhl_are_asked_for(dhl: CarrierPolls) -> None:
    at = dhl.now - timedelta(hours=3)
    dhl.ship(NUMBER, "DHL Express")
    dhl.ship("JD014600009912345678", "")
    dhl.ship("1Z5R8W310349871206", "")
    dhl.server.scans[NUMBER] = [event(at, "transit", "Shipment picked up")]
    assert dhl.poll().poll_error == ""
    assert asked(dhl) == [NUMBER, "JD014600009912345678"]
    assert dhl.events() == [("shipment.picked_up", at)]
    dhl.server.scans[NUMBER].insert(0, event(dhl.now, "delivered", "Delivered"))
    dhl.poll(minutes=60)
    dhl.poll(minutes=120)
    assert dhl.types() == ["shipment.picked_up", "shipment.delivered"]
    assert asked(dhl)[2:] == [NUMBER, "JD014600009912345678", "JD014600009912345678"]


def test_a_day_has_250_calls_also_if_some_fail(dhl: CarrierPolls) -> None:
    dhl.ship(",".join(f"44172{number:05}" for number in range(300)), "DHL")
    dhl.server.refusals = [429]
    assert "HTTP 429" in dhl.poll().poll_error
    for minutes in range(11, 111, 10):
        assert dhl.poll(minutes=minutes).poll_error == ""
    assert len(dhl.server.requests) == 250
    dhl.poll(minutes=60 * 24 + 1)
    assert len(dhl.server.requests) > 250
    assert len(set(asked(dhl))) > 249
