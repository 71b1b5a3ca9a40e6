"""ShipStation V1: labels are read page by page since the newest one; webhooks are notices."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pytest_django.fixtures import Settings

from connectors.sdk.auth import InvalidSignature
from tests.builders.carrier_polls import CarrierPolls
from tests.builders.carrier_server import CarrierServer, has_header
from tests.builders.vendor_server import Answer, VendorRequest

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "webhook-secret-of-this-source"
PACIFIC = ZoneInfo("America/Los_Angeles")


def label(number: int, at: datetime) -> dict[str, Any]:
    created = at.astimezone(PACIFIC).replace(tzinfo=None).isoformat(timespec="microseconds")
    tracking = {"trackingNumber": f"94001{number:017}", "carrierCode": "stamps_com"}
    return {"shipmentId": number, "orderId": number, "createDate": f"{created}0"} | {
        "orderNumber": f"W-{number}",
        "voided": False,
        **tracking,
    }


@pytest.fixture
def shipstation(settings: Settings, now: datetime) -> Iterator[CarrierPolls]:
    def respond(request: VendorRequest) -> Answer:
        query = request.query
        assert (request.path, query["sortBy"], query["sortDir"]) == (
            "/shipments",
            "CreateDate",
            "ASC",
        )
        since, page = query.get("createDateStart", ""), int(query["page"])
        rows = [row for row in server.rows if row["createDate"] >= since]
        size = int(query["pageSize"])
        shown = rows[(page - 1) * size : page * size]
        return Answer(200, {"shipments": shown, "total": len(rows), "page": page})

    server = CarrierServer(respond)
    server.authorize = has_header("authorization", "Basic a2V5OnNlY3JldA==")
    settings.OUTGOING_ALLOWED = [server.address]
    yield CarrierPolls.connect(server, "shipstation", now, SECRET, api_key="key:secret")
    server.close()


def test_labels_are_read_page_by_page_since_the_newest(shipstation: CarrierPolls) -> None:
    now = shipstation.now.replace(microsecond=0)
    first = now - timedelta(days=2)
    shipstation.server.rows = [label(n, first + timedelta(minutes=n)) for n in range(1, 131)]
    shipstation.server.refusals = [429]
    assert "HTTP 429" in shipstation.poll().poll_error
    assert shipstation.poll(minutes=11).poll_error == ""
    assert [request.query["page"] for request in shipstation.server.asked] == ["1", "2"]
    assert len(shipstation.events()) == 130
    assert shipstation.events()[0] == ("shipment.label_created", first + timedelta(minutes=1))
    shipstation.server.rows.append(label(131, now))
    assert shipstation.poll(minutes=16).poll_error == ""
    since = shipstation.server.asked[-1].query["createDateStart"]
    newest = (first + timedelta(minutes=130 - 60)).astimezone(PACIFIC)
    assert since == f"{newest:%Y-%m-%dT%H:%M:%S}"
    assert len(shipstation.events()) == 131


def test_a_webhook_is_a_notice_and_its_address_is_not_opened(shipstation: CarrierPolls) -> None:
    body = b'{"resource_url": "http://127.0.0.1:9/shipments", "resource_type": "SHIP_NOTIFY"}'
    with pytest.raises(InvalidSignature):
        shipstation.receive(body, {}, "token=wrong")
    shipstation.receive(body, {}, f"token={SECRET}")
    assert shipstation.events() == []
    assert shipstation.server.requests == []
