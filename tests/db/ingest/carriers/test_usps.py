"""USPS is polled about each package under way, with a token, within 60 calls an hour."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from tests.builders.carrier_polls import CarrierPolls
from tests.builders.carrier_server import CLIENT_ID, CLIENT_SECRET, CarrierServer
from tests.builders.vendor_server import Answer, VendorRequest

pytestmark = pytest.mark.django_db(transaction=True)
NUMBER = "9400150206217311200321"
PATH = "/tracking/v3/tracking/"


@pytest.fixture
def usps(settings: Settings, now: datetime) -> Iterator[CarrierPolls]:
    def respond(request: VendorRequest) -> Answer:
        assert request.query == {"expand": "DETAIL"}
        number = request.path.removeprefix(PATH)
        if number not in server.scans:
            return Answer(404, {"apiVersion": "/tracking/v3", "error": {"code": "404"}})
        tracking = {"trackingNumber": number, "statusCategory": "In Transit"}
        return Answer(200, {**tracking, "trackingEvents": server.scans[number]})

    server = CarrierServer(respond, "/oauth2/v3/token")
    settings.OUTGOING_ALLOWED = [server.address]
    credentials = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    yield CarrierPolls.connect(server, "usps", now, **credentials)
    server.close()


def event(at: datetime, code: str) -> dict[str, Any]:
    local = (at - timedelta(hours=5)).replace(tzinfo=None, second=0)
    times = {"eventTimestamp": local.isoformat(), "GMTOffset": "-05:00"}
    return {"eventCode": code, "GMTTimestamp": at.isoformat().replace("+00:00", "Z"), **times}


def asked(polls: CarrierPolls) -> list[str]:
    return [request.path.removeprefix(PATH) for request in polls.server.asked]


def test_packages_of_usps_are_asked_for_with_a_token(usps: CarrierPolls) -> None:
    at = usps.now.replace(microsecond=0) - timedelta(hours=3)
    usps.ship(NUMBER, "USPS Ground Advantage")
    usps.ship("9400150206217311200999", "")
    usps.ship("449044304137821", "")
    usps.ship("1Z5R8W310349871206", "UPS")
    usps.server.scans[NUMBER] = [event(at, "03")]
    assert usps.poll().poll_error == ""
    assert asked(usps) == [NUMBER, "9400150206217311200999"]
    assert usps.events() == [("shipment.picked_up", at)]
    usps.server.expire_token()
    usps.server.scans[NUMBER].insert(0, event(usps.now.replace(microsecond=0), "01"))
    assert usps.poll(minutes=60).poll_error == ""
    assert usps.types() == ["shipment.picked_up", "shipment.delivered"]
    tokens = [r for r in usps.server.requests if r.path == usps.server.token_path]
    assert len(tokens) == 2


def test_an_hour_has_sixty_calls_and_a_refusal_a_pause(usps: CarrierPolls) -> None:
    usps.ship(",".join(f"94001502062173112{number:05}" for number in range(70)), "USPS")
    usps.server.refusals = [429]
    source = usps.poll()
    assert source.throttled_until is not None
    assert source.throttled_until - usps.now >= timedelta(seconds=600)
    for minutes in (11, 21, 31):
        assert usps.poll(minutes=minutes).poll_error == ""
    assert len(asked(usps)) == 59
    usps.poll(minutes=61)
    usps.poll(minutes=62)
    assert len(set(asked(usps))) == 70
