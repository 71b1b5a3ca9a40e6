"""X12: remittances, adjustments, return authorizations and receipts of returns."""

import pytest

from connectors.sdk.events import Attribute, EventType, IdentifierScheme, Measure, ObjectKind
from connectors.sdk.payload import ParkReason
from tests.builders.parsed_x12 import envelope, events, parse, parse_error

OWN = {"own": "ACME", "customer.BIGMART": "C1"}
REMITTANCE = "820~BPR*I*100*C*ACH************20260412~TRN*1*EFT-1~{}"


class TestRemittance:
    @pytest.mark.parametrize(
        ("item", "event_type"),
        [
            ("RMR*IV*INV-1*PO*980*1000*20", EventType.INVOICE_PAID),
            ("RMR*IV*INV-1*PO*980", EventType.INVOICE_PAID),
            ("RMR*IV*INV-1*PO*900*1000~ADX*-100*59", EventType.INVOICE_PAID),
            ("RMR*IV*INV-1*PO*900*1000~ADX*-60*59", EventType.INVOICE_PARTLY_PAID),
            ("RMR*IV*INV-1*PO*900*1000~ADX*100*50", EventType.INVOICE_PARTLY_PAID),
            ("RMR*IV*INV-1*PO*0*1000", EventType.INVOICE_PARTLY_PAID),
        ],
    )
    def test_payment_discount_and_deductions_settle_an_invoice(
        self, item: str, event_type: EventType
    ) -> None:
        (event,) = events(REMITTANCE.format(item), **OWN)
        assert event.type is event_type

    def test_deductions_are_reasons_and_the_paid_amount_is_the_total(self) -> None:
        item = "RMR*IV*INV-1*PO*900*1000~REF*PO*4711~ADX*-60*59*CM*INV-1~ADX*-5*X9"
        (event,) = events(REMITTANCE.format(item), **OWN)
        assert event.attributes[Attribute.TOTAL] == "900"
        assert event.attributes[Attribute.REASON] == (
            "deducted 60: item not received (59), CM INV-1; deducted 5: reason code X9"
        )
        order, invoice = event.objects
        assert [i.value for i in order.identifiers] == ["4711"]
        assert invoice.identifiers[0].issuer == "edi"

    def test_it_names_the_invoice_as_its_810_does(self) -> None:
        invoice = "810~BIG*20260301*INV-1*20260301*4711~IT1*1*1*EA*5**VN*A~TDS*500"
        for config in (OWN, {}, {**OWN, "invoice_number": "invoice@erp"}):
            sent = envelope(invoice, sender="ACME", receiver="BIGMART")
            (issued,) = parse(sent, **config).events
            (paid,) = events(REMITTANCE.format("RMR*IV*INV-1*PO*5"), **config)
            assert paid.objects[-1] == issued.objects[-1]

    def test_two_partial_payments_are_two_facts(self) -> None:
        (first,) = events(REMITTANCE.format("RMR*IV*INV-1*PO*900*1000"), **OWN)
        later = REMITTANCE.format("RMR*IV*INV-1*PO*100*1000").replace("EFT-1", "EFT-2")
        (second,) = events(later, **OWN)
        assert first.key != second.key

    def test_other_items_are_in_the_detail_and_a_bad_one_leaves_the_others(self) -> None:
        text = REMITTANCE.format("RMR*CM*C-1**-5~RMR*IV*INV-1*PO*many~RMR*IV*INV-2*PO*7~ENT*2")
        parsed = parse(envelope(text), **OWN)
        assert [e.attributes[Attribute.TOTAL] for e in parsed.events] == ["7"]
        assert [e.reason for e in parsed.errors] == [ParkReason.NUMBER]
        assert "RMR*CM*C-1 is no invoice" in parsed.ignored

    def test_one_without_items_is_parked(self) -> None:
        assert parse_error(REMITTANCE.format("ENT*1")).reason is ParkReason.SCHEMA


class TestAdjustments:
    @pytest.mark.parametrize(
        ("sender", "flag", "event_type", "kind"),
        [
            ("ACME", "C", EventType.CREDIT_ISSUED, ObjectKind.INVOICE),
            ("ACME", "D", EventType.DEBIT_REQUESTED, ObjectKind.DEBIT_MEMO_REQUEST),
            ("BIGMART", "C", EventType.CREDIT_REQUESTED, ObjectKind.CREDIT_MEMO_REQUEST),
            ("BIGMART", "D", EventType.CREDIT_REQUESTED, ObjectKind.CREDIT_MEMO_REQUEST),
            ("ACME", "Q", EventType.UNMAPPED, ObjectKind.INVOICE),
        ],
    )
    def test_the_flag_and_the_sender_say_what_it_is(
        self, sender: str, flag: str, event_type: EventType, kind: ObjectKind
    ) -> None:
        receiver = "BIGMART" if sender == "ACME" else "ACME"
        text = f"812~BCD*20260411*A-1*M*5950*{flag}*20260305*INV-1***4711~CUR*SE*USD"
        (event,) = parse(envelope(text, sender=sender, receiver=receiver), **OWN).events
        assert event.type is event_type
        assert [ref.kind for ref in event.objects] == [ObjectKind.ORDER, kind]
        assert event.attributes[Attribute.TOTAL] == "59.50"
        assert event.attributes[Attribute.DETAIL] == "invoice INV-1"

    def test_one_without_a_number_is_parked(self) -> None:
        assert parse_error("812~BCD*20260411**M*5*C").reason is ParkReason.REFERENCE


class TestX12Returns:
    TEXT = "180~BGN*{}*R-1*20260415~N9*RA*RMA-1~N9*PO*4711~BLI*VN*BOLT*2*EA~BLI*VN*NUT*1~N9*PO*4712"

    def test_items_may_be_of_several_orders(self) -> None:
        (event,) = events(self.TEXT.format("00"), **OWN)
        assert event.type is EventType.RETURN_AUTHORIZED
        assert [ref.kind for ref in event.objects] == [
            ObjectKind.ORDER,
            ObjectKind.ORDER,
            ObjectKind.RETURN,
        ]
        assert [(x.sku, x.order_index, x.quantities) for x in event.lines] == [
            ("BOLT", 0, {}),
            ("NUT", 1, {}),
        ]

    def test_a_request_is_unmapped(self) -> None:
        (event,) = events(self.TEXT.format("13"), **OWN)
        assert (event.type, event.raw_type) == (EventType.UNMAPPED, "180 purpose 13")

    def test_one_without_a_number_is_parked(self) -> None:
        assert parse_error("180~BGN*00~BLI*VN*BOLT*2").reason is ParkReason.REFERENCE

    def test_a_receipt_with_an_rma_is_a_return_of_the_order(self) -> None:
        text = "944~W17*F*20260420*RC-1*SO-1~N9*RZ*RMA-1~W07*2*EA**VN*BOLT~W13*1*EA*01~W14*2"
        (event,) = events(text, depositor_order="sales_order@erp")
        assert event.type is EventType.RETURN_RECEIVED
        assert event.lines[0].quantities == {Measure.RETURNED: 2}
        order, returned = event.objects
        assert order.identifiers[0].scheme is IdentifierScheme.SALES_ORDER
        assert returned.identifiers[0].value == "RMA-1"
        assert event.attributes[Attribute.DETAIL] == "BOLT: 1 EA damaged"
