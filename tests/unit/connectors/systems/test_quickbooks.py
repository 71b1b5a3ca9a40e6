"""QuickBooks Online: paid and void invoices, custom fields, shipments, and two forms of notices."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.sdk.auth import InvalidSignature
from connectors.sdk.connector import ParseResult, RawMessage
from connectors.sdk.events import EventType, Flag, IdentifierScheme, Measure, ObjectKind
from connectors.sdk.payload import PayloadError
from connectors.sdk.webhook_and_poll_types import WebhookRequest
from connectors.systems.quickbooks.connector import QuickBooks
from tests.unit.connectors.signatures import is_accepted

NOW = datetime(2026, 4, 1, tzinfo=UTC)
SECRET, OLD = b"verifier-token", b"earlier-verifier-token"
BODY = '[{"type": "qbo.größe"}]'.encode()


def parse(document: Any, **config: str) -> ParseResult:
    raw = json.dumps(document).encode()
    return QuickBooks({"source": "books", **config}).parse(RawMessage(raw, {}, NOW))


def invoice(**more: Any) -> dict[str, Any]:
    own = {"Id": "12", "DocNumber": "1045", "TxnDate": "2026-03-02", "TotalAmt": 46, "Balance": 46}
    changed = {"LastUpdatedTime": "2026-03-20T09:12:44-07:00"}
    return {"Invoice": {**own, "MetaData": changed, **more}}


def types(result: ParseResult) -> list[str]:
    return [event.type.value for event in result.events]


class TestQuickBooksSignature:
    def test_its_own_signature_is_accepted_during_rotation(self) -> None:
        for secret, other in ((SECRET, OLD), (OLD, SECRET)):
            headers = QuickBooks({}).build_signed_headers(BODY, secret, NOW)
            signed = WebhookRequest("POST", "/", {}, headers, BODY)
            assert is_accepted(QuickBooks({}), signed, [SECRET, OLD], NOW)
            assert not is_accepted(QuickBooks({}), signed, [other], NOW)

    @pytest.mark.parametrize("given", [None, "", "größe", "===", "AAAA"])
    def test_a_missing_or_invalid_signature_is_rejected(self, given: str | None) -> None:
        headers = {} if given is None else {"intuit-signature": given}
        with pytest.raises(InvalidSignature):
            QuickBooks({}).verify(WebhookRequest("POST", "/", {}, headers, BODY), [SECRET], NOW)


class TestStatesOfTransactions:
    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            ({}, ["invoice.issued"]),
            ({"Balance": 10}, ["invoice.issued"]),
            ({"Balance": 0}, ["invoice.issued", "invoice.paid"]),
            ({"Balance": 0, "TotalAmt": 0}, ["invoice.issued"]),
            ({"Balance": 0, "TotalAmt": 0, "PrivateNote": "Voided"}, ["invoice.void"]),
            ({"status": "Deleted"}, ["invoice.void"]),
        ],
    )
    def test_balance_note_and_status_give_the_state(
        self, fields: dict[str, Any], expected: list[str]
    ) -> None:
        assert types(parse(invoice(**fields))) == expected

    def test_deleting_a_payment_opens_the_invoice(self) -> None:
        (_, paid), (opened,) = parse(invoice(Balance=0)).events, parse(invoice()).events
        assert paid.key == opened.key
        later = {"LastUpdatedTime": "2026-03-21T09:00:00-07:00"}
        (opened,) = parse(invoice(MetaData=later)).events
        assert opened.revision > paid.revision

    def test_paid_has_the_time_of_the_change_that_shows_it(self) -> None:
        issued, paid = parse(invoice(Balance=0), zone="America/Chicago").events
        assert (issued.occurred_at, issued.flags) == (
            datetime(2026, 3, 2, 6, tzinfo=UTC),
            (Flag.DATE_ONLY,),
        )
        assert (paid.occurred_at, paid.flags) == (
            datetime(2026, 3, 20, 16, 12, 44, tzinfo=UTC),
            (Flag.TIME_OF_REPORT,),
        )

    def test_a_deleted_credit_memo_withdraws_its_credit(self) -> None:
        memo = {"CreditMemo": {"Id": "7", "TxnDate": "2026-03-02", "TotalAmt": 5}}
        (issued,) = parse(memo).events
        (void,) = parse({"CreditMemo": {"Id": "7", "status": "Deleted"}}).events
        assert issued.type is EventType.CREDIT_ISSUED
        assert void.corrects == (issued.key,)

    def test_payments_are_ignored_and_unknown_kinds_are_parked(self) -> None:
        assert parse({"Payment": {"Id": "7", "TotalAmt": 5}}).ignored.startswith("payment: ")
        with pytest.raises(PayloadError, match="no transaction"):
            parse({"Bill": {"Id": "7"}})


class TestReferences:
    def test_custom_fields_name_the_order_and_the_po(self) -> None:
        fields = [
            {"Name": "sales ORDER", "StringValue": "SO-1"},
            {"Name": "PO", "StringValue": "4711"},
            {"Name": "Rep"},
        ]
        document = invoice(CustomField=fields, CustomerRef={"value": "58", "name": "Harbor"})
        config = {"order_field": "Sales order", "po_field": "PO", "reference": "sales_order@erp"}
        (event,) = parse(document, **config).events
        assert [(n.scheme, n.value, n.issuer) for n in event.objects[0].identifiers] == [
            (IdentifierScheme.SALES_ORDER, "SO-1", "erp"),
            (IdentifierScheme.CUSTOMER_PO, "4711", "58"),
        ]
        assert [ref.kind for ref in parse(document).events[0].objects] == [ObjectKind.INVOICE]

    def test_ids_of_different_kinds_are_different_numbers(self) -> None:
        (event,) = parse(invoice(LinkedTxn=[{"TxnId": "12", "TxnType": "Estimate"}])).events
        ids = {n.value for ref in event.objects for n in ref.identifiers if n.scheme == "source_id"}
        assert ids == {"Invoice 12", "Estimate 12"}

    def test_a_ship_date_is_a_shipment_only_if_the_settings_say_so(self) -> None:
        line = {"SalesItemLineDetail": {"Qty": 3, "ItemRef": {"value": "1", "name": "A"}}}
        document = invoice(ShipDate="2026-03-03", TrackingNum="1Z9", Line=[line])
        assert types(parse(document)) == ["invoice.issued"]
        shipped = parse(document, shipments="yes").events[1]
        assert shipped.type is EventType.SHIPMENT_CONFIRMED
        assert [dict(line.quantities) for line in shipped.lines] == [{Measure.SHIPPED: 3}]
        assert shipped.occurred_at == datetime(2026, 3, 3, tzinfo=UTC)


class TestBothFormsOfNotices:
    @pytest.mark.parametrize(
        ("kind", "realm", "expected"),
        [
            ("invoice", "1", (True, "notices contain no data; changes are polled")),
            ("customer", "1", (False, "customer: records of this kind are not read")),
            ("invoice", "2", (False, "notices of another company")),
        ],
    )
    def test_notices_about_transactions_of_the_company_make_the_poll_due(
        self, kind: str, realm: str, expected: tuple[bool, str]
    ) -> None:
        event = {"specversion": "1.0", "type": f"qbo.{kind}.updated.v1", "intuitaccountid": realm}
        entity = {"id": "12", "operation": "Update", "name": kind.title()}
        older = {"realmId": realm, "dataChangeEvent": {"entities": [entity]}}
        for document in ([event], event, {"eventNotifications": [older]}):
            result = parse(document, realm_id="1")
            assert (result.poll_due, result.ignored) == expected
