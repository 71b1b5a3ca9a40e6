"""UPS is polled about each package under way, over HTTP, within its budget."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pytest_django.fixtures import Settings

from tests.builders.carrier_polls import CarrierPolls
from tests.builders.carrier_server import CLIENT_ID, CLIENT_SECRET, CarrierServer
from tests.builders.vendor_server import Answer, VendorRequest

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/api/track/v1/details/"
NUMBER, UNKNOWN = "1Z5R8W310349871206", "1Z5R8W310349871420"


def scan(at: datetime, kind: str, code: str) -> dict[str, object]:
    """A scan at a place six hours behind GMT."""
    local = at.astimezone(UTC) - timedelta(hours=6)
    return {
        "date": f"{local:%Y%m%d}",
        "time": f"{local:%H%M%S}",
        "gmtOffset": "-06:00",
        "status": {"type": kind, "code": code, "description": "Scan"},
    }


@pytest.fixture
def ups(settings: Settings, now: datetime) -> Iterator[CarrierPolls]:
    now = now.replace(microsecond=0)

    def respond(request: VendorRequest) -> Answer:
        assert request.headers["transid"]
        assert request.headers["transactionsrc"] == "throughline"
        number = request.path.removeprefix(PATH)
        if number == UNKNOWN:
            error = {"code": "151044", "message": "Tracking Information Not Found"}
            return Answer(404, {"response": {"errors": [error]}})
        package = {"trackingNumber": number, "activity": server.scans.get(number, [])}
        return Answer(200, {"trackResponse": {"shipment": [{"package": [package]}]}})

    server = CarrierServer(respond, "/security/v1/oauth/token")
    server.scans[NUMBER] = [
        scan(now - timedelta(hours=2), "I", "DP"),
        scan(now - timedelta(hours=9), "P", "PU"),
    ]
    settings.OUTGOING_ALLOWED = [server.address]
    credentials = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    yield CarrierPolls.connect(server, "ups", now, "credential-of-this-source", **credentials)
    server.close()


def asked(polls: CarrierPolls) -> list[str]:
    return [request.path.removeprefix(PATH) for request in polls.server.asked]


def test_packages_under_way_are_asked_for_one_at_a_time(ups: CarrierPolls) -> None:
    ups.ship(NUMBER, "UPS Ground")
    ups.ship(UNKNOWN, "")
    ups.ship("449044304137821", "")
    ups.ship("1Z5R8W310349871999", "FedEx")
    source = ups.poll()
    assert source.poll_error == ""
    assert asked(ups) == [NUMBER, UNKNOWN]
    assert ups.events() == [
        ("shipment.picked_up", ups.now - timedelta(hours=9)),
        ("shipment.in_transit", ups.now - timedelta(hours=2)),
    ]
    ups.server.scans[NUMBER].insert(0, scan(ups.now, "D", "FS"))
    ups.poll(minutes=30)
    assert ups.types() == ["shipment.picked_up", "shipment.in_transit", "shipment.delivered"]
    ups.poll(minutes=60)
    assert asked(ups) == [NUMBER, UNKNOWN, NUMBER, UNKNOWN, UNKNOWN]


def test_an_expired_token_is_replaced(ups: CarrierPolls) -> None:
    ups.ship(NUMBER, "UPS")
    ups.poll()
    ups.server.expire_token()
    source = ups.poll(minutes=30)
    assert (source.poll_error, asked(ups)) == ("", [NUMBER, NUMBER])
    assert len([r for r in ups.server.requests if r.path == ups.server.token_path]) == 2


def test_ups_is_not_asked_before_the_pause_that_it_wants(ups: CarrierPolls) -> None:
    ups.ship(NUMBER, "UPS")
    ups.server.refusals = [429]
    source = ups.poll()
    assert "HTTP 429" in source.poll_error
    assert source.next_poll_at is not None
    assert source.next_poll_at - ups.now >= timedelta(seconds=600)
    assert ups.poll(minutes=11).poll_error == ""
    assert asked(ups) == [NUMBER]


def test_the_calls_of_a_day_are_limited_by_a_setting(ups: CarrierPolls) -> None:
    ups.source.config = {**ups.source.config, "calls_per_day": "2"}
    ups.source.save()
    numbers = [f"1Z5R8W31034987130{digit}" for digit in range(3)]
    for number in numbers:
        ups.ship(number, "UPS")
    ups.poll()
    ups.poll(minutes=30)
    assert asked(ups) == numbers[:2]
    ups.poll(minutes=60 * 25)
    assert asked(ups) == [*numbers[:2], numbers[2], numbers[0]]


def test_a_wrong_address_is_an_error_and_not_an_unknown_package(ups: CarrierPolls) -> None:
    ups.ship(NUMBER, "UPS")
    ups.server.respond = lambda _: Answer(404, b"<html>Not found</html>")
    assert "HTTP 404" in ups.poll().poll_error
