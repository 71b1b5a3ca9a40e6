"""SAP S/4HANA: events that name documents, the OData v2 poll, and the states of documents."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from connectors.sdk.auth import InvalidSignature
from connectors.sdk.connector import ParseResult, RawMessage
from connectors.sdk.events import Attribute, EventType, Flag, Measure
from connectors.sdk.payload import PayloadError
from connectors.sdk.webhook_and_poll_types import PollError, WebhookRequest
from connectors.systems.sap_s4hana.connector import SapS4Hana
from tests.builders.polls import (
    NOW,
    MemoryTokens,
    events_of_pages,
    fold_messages,
    keys_of_pages,
    poll_pages,
    poll_until_error,
)
from tests.builders.sap_server import INTERNAL_HOST, SapServer
from tests.builders.vendor_server import Answer

SECRET = b"event-mesh:a-password-of-24-bytes"
CREATED = "sap.s4.beh.salesorder.v1.SalesOrder.Created.v1"


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def day(text: str) -> str:
    return f"/Date({ms(text)})/"


def moment(text: str) -> str:
    return f"/Date({ms(text)}+0000)/"


def order(number: str, changed: str = "2026-03-02T09:12:44", **more: Any) -> dict[str, Any]:
    item = {"SalesOrderItem": "10", "Material": "A", "RequestedQuantity": "4", "NetAmount": "10.00",
            "RequestedQuantityUnit": "PC", "DeliveryStatus": "A"}  # fmt: skip
    return {
        "__metadata": {"uri": f"https://s4.example.com/A_SalesOrder('{number}')"},
        "SalesOrder": number,
        "CreationDate": day("2026-03-02"),
        "LastChangeDate": day(changed[:10]),
        "LastChangeDateTime": moment(changed),
        "to_Item": {"results": [item]},
        "to_Partner": {"__deferred": {"uri": "https://s4.example.com/to_Partner"}},
    } | more


def delivery(number: str, **more: Any) -> dict[str, Any]:
    item = {"DeliveryDocumentItem": "10", "ReferenceSDDocument": "0000000007",
            "ReferenceSDDocumentItem": "000010", "Material": "A", "ActualDeliveryQuantity": "4",
            "DeliveryQuantityUnit": "PC"}  # fmt: skip
    return {
        "DeliveryDocument": number,
        "CreationDate": day("2026-03-03"),
        "CreationTime": "PT06H30M00S",
        "LastChangeDate": None,
        "OverallGoodsMovementStatus": "A",
        "to_DeliveryDocumentItem": {"results": [item]},
    } | more


SHIPPED: dict[str, Any] = {
    "LastChangeDate": day("2026-03-04"),
    "OverallGoodsMovementStatus": "C",
    "ActualGoodsMovementDate": day("2026-03-04"),
    "ActualGoodsMovementTime": "PT14H05M12S",
}


def invoice(number: str, changed: str = "2026-03-05T08:15:31", **more: Any) -> dict[str, Any]:
    item = {"BillingDocumentItem": "10", "SalesDocument": "7", "SalesDocumentItem": "10",
            "Material": "A", "BillingQuantity": "4", "BillingQuantityUnit": "PC"}  # fmt: skip
    return {
        "BillingDocument": number,
        "BillingDocumentType": "F2",
        "SDDocumentCategory": "M",
        "CreationDate": day("2026-03-05"),
        "CreationTime": "PT08H15M30S",
        "LastChangeDateTime": moment(changed),
        "to_Item": {"results": [item]},
    } | more


def parse(body: Any, headers: dict[str, str] | None = None, **config: str) -> ParseResult:
    connector = SapS4Hana({"source": "erp", **config})
    return connector.parse(RawMessage(json.dumps(body).encode(), headers or {}, NOW))


class ReadHourly(SapS4Hana):
    """Each document is read an hour after the one before."""

    count = 0

    def parse(self, message: RawMessage) -> ParseResult:
        self.count += 1
        read_at = message.received_at + timedelta(hours=self.count)
        return super().parse(replace(message, received_at=read_at))


def shipped_quantity(*states: Any) -> Decimal:
    timeline = fold_messages(ReadHourly({"source": "erp"}), *states)
    return timeline.lines[0].quantities.get(Measure.SHIPPED, Decimal())


def request(body: bytes = b"{}", method: str = "POST", **headers: str) -> WebhookRequest:
    names = {name.replace("_", "-"): text for name, text in headers.items()}
    return WebhookRequest(method, "/hooks/erp", {}, names, body)


class TestSapEvents:
    @pytest.mark.parametrize("authorization", [
        f"Bearer {SECRET.decode()}", f"Basic {base64.b64encode(SECRET).decode()}",
    ])  # fmt: skip
    def test_bearer_token_or_basic_credentials_are_accepted(self, authorization: str) -> None:
        SapS4Hana({}).verify(request(authorization=authorization), [b"old", SECRET], NOW)

    @pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer x", "Basic eDp5", "Basic %"])
    def test_wrong_credentials_are_refused(self, authorization: str) -> None:
        with pytest.raises(InvalidSignature):
            SapS4Hana({}).verify(request(authorization=authorization), [SECRET], NOW)

    def test_handshake_of_the_webhook_specification_is_answered(self) -> None:
        asked = request(method="OPTIONS", webhook_request_origin="eventmesh.example.com")
        answer = SapS4Hana({}).handshake(asked, [SECRET])
        assert answer
        assert answer.status == 200
        assert answer.headers["webhook-allowed-origin"] == "eventmesh.example.com"
        assert SapS4Hana({}).handshake(request(), [SECRET]) is None

    def test_event_makes_the_poll_due_and_shows_the_number_without_zeros(self) -> None:
        event = {"specversion": "1.0", "id": "1", "source": "/s4", "type": CREATED}
        for body, headers in (
            (event | {"data": {"SalesOrder": "0000000017"}}, {}),
            ({"SalesOrder": "0000000017"}, {f"ce-{n}": text for n, text in event.items()}),
        ):
            result = parse(body, headers)
            assert (result.events, result.poll_due) == ((), True)
            assert result.ignored.endswith("(SalesOrder 17)")

    def test_event_of_an_object_that_is_not_polled_makes_no_poll_due(self) -> None:
        kind = "sap.s4.beh.product.v1.Product.Changed.v1"
        result = parse({"specversion": "1.0", "id": "1", "source": "/s4", "type": kind})
        assert result.ignored == "product: records of this kind are not read"
        assert not result.poll_due
        with pytest.raises(PayloadError, match="not a type of SAP"):
            parse({"specversion": "1.0", "id": "1", "source": "/s4", "type": "order.created"})

    def test_source_and_id_identify_an_event(self) -> None:
        event = {"specversion": "1.0", "id": "1", "source": "/s4", "type": CREATED}
        connector = SapS4Hana({})
        assert connector.dedupe_key(request(json.dumps(event).encode())) == "/s4 1"
        headers = {f"ce_{name}": text for name, text in event.items()}
        assert connector.dedupe_key(request(b"{}", **headers)) == "/s4 1"
        assert connector.dedupe_key(request(json.dumps(order("7")).encode())) == ""


class TestSapOrders:
    def test_padded_numbers_match_those_of_the_services(self) -> None:
        (short, _), (padded, _) = (parse(order(n)).events for n in ("17", "0000000017"))
        assert short.objects == padded.objects
        assert short.objects[0].identifiers[0].value == "17"

    def test_blocks_put_the_order_on_hold_until_they_are_cleared(self) -> None:
        blocked = order("7", "2026-03-03T08:00:00", DeliveryBlockReason="01")
        timeline = fold_messages(SapS4Hana({"source": "erp"}), blocked)
        assert timeline.status == "on_hold"
        cleared = order("7", "2026-03-03T09:00:00", DeliveryBlockReason="")
        timeline = fold_messages(SapS4Hana({"source": "erp"}), blocked, cleared)
        assert timeline.status != "on_hold"

    @pytest.mark.parametrize(
        ("status", "kind"),
        [("B", EventType.ORDER_HELD), ("C", EventType.ORDER_HELD),
         ("D", EventType.ORDER_HOLD_RELEASED)],
    )  # fmt: skip
    def test_credit_check_holds_and_a_person_releases(self, status: str, kind: EventType) -> None:
        event = parse(order("7", TotalCreditCheckStatus=status)).events[-1]
        assert (event.type, event.attributes[Attribute.REASON]) == (kind, f"credit check {status}")

    def test_rejected_order_is_cancelled_until_the_rejection_is_taken_back(self) -> None:
        rejected = order("7", "2026-03-03T08:00:00", OverallSDDocumentRejectionSts="C")
        restored = order("7", "2026-03-03T09:00:00", OverallSDDocumentRejectionSts="A")
        connector = SapS4Hana({"source": "erp"})
        assert fold_messages(connector, rejected).status == "cancelled"
        assert fold_messages(connector, rejected, restored).status != "cancelled"

    def test_unknown_status_letter_is_unmapped(self) -> None:
        event = parse(order("7", OverallSDDocumentRejectionSts="X")).events[-1]
        assert event.raw_type == "OverallSDDocumentRejectionSts X"

    def test_order_that_never_changed_is_received_only(self) -> None:
        (event,) = parse(order("7", LastChangeDate=None)).events
        assert event.type is EventType.ORDER_RECEIVED

    def test_item_without_delivery_is_no_goods(self) -> None:
        item = {"SalesOrderItem": "10", "RequestedQuantity": "1", "DeliveryStatus": ""}
        event = parse(order("7", to_Item=[item])).events[0]
        assert [line.is_goods for line in event.lines] == [False]

    def test_bad_document_does_not_hide_the_others(self) -> None:
        result = parse({"d": {"results": [order("7", CreationDate="soon"), order("8")]}})
        assert len(result.errors) == 1
        assert {e.objects[0].identifiers[0].value for e in result.events} == {"8"}


class TestSapDeliveries:
    def test_goods_issue_is_dated_in_the_zone_of_the_shipping_point(self) -> None:
        event = parse(delivery("80", **SHIPPED), zone="America/Chicago").events[-1]
        assert event.type is EventType.SHIPMENT_CONFIRMED
        assert event.occurred_at == datetime(2026, 3, 4, 20, 5, 12, tzinfo=UTC)
        (line,) = event.lines
        assert line.line_id == "10"
        assert line.quantities == {Measure.SHIPPED: 4}
        assert event.objects[0].identifiers[0].value == "7"

    def test_reversed_goods_issue_withdraws_the_shipment_until_it_is_posted_again(self) -> None:
        shipped, reversed_ = delivery("80", **SHIPPED), delivery("80", LastChangeDate=None)
        states: list[dict[str, Any]] = [order("7"), shipped]
        assert shipped_quantity(*states) == 4
        assert not shipped_quantity(*states, reversed_)
        assert shipped_quantity(*states, reversed_, shipped) == 4

    def test_delivery_block_holds_the_order_until_it_is_cleared(self) -> None:
        blocked = delivery("80", DeliveryBlockReason="02")
        assert fold_messages(ReadHourly({"source": "erp"}), order("7"), blocked).status == "on_hold"
        states = order("7"), blocked, delivery("80")
        assert fold_messages(ReadHourly({"source": "erp"}), *states).status != "on_hold"

    def test_picking_is_dated_by_its_first_report_and_not_after_the_goods_issue(self) -> None:
        picked = delivery("80", OverallPickingStatus="C")
        event = parse(picked).events[-1]
        assert (event.type, event.occurred_at) == (EventType.PICK_COMPLETED, NOW)
        first = parse(delivery("80", OverallPickingStatus="C", **SHIPPED)).events[1]
        assert first.occurred_at == datetime(2026, 3, 4, 14, 5, 12, tzinfo=UTC)
        assert first.revision > event.revision

    def test_proof_of_delivery_delivers(self) -> None:
        proof = {"OverallProofOfDeliveryStatus": "C", "ProofOfDeliveryDate": day("2026-03-06")}
        event = parse(delivery("80", **SHIPPED, **proof)).events[-1]
        assert (event.type, event.flags) == (EventType.DELIVERED, (Flag.DATE_ONLY,))

    @pytest.mark.parametrize(("more", "reason"), [
        ({"SDDocumentCategory": "T"}, "category T"), ({"to_DeliveryDocumentItem": []}, "without"),
    ])  # fmt: skip
    def test_other_deliveries_are_ignored(self, more: dict[str, Any], reason: str) -> None:
        result = parse(delivery("80", **more))
        assert not result.events
        assert reason in result.ignored

    def test_batches_of_an_item_are_added_up(self) -> None:
        item = {"DeliveryDocumentItem": "10", "ReferenceSDDocument": "7", "Material": "A",
                "ReferenceSDDocumentItem": "10", "ActualDeliveryQuantity": "1.5"}  # fmt: skip
        body = delivery("80", **SHIPPED, to_DeliveryDocumentItem=[item, item])
        assert parse(body).events[-1].lines[0].quantities == {Measure.SHIPPED: 3}


class TestBillingDocuments:
    def test_cancelled_invoice_takes_its_quantities_back(self) -> None:
        connector = SapS4Hana({"source": "erp"})
        cancellation = invoice(
            "91", SDDocumentCategory="N", BillingDocumentType="S1", CancelledBillingDocument="90",
            CreationDate=day("2026-03-06"),
        )  # fmt: skip
        timeline = fold_messages(connector, order("7"), invoice("90"))
        assert timeline.lines[0].quantities[Measure.INVOICED] == 4
        timeline = fold_messages(connector, order("7"), invoice("90"), cancellation)
        assert not timeline.lines[0].quantities.get(Measure.INVOICED)

    def test_cancelled_credit_memo_takes_its_quantities_back(self) -> None:
        connector = SapS4Hana({"source": "erp"})
        credit = invoice("95", SDDocumentCategory="O", BillingDocumentType="G2")
        changed = moment("2026-03-07T10:00:00")
        cancelled = credit | {"BillingDocumentIsCancelled": True, "LastChangeDateTime": changed}
        timeline = fold_messages(connector, order("7"), credit)
        assert timeline.lines[0].quantities[Measure.CREDITED] == 4
        assert "credited" in timeline.milestones
        timeline = fold_messages(connector, order("7"), credit, cancelled)
        assert not timeline.lines[0].quantities.get(Measure.CREDITED)
        assert "credited" not in timeline.milestones

    @pytest.mark.parametrize(("billing_type", "kinds"), [
        ("F2", [EventType.INVOICE_ISSUED]), ("G2", [EventType.CREDIT_ISSUED]),
        ("RE", [EventType.CREDIT_ISSUED]), ("F8", []), ("ZX", [EventType.UNMAPPED]),
    ])  # fmt: skip
    def test_billing_type_counts_without_a_category(
        self, billing_type: str, kinds: list[EventType]
    ) -> None:
        body = invoice("90", SDDocumentCategory="", BillingDocumentType=billing_type)
        assert [event.type for event in parse(body).events] == kinds

    def test_cancellation_that_names_no_document_is_parked(self) -> None:
        with pytest.raises(PayloadError, match="does not name"):
            parse(invoice("91", SDDocumentCategory="N"))


@pytest.fixture
def server(settings: Settings) -> Iterator[SapServer]:
    running = SapServer()
    settings.OUTGOING_ALLOWED = [running.address]
    yield running
    running.close()


def connector_of(server: SapServer, **config: str) -> SapS4Hana:
    access = {"base_url": server.base_url, "user": "READER", "password": "p-1"}
    return SapS4Hana({"source": "erp", **access, **config})


def oauth_connector_of(server: SapServer) -> SapS4Hana:
    return connector_of(
        server, user="", token_url=f"{server.url}/token", client_id="me", client_secret="s"
    )


class TestSapPolling:
    def test_all_rows_are_read_in_pages_with_basic_authentication(self, server: SapServer) -> None:
        at = "2026-03-02T10:00:00"  # all of one second, more than a page
        server.tables["A_SalesOrder"] = [order(str(n), at) for n in range(1, 8)]
        server.tables["A_BillingDocument"] = [invoice("90"), invoice("91")]
        server.tables["A_OutbDeliveryHeader"] = [
            delivery(str(n), **(SHIPPED if n % 2 else {})) for n in range(80, 87)
        ]
        expected = f"Basic {base64.b64encode(b'READER:p-1').decode()}"
        server.authorize = lambda sent: sent.headers.get("authorization") == expected
        pages = poll_pages(connector_of(server, page_size="3"))
        read = {key.rpartition(" ")[0] for key in keys_of_pages(pages)}
        assert read == {
            *(f"A_SalesOrder {n}" for n in range(1, 8)),
            "A_BillingDocument 90", "A_BillingDocument 91",
            *(f"A_OutbDeliveryHeader {n}" for n in range(80, 87)),
        }  # fmt: skip
        assert any("$skiptoken" in query for query in server.queries("A_SalesOrder"))
        assert all(r.headers["host"] == server.address for r in server.requests)
        assert server.queries("A_SalesOrder")[0]["$expand"] == "to_Item"
        types = {event.type for event in events_of_pages(connector_of(server), pages)}
        assert {EventType.SHIPMENT_CONFIRMED, EventType.INVOICE_ISSUED} < types

    def test_stored_rows_have_no_links(self, server: SapServer) -> None:
        server.tables["A_SalesOrder"] = [order("7")]
        (record,) = poll_pages(connector_of(server))[0].records
        assert b"https" not in record.body
        assert b"to_Item" in record.body

    def test_next_poll_asks_from_the_newest_change_and_the_days_before(
        self, server: SapServer
    ) -> None:
        server.tables["A_SalesOrder"] = [order("7", "2026-03-02T10:00:30")]
        server.tables["A_OutbDeliveryHeader"] = [delivery("80"), delivery("81", **SHIPPED)]
        connector = connector_of(server)
        first = poll_pages(connector)
        server.requests.clear()
        server.tables["A_OutbDeliveryHeader"][0] |= SHIPPED  # the same day, after it was read
        second = poll_pages(connector, first[-1].cursor)
        assert server.queries("A_SalesOrder")[0]["$filter"] == (
            "LastChangeDateTime ge datetimeoffset'2026-03-02T09:50:30Z'"
        )
        assert [query["$filter"] for query in server.queries("A_OutbDeliveryHeader")] == [
            "CreationDate ge datetime'2026-03-02T00:00:00'",
            "LastChangeDate ge datetime'2026-03-03T00:00:00'",
        ]
        new = set(keys_of_pages(second)) - set(keys_of_pages(first))
        assert [key.split(" ")[1] for key in new] == ["80"]

    def test_first_poll_starts_at_the_date_of_the_settings(self, server: SapServer) -> None:
        server.tables["A_SalesOrder"] = [order("6", "2026-02-27T10:00:00"), order("7")]
        pages = poll_pages(connector_of(server, since="2026-03-01"))
        assert [key.split(" ")[1] for key in keys_of_pages(pages)] == ["7"]

    def test_throttled_poll_waits_and_goes_on_from_its_cursor(self, server: SapServer) -> None:
        server.tables["A_SalesOrder"] = [
            order(str(n), f"2026-03-02T10:0{n}:00") for n in range(1, 6)
        ]
        server.tables["A_BillingDocument"] = [invoice("90")]
        connector, count = connector_of(server, page_size="2"), 0

        def throttle(_: Any) -> bool:
            nonlocal count
            count += 1
            if count == 3:
                server.failures.append(Answer(429, {}, {"Retry-After": "17"}))
            return True

        server.authorize = throttle
        pages, error = poll_until_error(connector)
        assert (error.status, error.retry_after) == (429, "17")
        others = poll_pages(connector, pages[-1].cursor)
        read = {key.split(" ")[1] for key in keys_of_pages([*pages, *others])}
        assert read == {"1", "2", "3", "4", "5", "90"}

    def test_expired_token_is_renewed_once(self, server: SapServer) -> None:
        server.authorize = server.has_current_token
        server.tables["A_SalesOrder"] = [order("7")]
        tokens = MemoryTokens()
        connector = oauth_connector_of(server)
        poll_pages(connector, tokens=tokens)
        assert server.access_tokens == ["access-1"]
        poll_pages(connector, tokens=tokens)
        assert server.access_tokens == ["access-1"]
        server.access_tokens.append("expired-meanwhile")
        assert keys_of_pages(poll_pages(connector, tokens=tokens))
        assert server.access_tokens[-1] == "access-3"
        token_request = next(r for r in server.requests if r.path == "/token")
        assert token_request.headers["authorization"].startswith("Basic ")
        assert b"grant_type=client_credentials" in token_request.body

    @pytest.mark.parametrize("content", [
        {}, {"d": []}, {"d": {}}, {"d": {"results": [{}]}}, b"<html>",
        {"d": {"results": [order("7", LastChangeDateTime=None)]}},
        {"d": {"results": [order("7", LastChangeDateTime="/Date(x)/")]}},
    ])  # fmt: skip
    def test_invalid_response_fails_the_poll(self, server: SapServer, content: Any) -> None:
        server.failures.append(Answer(200, content))
        pages, _ = poll_until_error(connector_of(server))
        assert not pages

    def test_next_link_that_repeats_a_page_fails_the_poll(self, server: SapServer) -> None:
        link = {"d": {"results": [], "__next": f"{INTERNAL_HOST}/x?$skiptoken=2"}}
        server.failures += [Answer(200, link)] * 2
        _, error = poll_until_error(connector_of(server))
        assert "repeats a page" in str(error)

    @pytest.mark.parametrize("config", [{"base_url": ""}, {"user": ""}, {"page_size": "many"}])
    def test_incomplete_settings_fail_the_poll(
        self, server: SapServer, config: dict[str, str]
    ) -> None:
        with pytest.raises(PollError):
            poll_pages(connector_of(server, **config))
