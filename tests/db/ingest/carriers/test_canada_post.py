"""Canada Post is polled about each package under way, in XML."""

import base64
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from pytest_django.fixtures import Settings

from tests.builders.carrier_polls import CarrierPolls
from tests.builders.carrier_server import CarrierServer, has_header
from tests.builders.vendor_server import Answer, VendorRequest

pytestmark = pytest.mark.django_db(transaction=True)
NUMBER, UNKNOWN = "7310440051928830", "7310440051928847"
OCCURRENCE = (
    "<occurrence><event-identifier>{code}</event-identifier><event-date>{at:%Y-%m-%d}</event-date>"
    "<event-time>{at:%H:%M:%S}</event-time><event-time-zone>EST</event-time-zone></occurrence>"
)


def occurrence(at: datetime, code: str) -> str:
    """An event in Eastern Standard Time, five hours behind GMT."""
    return OCCURRENCE.format(code=code, at=at - timedelta(hours=5))


@pytest.fixture
def canada_post(settings: Settings, now: datetime) -> Iterator[CarrierPolls]:
    def respond(request: VendorRequest) -> Answer:
        assert request.headers["accept"] == "application/vnd.cpc.track-v2+xml"
        assert request.path.startswith("/vis/track/pin/")
        number = request.path.split("/")[4]
        if number not in server.scans:
            message = b"<messages><message><code>004</code></message></messages>"
            return Answer(404, message, {"content-type": "application/vnd.cpc.track-v2+xml"})
        events = "".join(server.scans[number])
        text = f"<significant-events>{events}</significant-events></tracking-detail>"
        head = '<tracking-detail xmlns="http://www.canadapost.ca/ws/track">'
        return Answer(200, f"{head}<pin>{number}</pin>{text}".encode())

    server = CarrierServer(respond)
    credentials = base64.b64encode(b"user:password").decode()
    server.authorize = has_header("authorization", f"Basic {credentials}")
    settings.OUTGOING_ALLOWED = [server.address]
    yield CarrierPolls.connect(server, "canada_post", now, api_key="user:password")
    server.close()


def test_packages_of_canada_post_are_asked_for(canada_post: CarrierPolls) -> None:
    at = canada_post.now.replace(microsecond=0) - timedelta(hours=3)
    canada_post.ship(NUMBER, "Canada Post")
    canada_post.ship(UNKNOWN, "")
    canada_post.ship("1Z5R8W310349871206", "")
    canada_post.server.scans[NUMBER] = [occurrence(at, "0174")]
    assert canada_post.poll().poll_error == ""
    asked = [request.path.split("/")[4] for request in canada_post.server.asked]
    assert asked == [NUMBER, UNKNOWN]
    assert canada_post.events() == [("shipment.out_for_delivery", at)]
    canada_post.server.refusals = [429]
    assert "HTTP 429" in canada_post.poll(minutes=60).poll_error
    later = canada_post.now.replace(microsecond=0)
    canada_post.server.scans[NUMBER].insert(0, occurrence(later, "1496"))
    assert canada_post.poll(minutes=120).poll_error == ""
    canada_post.poll(minutes=180)
    assert canada_post.types() == ["shipment.out_for_delivery", "shipment.delivered"]
