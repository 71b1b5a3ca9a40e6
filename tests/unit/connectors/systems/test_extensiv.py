"""Extensiv: steps with dates, an allocation without one, closed orders, and two spellings."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.sdk.connector import ParseResult, RawMessage
from connectors.sdk.events import CanonicalEvent, EventType, Measure
from connectors.sdk.payload import PayloadError
from connectors.sdk.webhook_and_poll_types import WebhookRequest
from connectors.systems.extensiv.connector import Extensiv
from tests.unit.connectors.signatures import is_accepted

NOW = datetime(2026, 4, 1, tzinfo=UTC)
SECRET = b"a-token-of-at-least-24-bytes"


def parse(document: Any, **config: str) -> ParseResult:
    raw = json.dumps(document).encode()
    return Extensiv({"source": "3pl", **config}).parse(RawMessage(raw, {}, NOW))


def order(qty: Any = 5, **facts: Any) -> dict[str, Any]:
    item = {"readOnly": {"orderItemId": 1}, "itemIdentifier": {"sku": "A"}, "qty": qty}
    own = {"orderId": 7, "creationDate": "2026-03-02T08:00:00"}
    times = {"lastModifiedDate": "2026-03-02T15:00:00"}
    return {"readOnly": own | times | facts, "referenceNum": "SO-1", "orderItems": [item]}


def types(result: ParseResult) -> list[str]:
    return [event.type.value for event in result.events]


def event_of(kind: EventType, document: dict[str, Any], **config: str) -> CanonicalEvent:
    return next(event for event in parse(document, **config).events if event.type is kind)


def test_each_date_is_a_step() -> None:
    facts = {
        "pickTicketPrintDate": "2026-03-02T09:00:00",
        "pickDoneDate": "2026-03-02T10:00:00",
        "packDoneDate": "2026-03-02T11:00:00",
        "processDate": "2026-03-02T12:00:00",
        "isClosed": True,
    }
    assert types(parse(order(**facts))) == [
        "order.released",
        "pick.started",
        "pick.completed",
        "pack.completed",
        "shipment.confirmed",
    ]
    assert types(parse(order())) == ["order.released"]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"isClosed": False, "processDate": "2026-03-02T12:00:00"}, None),
        ({"isClosed": True, "processDate": "2026-03-02T12:00:00"}, "shipment.confirmed"),
        ({"isClosed": True, "reasonForClose": "Duplicate"}, "order.cancelled"),
        ({"status": "Canceled"}, "order.cancelled"),
        ({"isClosed": True}, "unmapped"),
    ],
)
def test_a_closed_order_was_shipped_or_cancelled(
    facts: dict[str, Any], expected: str | None
) -> None:
    assert types(parse(order(**facts)))[1:] == ([expected] if expected else [])


def test_dates_are_local_times_of_the_account() -> None:
    for zone, hour in (("UTC", 8), ("America/Chicago", 14)):
        released = event_of(EventType.ORDER_RELEASED, order(), zone=zone)
        assert released.occurred_at == datetime(2026, 3, 2, hour, tzinfo=UTC)


def test_of_several_reports_of_the_allocation_the_earliest_counts() -> None:
    first = event_of(EventType.LINE_ALLOCATED, order(fullyAllocated=True))
    later = order(fullyAllocated=True, lastModifiedDate="2026-03-02T18:00:00")
    second = event_of(EventType.LINE_ALLOCATED, later)
    assert first.key == second.key
    assert first.revision > second.revision
    picked = order(fullyAllocated=True, pickTicketPrintDate="2026-03-02T09:00:00")
    third = event_of(EventType.LINE_ALLOCATED, picked)
    assert third.occurred_at == datetime(2026, 3, 2, 9, tzinfo=UTC)


def test_allocations_say_what_was_shipped_of_a_line() -> None:
    document = order(qty=5, isClosed=True, processDate="2026-03-02T12:00:00")
    document["orderItems"][0]["readOnly"]["allocations"] = [{"qty": 1}, {"qty": 2.5}]
    shipped = event_of(EventType.SHIPMENT_CONFIRMED, document)
    assert [dict(line.quantities) for line in shipped.lines] == [{Measure.SHIPPED: Decimal("3.5")}]
    released = event_of(EventType.ORDER_RELEASED, document)
    assert [dict(line.quantities) for line in released.lines] == [{Measure.ORDERED: Decimal(5)}]


def test_both_spellings_of_names_and_lists_give_the_same_events() -> None:
    def pascal(value: Any) -> Any:
        if isinstance(value, dict):
            return {name[:1].upper() + name[1:]: pascal(item) for name, item in value.items()}
        return [pascal(item) for item in value] if isinstance(value, list) else value

    plain = order(fullyAllocated=True)
    embedded = {key: value for key, value in plain.items() if key != "orderItems"}
    embedded["_embedded"] = {"http://api.3plCentral.com/rels/orders/item": plain["orderItems"]}
    page = {"totalResults": 1, "_embedded": {"item": [embedded]}}
    assert parse(pascal(plain)).events == parse(embedded).events == parse(page).events
    assert parse({"ResourceList": [pascal(plain)]}).events == parse(plain).events


def test_one_bad_order_of_a_page_parks_only_itself() -> None:
    result = parse({"resourceList": [order(), order(qty=-1)]})
    assert types(result) == ["order.released"]
    assert [error.path for error in result.errors] == ["resourceList[1].orderItems[0].qty"]
    with pytest.raises(PayloadError, match="quantity"):
        parse(order(qty=-1))


def test_a_notice_makes_the_poll_due() -> None:
    result = parse({"eventType": "OrderConfirm", "orderId": 7})
    assert (result.events, result.poll_due) == ((), True)


def test_a_request_needs_the_secret_as_bearer_token() -> None:
    headers = Extensiv({}).build_signed_headers(b"{}", SECRET, NOW)
    signed = WebhookRequest("POST", "/", {}, headers, b"{}")
    assert is_accepted(Extensiv({}), signed, [SECRET], NOW)
    assert not is_accepted(Extensiv({}), signed, [b"another-token-of-24-bytes"], NOW)
    assert not is_accepted(Extensiv({}), WebhookRequest("POST", "/", {}, {}, b""), [SECRET], NOW)
