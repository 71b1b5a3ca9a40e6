"""AfterShip is polled about packages under way, many at a time; its webhooks report the same."""

import base64
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


def checkpoint(at: datetime, tag: str, subtag: str) -> dict[str, Any]:
    return {"slug": "usps", "tag": tag, "subtag": subtag, "checkpoint_time": at.isoformat()}


def tracking(number: str, checkpoints: list[Any]) -> dict[str, Any]:
    return {"id": f"t-{number}", "tracking_number": number, "slug": "usps", "tag": "InTransit"} | {
        "checkpoints": checkpoints
    }


@pytest.fixture
def aftership(settings: Settings, now: datetime) -> Iterator[CarrierPolls]:
    def respond(request: VendorRequest) -> Answer:
        assert request.path == "/trackings"
        numbers = request.query["tracking_numbers"].split(",")
        assert len(numbers) <= 50
        known = [tracking(n, server.scans[n]) for n in numbers if n in server.scans]
        return Answer(200, {"meta": {"code": 200}, "data": {"trackings": known}})

    server = CarrierServer(respond)
    server.authorize = has_header("as-api-key", "key-1")
    settings.OUTGOING_ALLOWED = [server.address]
    yield CarrierPolls.connect(server, "aftership", now, SECRET, api_key="key-1")
    server.close()


def test_packages_of_every_carrier_are_asked_for_forty_at_a_time(aftership: CarrierPolls) -> None:
    numbers = [f"94001{number:017}" for number in range(41)]
    aftership.ship(",".join(numbers), "")
    at = aftership.now.replace(microsecond=0) - timedelta(hours=3)
    aftership.server.scans[numbers[40]] = [checkpoint(at, "InTransit", "InTransit_002")]
    assert aftership.poll().poll_error == ""
    asked = [r.query["tracking_numbers"].split(",") for r in aftership.server.asked]
    assert asked == [numbers[:40], numbers[40:]]
    assert aftership.events() == [("shipment.picked_up", at)]


def test_a_webhook_and_a_poll_report_one_checkpoint_once(aftership: CarrierPolls) -> None:
    number = "9400150206217311200017"
    aftership.ship(number, "USPS")
    at = aftership.now.replace(microsecond=0) - timedelta(hours=3)
    scans = [checkpoint(at, "OutForDelivery", "OutForDelivery_001")]
    aftership.server.scans[number] = scans
    event = {"event": "tracking_update", "event_id": "e-1", "msg": tracking(number, scans)}
    body = json.dumps(event).encode()
    digest = hmac.new(SECRET.encode(), body, hashlib.sha256).digest()
    headers = {"aftership-hmac-sha256": base64.b64encode(digest).decode()}
    with pytest.raises(InvalidSignature):
        aftership.receive(body + b" ", headers)
    aftership.receive(body, headers)
    aftership.receive(body, headers)
    assert aftership.events() == [("shipment.out_for_delivery", at)]
    assert aftership.poll().poll_error == ""
    assert aftership.events() == [("shipment.out_for_delivery", at)]


def test_a_refused_request_is_repeated_after_the_pause(aftership: CarrierPolls) -> None:
    aftership.ship("9400150206217311200017", "USPS")
    aftership.server.refusals = [429]
    assert "HTTP 429" in aftership.poll().poll_error
    assert aftership.poll(minutes=11).poll_error == ""
    assert len(aftership.server.asked) == 1
