"""NetSuite: the poll by SuiteQL, status letters, quantities, tracking numbers and zones."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from connectors.sdk.auth import InvalidSignature
from connectors.sdk.connector import ParseResult, RawMessage
from connectors.sdk.events import EventType, IdentifierScheme, Measure, ObjectKind
from connectors.sdk.payload import PayloadError
from connectors.sdk.webhook_and_poll_types import PolledPage, PollError, WebhookRequest
from connectors.systems.netsuite.connector import NetSuite, account_url
from tests.builders.netsuite_server import NetSuiteServer
from tests.builders.polls import (
    NOW,
    events_of_pages,
    fold_messages,
    keys_of_pages,
    poll_pages,
)
from tests.builders.vendor_server import Answer

SECRET = b"ts"
EARLY, LATE = "2026-03-02T10:00:00", "2026-03-03T10:00:00"


def row(kind: str, number: str, changed: str = EARLY, **more: Any) -> dict[str, Any]:
    return {
        "type": kind, "id": number, "tranid": f"{kind}-{number}", "status": "B",
        "trandate": "2026-03-02", "createddate": EARLY, "lastmodifieddate": changed,
        "entity": "55", "voided": "F",
    } | more  # fmt: skip


def line(**more: Any) -> dict[str, Any]:
    return {"line": "1", "itemid": "A", "itemtype": "InvtPart", "quantity": "-4"} | more


def link(previous: str = "SalesOrd", **more: Any) -> dict[str, Any]:
    linked = {"previoustype": previous, "previoustranid": f"{previous}-7", "previousdoc": "7"}
    return line(**linked, previousline="1", **more)


def order(changed: str = EARLY, **more: Any) -> dict[str, Any]:
    return row("SalesOrd", "7", changed, **({"lines": [line()]} | more))


def parse(body: Any, **config: str) -> ParseResult:
    connector = NetSuite({"source": "erp", "zone": "America/Los_Angeles", **config})
    return connector.parse(RawMessage(json.dumps(body).encode(), {}, NOW))


class TestNetSuiteOrders:
    @pytest.mark.parametrize(
        ("status", "kinds"),
        [
            ("A", [EventType.ORDER_HELD]),
            ("B", [EventType.ORDER_ACCEPTED]),
            ("SalesOrd:F", [EventType.ORDER_ACCEPTED]),
            ("G", [EventType.ORDER_ACCEPTED]),
            ("C", [EventType.ORDER_CANCELLED]),
            ("H", [EventType.ORDER_ACCEPTED, EventType.ORDER_CANCELLED]),
            ("Y", [EventType.UNMAPPED]),
        ],
    )
    def test_status_letters_are_mapped(self, status: str, kinds: list[EventType]) -> None:
        first, *others = parse(order(status=status)).events
        assert first.type is EventType.ORDER_RECEIVED
        assert [event.type for event in others] == kinds

    def test_times_are_in_the_zone_of_the_account(self) -> None:
        event = parse(order()).events[0]
        assert event.occurred_at == datetime(2026, 3, 2, 18, tzinfo=UTC)
        assert event.lines[0].quantities == {Measure.ORDERED: 4}

    def test_closed_line_cancels_what_was_not_shipped(self) -> None:
        closed = line(isclosed="T", quantityshiprecv="1")
        event = parse(order(LATE, lines=[closed])).events[-1]
        assert event.type is EventType.ORDER_CANCELLED
        assert event.lines[0].quantities == {Measure.CANCELLED: 3}

    def test_approval_ends_the_hold(self) -> None:
        connector = NetSuite({"source": "erp"})
        pending = order(status="A")
        assert fold_messages(connector, pending).status == "on_hold"
        assert fold_messages(connector, pending, order(LATE)).status != "on_hold"

    def test_reopened_order_is_not_cancelled(self) -> None:
        connector = NetSuite({"source": "erp"})
        cancelled, reopened = order(LATE, status="C"), order("2026-03-04T10:00:00")
        assert fold_messages(connector, cancelled).status == "cancelled"
        assert fold_messages(connector, cancelled, reopened).status != "cancelled"

    def test_shipping_and_tax_lines_are_no_items(self) -> None:
        others = [line(line="2", itemtype="ShipItem"), line(line="3", itemtype="Service")]
        lines = parse(order(lines=[line(), *others])).events[0].lines
        assert [(entry.line_id, entry.is_goods) for entry in lines] == [("1", True), ("3", False)]

    @pytest.mark.parametrize(("config", "expected"), [
        ({}, (IdentifierScheme.CUSTOMER_PO, "55")),
        ({"purchase_order": "web_order@shop"}, (IdentifierScheme.WEB_ORDER, "shop")),
    ])  # fmt: skip
    def test_po_number_is_of_the_customer_or_of_the_shop(
        self, config: dict[str, str], expected: tuple[IdentifierScheme, str]
    ) -> None:
        number = parse(order(otherrefnum="4711"), **config).events[0].objects[0].identifiers[-1]
        assert (number.scheme, number.issuer) == expected


class TestOtherTransactions:
    @pytest.mark.parametrize(("status", "kind", "measure"), [
        ("A", EventType.PICK_COMPLETED, Measure.PICKED),
        ("B", EventType.PACK_COMPLETED, Measure.PACKED),
        ("C", EventType.SHIPMENT_CONFIRMED, Measure.SHIPPED),
    ])  # fmt: skip
    def test_fulfillment_reports_the_lines_of_the_order(
        self, status: str, kind: EventType, measure: Measure
    ) -> None:
        shipment = row("ItemShip", "8", status=status, lines=[link(quantity="-3")])
        (event,) = parse(shipment).events
        assert event.type is kind
        (entry,) = event.lines
        assert entry.line_id == "1"
        assert entry.quantities == {measure: 3}
        assert event.objects[0].identifiers[0].value == "SalesOrd-7"

    def test_tracking_numbers_are_packages(self) -> None:
        shipment = row("ItemShip", "8", status="C", lines=[link()], tracking=["1Z1", "N/A", "1Z2"])
        (event,) = parse(shipment).events
        numbers = [
            ref.identifiers[0].value for ref in event.objects if ref.kind is ObjectKind.PACKAGE
        ]
        assert numbers == ["1Z1", "1Z2"]

    def test_fulfillment_of_two_orders_names_the_order_of_each_line(self) -> None:
        other = link() | {"line": "2", "previousdoc": "9", "previoustranid": "SalesOrd-9"}
        (event,) = parse(row("ItemShip", "8", status="C", lines=[link(), other])).events
        assert [(entry.order_index, entry.line_id) for entry in event.lines] == [(0, "1"), (1, "1")]

    @pytest.mark.parametrize(("status", "kinds"), [
        ("A", [EventType.INVOICE_ISSUED]),
        ("B", [EventType.INVOICE_ISSUED, EventType.INVOICE_PAID]),
        ("V", [EventType.INVOICE_VOID]), ("D", []), ("Y", [EventType.UNMAPPED]),
    ])  # fmt: skip
    def test_statuses_of_invoices(self, status: str, kinds: list[EventType]) -> None:
        events = parse(row("CustInvc", "8", status=status, lines=[link()])).events
        assert [event.type for event in events] == kinds

    def test_credit_memo_names_the_invoice_and_voids_its_own_quantities_only(self) -> None:
        credit = row("CustCred", "9", status="A", lines=[link("CustInvc")])
        (event,) = parse(credit).events
        assert event.type is EventType.CREDIT_ISSUED
        assert [ref.identifiers[0].value for ref in event.objects] == ["CustCred-9", "CustInvc-7"]
        assert event.lines[0].line_id == "item A"
        (void,) = parse(credit | {"voided": "T"}).events
        assert [ref.identifiers[0].value for ref in void.objects] == ["CustCred-9"]
        assert EventType.CREDIT_ISSUED in void.takes_back

    def test_return_is_authorized_and_its_received_quantities_are_reported(self) -> None:
        returned = row("RtnAuth", "9", LATE, status="D", lines=[link(quantityshiprecv="2")])
        authorized, received = parse(returned).events
        assert authorized.type is EventType.RETURN_AUTHORIZED
        assert received.lines[0].quantities == {Measure.RETURNED: 2}
        assert not parse(returned | {"status": "A"}).events

    def test_date_counts_if_the_transaction_was_entered_on_another_day(self) -> None:
        shipment = row("ItemShip", "8", status="C", lines=[link()], trandate="2026-02-27")
        assert parse(shipment).events[0].occurred_at == datetime(2026, 2, 27, 8, tzinfo=UTC)

    def test_transaction_without_an_order_is_ignored(self) -> None:
        assert "without an order" in parse(row("ItemShip", "8", lines=[])).ignored
        with pytest.raises(PayloadError, match="not a type"):
            parse(row("PurchOrd", "8"))


@pytest.fixture
def server(settings: Settings) -> Iterator[NetSuiteServer]:
    running = NetSuiteServer()
    settings.OUTGOING_ALLOWED = [running.address]
    yield running
    running.close()


def connector_of(server: NetSuiteServer, **config: str) -> NetSuite:
    access = {"base_url": server.url, "account": "1234567_sb1", "consumer_key": "consumer",
              "consumer_secret": "cs", "token_id": "token"}  # fmt: skip
    return NetSuite({"source": "erp", **access, **config})


def poll(server: NetSuiteServer, cursor: str = "", **config: str) -> list[PolledPage]:
    return poll_pages(connector_of(server, **config), cursor, secrets=[SECRET])


class TestNetSuitePolling:
    def test_transactions_are_read_with_all_their_lines(self, server: NetSuiteServer) -> None:
        server.rows = [
            *(row("SalesOrd", str(n), EARLY) for n in range(1, 6)),  # more than a page in a second
            row("ItemShip", "20", LATE, status="C"),
        ]
        server.lines = [line(transaction="1", line=str(n)) for n in range(1, 8)]
        server.links = [link(transaction="20")]
        server.tracking = [{"transaction": "20", "trackingnumber": "1Z1"}]
        pages = poll(server, page_size="2")
        read = {key.rpartition(" ")[0] for key in keys_of_pages(pages)}
        assert read == {*(f"SalesOrd {n}" for n in range(1, 6)), "ItemShip 20"}
        events = events_of_pages(connector_of(server), pages)
        received = {e.key: len(e.lines) for e in events if e.type is EventType.ORDER_RECEIVED}
        assert received["order 1"] == 7
        shipped = next(e for e in events if e.type is EventType.SHIPMENT_CONFIRMED)
        assert shipped.objects[-1].kind is ObjectKind.PACKAGE

    def test_next_poll_begins_more_than_an_hour_before_the_newest_change(
        self, server: NetSuiteServer
    ) -> None:
        server.rows = [row("SalesOrd", "1")]
        first = poll(server)
        server.requests.clear()
        poll(server, first[-1].cursor)
        assert "t.lastmodifieddate >= TO_DATE('2026-03-02 08:45:00'" in server.statements[0]

    def test_first_poll_starts_at_the_date_of_the_settings(self, server: NetSuiteServer) -> None:
        server.rows = [row("SalesOrd", "1"), row("SalesOrd", "2", LATE)]
        pages = poll(server, since="2026-03-03")
        assert [key.split(" ")[1] for key in keys_of_pages(pages)] == ["2"]

    def test_throttled_poll_waits_and_goes_on(self, server: NetSuiteServer) -> None:
        server.failures.append(Answer(429, {"o:errorDetails": []}, {"Retry-After": "9"}))
        with pytest.raises(PollError) as caught:
            poll(server)
        assert (caught.value.status, caught.value.retry_after) == (429, "9")
        server.rows = [row("SalesOrd", "1")]
        assert keys_of_pages(poll(server))

    def test_old_token_secret_is_tried_after_the_new_one(self, server: NetSuiteServer) -> None:
        server.rows = [row("SalesOrd", "1")]
        pages = poll_pages(connector_of(server), secrets=[b"new", SECRET])
        assert len(keys_of_pages(pages)) == 1
        with pytest.raises(PollError, match="401"):
            poll_pages(connector_of(server), secrets=[b"wrong"])

    @pytest.mark.parametrize("content", [
        {}, [], b"<html>", {"items": [{}]}, {"items": [7]},
        {"items": [row("SalesOrd", "x")]}, {"items": [row("SalesOrd", "1", "soon")]},
    ])  # fmt: skip
    def test_invalid_response_fails_the_poll(self, server: NetSuiteServer, content: Any) -> None:
        server.failures.append(Answer(200, content))
        with pytest.raises(PollError):
            poll(server)

    @pytest.mark.parametrize("config", [{"account": ""}, {"token_id": ""}, {"page_size": "x"}])
    def test_incomplete_settings_fail_the_poll(
        self, server: NetSuiteServer, config: dict[str, str]
    ) -> None:
        with pytest.raises(PollError):
            poll(server, **config)
        with pytest.raises(PollError, match="token secret"):
            poll_pages(connector_of(server), secrets=[])


def test_url_of_a_sandbox_has_a_hyphen() -> None:
    assert account_url("1234567_SB1") == "https://1234567-sb1.suitetalk.api.netsuite.com"


def test_webhooks_are_refused() -> None:
    with pytest.raises(InvalidSignature):
        NetSuite({}).verify(WebhookRequest("POST", "/", {}, {}, b""), [SECRET], NOW)
