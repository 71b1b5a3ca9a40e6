"""Business Central: notifications, documents, and polling without loss."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import pytest

from connectors.sdk.auth import InvalidSignature
from connectors.sdk.connector import ParseResult, RawMessage
from connectors.sdk.events import EventType, IdentifierScheme, Measure, ObjectKind
from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.webhook_and_poll_types import (
    HttpRequest,
    HttpResponse,
    PolledPage,
    PollError,
    WebhookRequest,
)
from connectors.systems.business_central.connector import BusinessCentral

NOW = datetime(2026, 4, 1, tzinfo=UTC)
BASE = "https://bc.example.com/api/v2.0/companies(1)"
ZERO_ID = "00000000-0000-0000-0000-000000000000"
SECRET, OLD = b"new-secret-of-this-source", b"old-secret-of-this-source"


def parse(body: Any, headers: Mapping[str, str] | None = None, **config: str) -> ParseResult:
    raw = json.dumps(body).encode()
    return BusinessCentral({"source": "erp", **config}).parse(RawMessage(raw, headers or {}, NOW))


def order(number: int, at: str, **more: Any) -> dict[str, Any]:
    return {"id": f"id-{number}", "number": f"SO-{number}", "lastModifiedDateTime": at, **more}


class TestExternalDocumentNumber:
    """It is an order name of the shop, or the customer's PO."""

    @pytest.mark.parametrize(
        ("text", "prefix", "schemes"),
        [
            ("#1001", "", ["web_order"]),
            ("1001", "", ["web_order", "customer_po"]),
            ("EN-6001", "", ["web_order", "customer_po"]),
            ("EN-6001", "EN-", ["web_order", "customer_po"]),
            ("PO-77", "EN-", ["customer_po"]),
            ("1001", "#", ["customer_po"]),
        ],
    )
    def test_name_of_the_shop_or_customer_po(
        self, text: str, prefix: str, schemes: list[str]
    ) -> None:
        settings = {"web_orders": "shop"} | ({"web_order_prefix": prefix} if prefix else {})
        body = order(1, "2026-03-04T10:00:00Z", externalDocumentNumber=text, customerNumber="C1",
                     status="Open")  # fmt: skip
        (event, *_) = parse(body, {"x-bc-entity": "salesOrders"}, **settings).events
        external = [i for i in event.objects[0].identifiers if i.issuer in {"shop", "C1"}]
        assert [i.scheme.value for i in external] == schemes


class TestNotifications:
    def notification(self, *states: Any) -> WebhookRequest:
        body = {"value": [{"subscriptionId": "s", "clientState": state} for state in states]}
        return WebhookRequest("POST", "/", {}, {}, json.dumps(body).encode())

    def test_the_validation_token_is_returned_as_plain_text(self) -> None:
        for method in ("GET", "POST"):
            request = WebhookRequest(method, "/", {"validationToken": "<b>abc"}, {}, b"")
            reply = BusinessCentral({}).handshake(request, [SECRET])
            assert reply is not None
            assert (reply.status, reply.body) == (200, b"<b>abc")
            assert reply.content_type.startswith("text/plain")
        assert (
            BusinessCentral({}).handshake(WebhookRequest("POST", "/", {}, {}, b""), [SECRET])
            is None
        )

    def test_every_entry_must_have_a_valid_client_state(self) -> None:
        system = BusinessCentral({})
        system.verify(self.notification(SECRET.decode(), OLD.decode()), [SECRET, OLD], NOW)
        for states in ([SECRET.decode(), "other"], ["other"], ["größe"], [None], [7], []):
            with pytest.raises(InvalidSignature):
                system.verify(self.notification(*states), [SECRET, OLD], NOW)

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"value": 7}', b"\xff"])
    def test_an_invalid_body_is_rejected(self, body: bytes) -> None:
        with pytest.raises(InvalidSignature):
            BusinessCentral({}).verify(WebhookRequest("POST", "/", {}, {}, body), [SECRET], NOW)

    @pytest.mark.parametrize(
        "body",
        [
            b'{ "value": [{"subscriptionId": "s", "clientState": "%s", "x": 1.10}]}',
            b'{ "value": [{"subscriptionId": "s", "client\\u0053tate": "%s", "x": 1.10}]}',
            b'{ "value": [{"clientState" : "%s"}, {"clientState": null}], "x": 1.10}',
            b'{ "value": [{"clientState": "%s\\"quote"}], "x": 1.10}',
            b'{ "number": "SO-1", "more": {"clientState": "%s"}, "x": 1.10}',
            b'{ "clientState": "%s", "x": 1.10',
        ],
    )
    def test_client_states_are_masked_in_the_stored_body(self, body: bytes) -> None:
        request = WebhookRequest("POST", "/", {}, {}, body % SECRET)
        stored = BusinessCentral({}).body_to_store(request)
        assert SECRET not in stored
        assert b"(masked)" in stored
        assert b"1.10" in stored

    @pytest.mark.parametrize("body", [b'{ "number":  "SO-1" }', b"{", b"\xff", b""])
    def test_body_without_client_state_is_stored_unchanged(self, body: bytes) -> None:
        assert BusinessCentral({}).body_to_store(WebhookRequest("POST", "/", {}, {}, body)) == body

    def test_a_notification_has_no_dedupe_key(self) -> None:
        assert BusinessCentral({}).dedupe_key(self.notification("x")) == ""


class TestDocuments:
    @pytest.mark.parametrize(
        ("status", "event_type"),
        [
            (None, EventType.ORDER_RECEIVED),
            ("Draft", EventType.ORDER_RECEIVED),
            ("In_x0020_Review", EventType.ORDER_HELD),
            ("In Review", EventType.ORDER_HELD),
            ("Open", EventType.ORDER_RELEASED),
            ("Pending Prepayment", EventType.UNMAPPED),
        ],
    )
    def test_order_statuses_are_mapped(self, status: str | None, event_type: EventType) -> None:
        body = order(1, "2026-03-04T10:00:00Z", orderDate="2026-03-04", status=status)
        (event,) = parse(body).events
        assert event.type is event_type
        assert event.raw_type == ("Pending Prepayment" if status == "Pending Prepayment" else "")

    def test_each_snapshot_of_a_status_is_an_event_of_its_own(self) -> None:
        keys = set()
        for at in ("2026-03-04T10:00:00Z", "2026-03-04T10:00:00.5Z"):
            keys |= {e.key for e in parse(order(1, at, orderDate="2026-03-04")).events}
        assert len(keys) == 2

    @pytest.mark.parametrize(
        ("status", "types"),
        [
            ("Open", [EventType.INVOICE_ISSUED]),
            ("Paid", [EventType.INVOICE_ISSUED, EventType.INVOICE_PAID]),
            ("Canceled", [EventType.INVOICE_VOID]),
            ("Corrective", [EventType.INVOICE_VOID]),
            ("Odd", [EventType.UNMAPPED]),
        ],
    )
    def test_invoice_statuses_are_mapped(self, status: str, types: list[EventType]) -> None:
        body = order(1, "2026-03-04T10:00:00Z", status=status, totalAmountIncludingTax=1)
        assert [e.type for e in parse(body).events] == types

    def test_a_draft_invoice_is_ignored(self) -> None:
        body = order(1, "2026-03-04T10:00:00Z", status="Draft", totalAmountIncludingTax=1)
        assert parse(body).ignored == "only draft documents"

    def test_an_invoice_without_order_number_refers_to_the_customer_po(self) -> None:
        more = {"externalDocumentNumber": "4711", "customerNumber": "C1", "orderNumber": ""}
        body = order(1, "2026-03-04T10:00:00Z", totalAmountIncludingTax=1, **more)
        (event,) = parse(body).events
        (identifier,) = event.objects[0].identifiers
        assert (identifier.scheme, identifier.issuer) == (IdentifierScheme.CUSTOMER_PO, "C1")

    def test_a_credit_memo_refers_to_its_invoice(self) -> None:
        body = order(1, "2026-03-04T10:00:00Z", creditMemoDate="2026-03-04", invoiceNumber="I-1")
        (event,) = parse(body).events
        assert event.type is EventType.CREDIT_ISSUED
        schemes = [i.scheme for ref in event.objects for i in ref.identifiers]
        assert schemes == [
            IdentifierScheme.CREDIT_MEMO,
            IdentifierScheme.SOURCE_ID,
            IdentifierScheme.INVOICE,
        ]

    def test_a_single_line_needs_the_order_id(self) -> None:
        body = {"documentId": "d-1", "sequence": 10000, "quantity": 2.5, "shippedQuantity": 0}
        (event,) = parse(body).events
        assert (event.type, event.occurred_at) == (EventType.ORDER_CHANGED, None)
        with pytest.raises(PayloadError) as caught:
            parse({"sequence": 10000}, {"x-bc-entity": "salesOrderLines"})
        assert caught.value.reason is ParkReason.REFERENCE

    def test_a_negative_shipment_is_an_error(self) -> None:
        lines = [{"sequence": 1, "quantity": -1}]
        with pytest.raises(PayloadError) as caught:
            parse({"number": "S", "orderNumber": "O", "salesShipmentLines": lines})
        assert caught.value.reason is ParkReason.QUANTITY

    def test_line_of_a_posted_document_is_not_taken_for_a_line_of_an_order(self) -> None:
        body = {"documentId": "d-1", "documentNo": "7", "sequence": 10000, "quantity": 3}
        with pytest.raises(PayloadError, match="not a sales order"):
            parse({**body, "shipmentDate": "2026-03-02"})

    @pytest.mark.parametrize(
        ("status", "taken_back"),
        [
            ("Draft", [EventType.ORDER_RELEASED, EventType.ORDER_HELD]),
            ("In Review", [EventType.ORDER_RELEASED]),
            ("Open", []),
            (None, []),
        ],
    )
    def test_status_before_the_release_takes_a_release_back(
        self, status: str | None, taken_back: list[EventType]
    ) -> None:
        body = order(1, "2026-03-04T10:00:00Z", orderDate="2026-03-04", status=status)
        (event,) = parse(body).events
        assert list(event.takes_back) == taken_back

    def test_order_sent_with_its_lines_reports_them_completely(self) -> None:
        line = {"sequence": 10000, "lineObjectNumber": "A", "quantity": 2, "shippedQuantity": 0}
        body = order(1, "2026-03-04T10:00:00Z", orderDate="2026-03-04")
        (event,) = parse({**body, "salesOrderLines": [line]}).events
        assert event.complete_measures == (Measure.ORDERED, Measure.SHIPPED)
        (event,) = parse(body).events
        assert event.complete_measures == ()

    def test_corrective_line_is_subtracted_from_the_line_that_it_undoes(self) -> None:
        def line(sequence: int, quantity: int, item: str = "A") -> dict[str, Any]:
            return {"sequence": sequence, "lineObjectNumber": item, "quantity": quantity}

        lines = [line(10000, 4), line(20000, 6), line(25000, -6), line(30000, 5, "B")]
        body = {"number": "S", "orderNumber": "O", "salesShipmentLines": lines}
        (event,) = parse(body).events
        shipped = {entry.line_id: entry.quantities[Measure.SHIPPED] for entry in event.lines}
        assert shipped == {"10000": 4, "20000": 0, "30000": 5}
        assert event.complete_measures == (Measure.SHIPPED,)
        body["salesShipmentLines"] = [*lines, line(35000, -2)]
        (event,) = parse(body).events
        assert event.lines[0].quantities[Measure.SHIPPED] == 2

    def test_invoice_of_several_shipments_names_the_shipment_of_each_line(self) -> None:
        def line(sequence: int, item: str, shipment: str) -> dict[str, Any]:
            return {"sequence": sequence, "lineObjectNumber": item, "quantity": 1,
                    "shipmentId": shipment}  # fmt: skip

        comment = {"sequence": 1, "lineType": "Comment", "shipmentId": ZERO_ID}
        lines = [comment, line(2, "A", "s-1"), line(3, "A", "s-2"), line(4, "B", "s-1")]
        body = order(1, "2026-03-04T10:00:00Z", totalAmountIncludingTax=1, salesInvoiceLines=lines)
        (event,) = parse(body).events
        assert [ref.kind for ref in event.objects] == [
            ObjectKind.INVOICE,
            *[ObjectKind.SHIPMENT] * 2,
        ]
        named = [
            (entry.line_id, event.objects[entry.shipment_index].identifiers[0].value)
            for entry in event.lines
        ]
        assert named == [("item A", "s-1"), ("item B", "s-1"), ("item A", "s-2")]
        (event,) = parse({**body, "orderNumber": "O"}).events
        assert [(entry.line_id, entry.shipment_index) for entry in event.lines] == [
            ("2", -1), ("3", -1), ("4", -1)
        ]  # fmt: skip

    def test_other_entities_are_an_error(self) -> None:
        with pytest.raises(PayloadError, match="not a sales order"):
            parse({"id": "1", "displayName": "Adatum"})


class FakeHttp:
    """An HTTP client that returns prepared responses and records the requests."""

    def __init__(self, *answers: Any, status: int = 200, **headers: str) -> None:
        self.responses = list(answers)
        self.status, self.headers = status, headers
        self.requests: list[tuple[str, Mapping[str, str], Mapping[str, str]]] = []
        self.forms: list[Mapping[str, str]] = []
        self.tokens = [HttpResponse(200, {}, b'{"access_token": "t-1"}')]

    def send(self, request: HttpRequest) -> HttpResponse:
        if request.method == "POST":
            self.forms.append(dict(parse_qsl(request.body.decode())))
            return self.tokens.pop(0)
        self.requests.append((request.url, request.query, request.headers))
        response = self.responses.pop(0) if self.responses else {"value": []}
        if isinstance(response, HttpResponse):
            return response
        body = response if isinstance(response, bytes) else json.dumps(response).encode()
        return HttpResponse(self.status, self.headers, body)


def poll(http: FakeHttp, cursor: str = "", **config: str) -> list[PolledPage]:
    system = BusinessCentral({"base_url": BASE, **config})
    return list(system.poll(http, cursor, [SECRET, OLD]))


def page(*rows: dict[str, Any], following: str = "") -> dict[str, Any]:
    return {"value": list(rows), **({"@odata.nextLink": following} if following else {})}


class TestPolling:
    def test_next_links_are_followed_and_rows_advance_the_cursor(self) -> None:
        http = FakeHttp(
            page(order(1, "2026-03-04T10:00:00.5Z"), following=f"{BASE}/salesOrders?$skiptoken=1"),
            page(order(2, "2026-03-04T10:00:00.75Z")),
        )
        pages = poll(http)
        assert [len(p.records) for p in pages] == [1, 1, 0, 0]
        assert json.loads(pages[0].cursor) == {"salesOrders": "2026-03-04T10:00:00.5Z"}
        assert json.loads(pages[-1].cursor) == {"salesOrders": "2026-03-04T10:00:00.75Z"}
        url, params, headers = http.requests[0]
        assert url == f"{BASE}/salesOrders"
        assert params == {
            "$orderby": "lastModifiedDateTime,id",
            "$expand": "salesOrderLines",
        }
        assert headers["prefer"] == "odata.maxpagesize=200"
        assert headers["authorization"] == f"Bearer {SECRET.decode()}"
        assert http.requests[1][0].endswith("$skiptoken=1")

    def test_the_next_poll_includes_the_overlap(self) -> None:
        http = FakeHttp()
        poll(http, json.dumps({"salesShipments": "2026-03-04T10:00:00.5Z"}), page_size="7")
        filters = [params.get("$filter") for _, params, _ in http.requests]
        assert filters == [None, "lastModifiedDateTime ge 2026-03-04T09:55:00.500Z", None]

    def test_the_first_poll_may_have_a_start_date(self) -> None:
        http = FakeHttp()
        poll(http, since="2026-01-01")
        assert http.requests[0][1]["$filter"] == "lastModifiedDateTime ge 2026-01-01T00:00:00.000Z"

    def test_a_row_retains_all_digits_and_its_key_has_the_version(self) -> None:
        body = (
            b'{"value": [{"id": "a", "@odata.etag": "W/1", "unitPrice": 1397.30, "big": '
            b'9007199254740993, "lastModifiedDateTime": "2026-03-04T10:00:00Z"}]}'
        )
        (record,) = poll(FakeHttp(body))[0].records
        assert record.dedupe_key == "salesOrders a 2026-03-04T10:00:00Z W/1"
        assert record.headers == {"x-bc-entity": "salesOrders"}
        assert b'"unitPrice":1397.30' in record.body
        assert b"9007199254740993" in record.body

    def test_credit_memos_are_polled_if_enabled(self) -> None:
        http = FakeHttp()
        poll(http, credit_memos="yes")
        assert http.requests[-1][0] == f"{BASE}/salesCreditMemos"

    @pytest.mark.parametrize(
        "answer",
        [
            b"<html>", b"[]", {"error": {}}, {"value": {}}, {"value": [7]}, {"value": [{}]},
            page(order(1, "yesterday")),
            page(order(2, "2026-03-04T10:00:00Z"), order(1, "2026-03-04T09:00:00Z")),
        ],
    )  # fmt: skip
    def test_an_invalid_response_does_not_advance_the_cursor(self, answer: Any) -> None:
        with pytest.raises(PollError):
            poll(FakeHttp(answer))

    @pytest.mark.parametrize("status", [204, 302, 403, 404, 429, 500, 503])
    def test_any_other_status_is_an_error_with_retry_after(self, status: int) -> None:
        with pytest.raises(PollError) as caught:
            poll(FakeHttp(page(), status=status, **{"Retry-After": "7"}))
        assert (caught.value.status, caught.value.retry_after) == (status, "7")
        with pytest.raises(PollError) as caught:
            poll(FakeHttp(page(), status=status))
        assert caught.value.retry_after is None

    @pytest.mark.parametrize(
        "following",
        [
            f"{BASE}/salesOrders",
            f"{BASE}/salesOrders?again",
            "https://evil.example.com/api",
            "http://bc.example.com/api",
            "/relative",
        ],
    )
    def test_a_repeated_or_foreign_next_link_is_rejected(self, following: str) -> None:
        same = page(order(1, "2026-03-04T10:00:00Z"), following=following)
        http = FakeHttp(same, same)
        with pytest.raises(PollError):
            poll(http)
        assert all(url.startswith(BASE) for url, _, _ in http.requests)

    def test_rows_older_than_the_previous_page_are_an_error(self) -> None:
        http = FakeHttp(
            page(order(1, "2026-03-04T10:00:00Z"), following=f"{BASE}/salesOrders?2"),
            page(order(2, "2026-03-04T09:00:00Z")),
        )
        with pytest.raises(PollError, match="order"):
            poll(http)

    def test_a_never_modified_row_does_not_advance_the_cursor(self) -> None:
        pages = poll(FakeHttp(page(order(1, "0001-01-01T00:00:00Z"))))
        assert json.loads(pages[-1].cursor) == {}

    def test_a_token_is_fetched_once_and_renewed_once(self) -> None:
        expired = HttpResponse(401, {}, b"")
        http = FakeHttp(page(), expired, page(), page())
        http.tokens.append(HttpResponse(200, {}, b'{"access_token": "t-2"}'))
        poll(http, token_url="https://login.example.com/token", client_id="me")
        used = [headers["authorization"] for _, _, headers in http.requests]
        assert used == ["Bearer t-1", "Bearer t-1", "Bearer t-2", "Bearer t-2"]
        assert http.forms[0]["client_secret"] == SECRET.decode()
        assert http.forms[0]["grant_type"] == "client_credentials"

    def test_the_other_secret_is_tried_after_a_401(self) -> None:
        http = FakeHttp()
        http.tokens.insert(0, HttpResponse(401, {}, b""))
        poll(http, token_url="https://login.example.com/token")
        assert [data["client_secret"] for data in http.forms] == [SECRET.decode(), OLD.decode()]
        http = FakeHttp(HttpResponse(401, {}, b""))
        poll(http)
        assert http.requests[1][2]["authorization"] == f"Bearer {OLD.decode()}"

    def test_a_repeated_401_is_an_error(self) -> None:
        with pytest.raises(PollError, match="401"):
            poll(FakeHttp(HttpResponse(401, {}, b""), HttpResponse(401, {}, b"")))

    def test_a_connection_error_is_a_poll_error(self) -> None:
        class UnreachableHttp(FakeHttp):
            def send(self, request: HttpRequest) -> HttpResponse:
                raise ConnectionError("refused")

        with pytest.raises(PollError, match="refused"):
            poll(UnreachableHttp())

    @pytest.mark.parametrize("cursor", ["{", "[]", '{"salesOrders": "x"}', '{"salesOrders": 7}'])
    def test_an_invalid_cursor_is_an_error(self, cursor: str) -> None:
        with pytest.raises(PollError):
            poll(FakeHttp(), cursor)

    @pytest.mark.parametrize("config", [{"base_url": ""}, {"page_size": "many"}])
    def test_invalid_settings_are_an_error(self, config: dict[str, str]) -> None:
        with pytest.raises(PollError):
            poll(FakeHttp(), **config)


def test_a_pushed_document_may_have_a_bearer_token() -> None:
    connector, secret = BusinessCentral({"source": "erp"}), b"a-secret-of-at-least-24-bytes"
    now = datetime(2026, 3, 2, tzinfo=UTC)
    headers = connector.build_signed_headers(b"{}", secret, now)
    connector.verify(WebhookRequest("POST", "/hooks/erp", {}, headers, b"{}"), [secret], now)
    with pytest.raises(InvalidSignature):
        connector.verify(
            WebhookRequest("POST", "/hooks/erp", {}, headers, b"{}"), [b"another"], now
        )
