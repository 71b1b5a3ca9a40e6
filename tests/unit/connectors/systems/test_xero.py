"""Xero: states of invoices, dates without a zone, purchases, and notices."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.sdk.auth import InvalidSignature
from connectors.sdk.connector import ParseResult, RawMessage
from connectors.sdk.events import CanonicalEvent, EventType, Flag, IdentifierScheme, Measure
from connectors.sdk.payload import PayloadError
from connectors.sdk.webhook_and_poll_types import WebhookRequest
from connectors.systems.xero.connector import Xero
from tests.unit.connectors.signatures import is_accepted

NOW = datetime(2026, 4, 1, tzinfo=UTC)
SECRET, OLD = b"webhooks-key", b"earlier-webhooks-key"
BODY = '{"events": [], "entropy": "Größe"}'.encode()
# March 2, 2026 at 00:00 UTC and 10:00:05.160 UTC
DATE, UPDATED = "/Date(1772409600000+0000)/", "/Date(1772445605160+0000)/"


def parse(document: dict[str, Any], **config: str) -> ParseResult:
    raw = json.dumps(document).encode()
    return Xero({"source": "books", **config}).parse(RawMessage(raw, {}, NOW))


def invoice(status: str, **more: Any) -> dict[str, Any]:
    own = {"Type": "ACCREC", "InvoiceID": "i-1", "InvoiceNumber": "INV-1", "Status": status}
    return {**own, "Date": DATE, "UpdatedDateUTC": UPDATED, "Total": 46.0, **more}


def counted(*events: CanonicalEvent) -> set[str]:
    """The types that count of several reports: of each key the newest revision."""
    best: dict[str, CanonicalEvent] = {}
    for event in events:
        if event.key not in best or event.revision > best[event.key].revision:
            best[event.key] = event
    return {event.type.value for event in best.values()}


class TestXeroSignature:
    def test_its_own_signature_is_accepted_during_rotation(self) -> None:
        for secret, other in ((SECRET, OLD), (OLD, SECRET)):
            headers = Xero({}).build_signed_headers(BODY, secret, NOW)
            signed = WebhookRequest("POST", "/", {}, headers, BODY)
            assert is_accepted(Xero({}), signed, [SECRET, OLD], NOW)
            assert not is_accepted(Xero({}), signed, [other], NOW)

    @pytest.mark.parametrize("given", [None, "", "größe", "===", "AAAA"])
    def test_a_missing_or_invalid_signature_is_rejected(self, given: str | None) -> None:
        headers = {} if given is None else {"x-xero-signature": given}
        with pytest.raises(InvalidSignature):
            Xero({}).verify(WebhookRequest("POST", "/", {}, headers, BODY), [SECRET], NOW)

    def test_success_is_200_without_a_body(self) -> None:
        answer = Xero({}).success_response()
        assert (answer.status, answer.body) == (200, b"")


class TestStates:
    def test_each_status_gives_its_events(self) -> None:
        types = {
            status: [event.type.value for event in parse(invoice(status)).events]
            for status in ("DRAFT", "SUBMITTED", "DELETED", "AUTHORISED", "PAID", "VOIDED", "NEW")
        }
        assert types == {
            "DRAFT": [],
            "SUBMITTED": [],
            "DELETED": [],
            "AUTHORISED": ["invoice.issued"],
            "PAID": ["invoice.issued", "invoice.paid"],
            "VOIDED": ["invoice.issued", "invoice.void"],
            "NEW": ["unmapped"],
        }

    def test_an_invoice_whose_payment_was_removed_is_not_paid(self) -> None:
        paid = parse(invoice("PAID")).events
        reopened = parse(invoice("AUTHORISED", UpdatedDateUTC="/Date(1772449205160+0000)/")).events
        assert counted(*paid) == {"invoice.issued", "invoice.paid"}
        assert counted(*paid, *reopened) == counted(*reopened, *paid) == {"invoice.issued"}

    def test_the_void_takes_back_the_quantities_of_its_invoice_only(self) -> None:
        issued, void = parse(invoice("VOIDED")).events
        assert issued.scope == void.scope == "invoice i-1"

    def test_purchases_are_ignored(self) -> None:
        result = parse(invoice("PAID", Type="ACCPAY"))
        assert not result.events
        assert result.ignored == "ACCPAY is no sale to a customer"

    def test_a_voided_credit_note_withdraws_its_credit(self) -> None:
        note = {"CreditNoteID": "c-1", "Type": "ACCRECCREDIT", "UpdatedDateUTC": UPDATED}
        (issued,) = parse({**note, "Status": "AUTHORISED", "Date": DATE}).events
        (void,) = parse({**note, "Status": "VOIDED", "Date": DATE}).events
        assert issued.type is EventType.CREDIT_ISSUED
        assert void.corrects == (issued.key,)


class TestXeroTimes:
    @pytest.mark.parametrize(
        ("zone", "expected"),
        [
            ("UTC", "2026-03-02T00:00:00+00:00"),
            ("America/Los_Angeles", "2026-03-02T08:00:00+00:00"),
            ("Pacific/Auckland", "2026-03-01T11:00:00+00:00"),
        ],
    )
    def test_a_date_is_a_day_in_the_zone_of_the_organization(
        self, zone: str, expected: str
    ) -> None:
        (event,) = parse(invoice("AUTHORISED"), zone=zone).events
        assert event.occurred_at == datetime.fromisoformat(expected)
        assert event.flags == (Flag.DATE_ONLY,)

    def test_a_date_ahead_of_the_last_change_is_a_plan(self) -> None:
        (event,) = parse(invoice("AUTHORISED", Date="/Date(1798761600000+0000)/")).events
        assert event.occurred_at == datetime(2026, 3, 2, 10, 0, 5, 160_000, tzinfo=UTC)
        assert event.flags == ()

    def test_a_void_has_the_time_of_the_change(self) -> None:
        _, void = parse(invoice("VOIDED")).events
        assert void.occurred_at == datetime(2026, 3, 2, 10, 0, 5, 160_000, tzinfo=UTC)

    @pytest.mark.parametrize("text", ["/Date(x)/", "/Date(9999999999999999)/", "tomorrow"])
    def test_an_invalid_date_parks_the_document(self, text: str) -> None:
        with pytest.raises(PayloadError, match="timestamp: Date"):
            parse(invoice("AUTHORISED", Date=text))


class TestNumbersAndLines:
    def test_reference_is_an_order_number_only_if_the_settings_say_so(self) -> None:
        document = invoice("AUTHORISED", Reference="SO-9")
        (event,) = parse(document).events
        (numbers,) = (ref.identifiers for ref in event.objects)
        assert [(n.scheme, n.strong) for n in numbers] == [
            (IdentifierScheme.INVOICE, True),
            (IdentifierScheme.SOURCE_ID, True),
            (IdentifierScheme.REFERENCE, False),
        ]
        (event,) = parse(document, reference="sales_order@erp", reference_prefix="SO-").events
        order = event.objects[0].identifiers[0]
        assert (order.scheme, order.value, order.issuer) == ("sales_order", "SO-9", "erp")
        (event,) = parse(document, reference="sales_order@erp", reference_prefix="X-").events
        assert len(event.objects) == 1

    def test_lines_of_one_item_are_added_up_and_returned_units_are_credited(self) -> None:
        lines = [
            {"ItemCode": "A", "Quantity": 2, "UnitAmount": 1.25},
            {"ItemCode": "A", "Quantity": 3.5, "UnitAmount": 1.25},
            {"ItemCode": "B", "Quantity": -1},
            {"Description": "Freight", "Quantity": 1, "LineItemID": "l-4"},
            {"Description": "A text"},
        ]
        (event,) = parse(invoice("AUTHORISED", LineItems=lines)).events
        assert [(line.line_id, dict(line.quantities)) for line in event.lines] == [
            ("item A", {Measure.INVOICED: Decimal("5.5")}),
            ("item B", {Measure.CREDITED: Decimal(1)}),
            ("l-4", {Measure.INVOICED: Decimal(1)}),
        ]
        assert [line.is_goods for line in event.lines] == [True, True, False]

    def test_one_bad_document_of_a_list_parks_only_itself(self) -> None:
        result = parse({"Invoices": [invoice("PAID"), invoice("PAID", Total="x")]})
        assert len(result.events) == 2
        assert [error.path for error in result.errors] == ["Invoices[1].Total"]


class TestNotices:
    def test_notices_of_another_organization_are_ignored(self) -> None:
        notice = {"tenantId": "t-2", "eventCategory": "INVOICE"}
        other = parse({"events": [notice]}, tenant_id="t-1")
        assert other.ignored == "notices of another organization"
        own = parse({"events": [notice]}, tenant_id="t-2")
        assert own.ignored == "notices contain no data; changes are polled"
        assert (own.poll_due, other.poll_due) == (True, False)

    def test_the_intent_to_receive_is_no_notice(self) -> None:
        assert parse(json.loads(BODY)).ignored.startswith("intent to receive")
