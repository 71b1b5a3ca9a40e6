"""EDIFACT: what each message says of orders, shipments, invoices and statuses."""

from decimal import Decimal

import pytest

from connectors.sdk.events import Attribute, EventType, IdentifierScheme, Measure, ObjectKind
from connectors.sdk.payload import ParkReason
from tests.builders.edifact import edifact_error, edifact_events, edifact_file, parse_edifact

ME, BUYER = "4012345000009", "5412345000013"
OWN = {"own": ME, f"customer.{BUYER}": "C1"}
LINE = "LIN+1++A:SA'QTY+21:5:PCE"


def sent(*texts: str) -> bytes:
    return edifact_file(*texts, sender=ME, receiver=BUYER)


class TestEdifactOrders:
    @pytest.mark.parametrize(
        ("function", "event_type"),
        [
            ("9", EventType.ORDER_RECEIVED),
            ("", EventType.ORDER_RECEIVED),
            ("7", EventType.ORDER_RECEIVED),
            ("1", EventType.ORDER_CANCELLED),
            ("5", EventType.ORDER_CHANGED),
            ("46", EventType.UNMAPPED),
        ],
    )
    def test_the_function_says_what_happened(self, function: str, event_type: EventType) -> None:
        (event,) = edifact_events(f"ORDERS'BGM+220+4711+{function}'{LINE}'UNS+S", **OWN)
        assert event.type is event_type
        assert event.objects[0].identifiers[0].issuer == "C1"
        assert bool(event.complete_measures) is (function == "5")

    def test_a_blanket_order_is_unmapped(self) -> None:
        (event,) = edifact_events(f"ORDERS'BGM+221+4711+9'{LINE}'UNS+S")
        assert (event.type, event.raw_type) == (EventType.UNMAPPED, "ORDERS 221 9")

    def test_items_prices_and_dates_of_lines(self) -> None:
        text = (
            "ORDERS'BGM+220+4711+9'DTM+137:202603040815:203'DTM+2:20260312:102'LIN+00010++40:SRV'"
            "PIA+1+A-1:SA+B-1:BP'IMD+F++:::Bolt M8'QTY+21:5:PCE'PRI+AAA:2,50'DTM+63:20260320:102'"
            "LIN+2++A-2'QTY+21:1'UNS+S"
        )
        (event,) = edifact_events(text, **OWN)
        first, second = event.lines
        assert (first.line_id, first.sku, first.unit) == ("10", "A-1", "PCE")
        assert (first.price, first.description) == (Decimal("2.50"), "Bolt M8")
        assert (first.requested_at, event.attributes[Attribute.REQUESTED_AT]) == (
            "2026-03-20",
            "2026-03-12",
        )
        assert (second.sku, second.quantities) == ("A-2", {Measure.ORDERED: Decimal(1)})
        (preferred,) = edifact_events(text, sku_qualifiers="BP,SA")
        assert preferred.lines[0].sku == "B-1"

    def test_a_change_is_of_the_order_that_it_names(self) -> None:
        text = "ORDCHG'BGM+230+CH-1+4'RFF+ON:4711'LIN+1+3+A:SA'QTY+21:4'LIN+2+2+B:SA'UNS+S"
        (event,) = edifact_events(text, **OWN)
        assert event.type is EventType.ORDER_CHANGED
        assert event.objects[0].identifiers[0].value == "4711"
        assert [line.quantities[Measure.ORDERED] for line in event.lines] == [4, 0]
        (cancelled,) = edifact_events(text.replace("CH-1+4", "CH-1+1"), **OWN)
        assert (cancelled.type, cancelled.lines) == (EventType.ORDER_CANCELLED, ())

    def test_an_order_without_a_number_and_a_bad_line_are_parked(self) -> None:
        assert edifact_error(f"ORDERS'BGM+220++9'{LINE}").reason is ParkReason.REFERENCE
        text = f"ORDERS'BGM+220+1+9'{LINE}'LIN+2++B:SA'QTY+21:-5'UNS+S"
        parsed = parse_edifact(edifact_file(text))
        assert len(parsed.events[0].lines) == 1
        assert [e.reason for e in parsed.errors] == [ParkReason.QUANTITY]


class TestResponses:
    def test_lines_are_accepted_backordered_or_rejected(self) -> None:
        text = (
            "ORDRSP'BGM+231+R1+4'RFF+ON:4711'RFF+VN:SO-1'LIN+1+5+A:SA'QTY+21:24'QTY+113:18'"
            "QTY+83:4'DTM+67:20260312:102'LIN+2+7+B:SA'QTY+21:5'LIN+3+3+C:SA'QTY+21:9'UNS+S"
        )
        accepted, backordered, shorted, changed = parse_edifact(
            sent(text), seller_order="sales_order@erp", **OWN
        ).events
        assert accepted.type is EventType.ORDER_ACCEPTED
        assert accepted.attributes[Attribute.PROMISED_AT] == "2026-03-12"
        assert accepted.objects[0].identifiers[1].issuer == "erp"
        assert backordered.lines[0].quantities == {Measure.BACKORDERED: Decimal(4)}
        assert [(x.line_id, x.quantities) for x in shorted.lines] == [
            ("1", {Measure.CANCELLED: Decimal(2)}),
            ("2", {Measure.CANCELLED: Decimal(5)}),
        ]
        assert shorted.scope == "order response"
        assert (changed.type, changed.lines[0].quantities) == (
            EventType.ORDER_CHANGED,
            {Measure.ORDERED: Decimal(9)},
        )

    @pytest.mark.parametrize(
        ("function", "event_type"),
        [
            ("29", EventType.ORDER_ACCEPTED),
            ("27", EventType.ORDER_REJECTED),
            ("12", EventType.UNMAPPED),
        ],
    )
    def test_the_function_is_the_answer(self, function: str, event_type: EventType) -> None:
        (event,) = parse_edifact(sent(f"ORDRSP'BGM+231+R1+{function}'RFF+ON:4711"), **OWN).events
        assert event.type is event_type

    def test_one_without_an_order_is_parked(self) -> None:
        assert edifact_error("ORDRSP'BGM+231+R1+29").reason is ParkReason.REFERENCE


class TestDeliveries:
    ADVICE = (
        "DESADV'BGM+351+S1+9'DTM+11:202603101530:203'TDT+20++30+31+:::Nord'CPS+1'CPS+2+1'"
        "GIN+BJ+340123450000000018'LIN+1++A:SA'QTY+12:20:PCE'RFF+ON:4711:3'CPS+3+1'"
        "GIN+BJ+00340123450000000025'LIN+2++A:SA'QTY+12:1:PCE'RFF+ON:4711:3'LIN+3++B:SA'"
        "QTY+12:2'RFF+ON:4712:1'UNS+S"
    )

    def test_lines_are_in_the_packages_of_their_level(self) -> None:
        (event,) = parse_edifact(sent(self.ADVICE), **OWN).events
        assert event.type is EventType.SHIPMENT_CONFIRMED
        assert [ref.kind for ref in event.objects] == [
            ObjectKind.ORDER,
            ObjectKind.ORDER,
            ObjectKind.SHIPMENT,
            ObjectKind.PACKAGE,
            ObjectKind.PACKAGE,
        ]
        assert [
            (x.line_id, x.sku, x.order_index, x.package_index, x.quantities[Measure.SHIPPED])
            for x in event.lines
        ] == [
            ("3", "A", 0, 3, Decimal(20)),
            ("3", "A", 0, 4, Decimal(1)),
            ("1", "B", 1, 4, Decimal(2)),
        ]
        assert event.attributes[Attribute.CARRIER] == "Nord"

    def test_a_cancelled_advice_voids_the_shipment(self) -> None:
        (event,) = parse_edifact(sent(self.ADVICE.replace("S1+9", "S1+1")), **OWN).events
        assert (event.type, event.scope, event.lines) == (
            EventType.SHIPMENT_VOID,
            "shipment S1",
            (),
        )

    def test_a_receipt_is_of_the_shipment_of_the_advice(self) -> None:
        text = (
            "RECADV'BGM+632+W1+9'DTM+50:202603121000:203'RFF+AAK:S1'RFF+ON:4711'LIN+1++A:SA'"
            "QTY+48:21'QTY+194:19'QTY+195:2'RFF+ON:4711:3'UNS+S"
        )
        (shipped,) = parse_edifact(sent(self.ADVICE), **OWN).events
        (received,) = edifact_events(text, **OWN)
        assert received.type is EventType.DELIVERED
        assert received.objects[-1] == shipped.objects[2]
        assert received.lines[0].line_id == "3"
        assert received.lines[0].quantities == {Measure.DELIVERED: Decimal(19)}
        assert received.attributes[Attribute.REASON] == "A: 2 not accepted"

    def test_what_names_nothing_is_parked(self) -> None:
        assert edifact_error("DESADV'BGM+351++9'CPS+1").reason is ParkReason.REFERENCE
        assert edifact_error("RECADV'BGM+632+W1+9").reason is ParkReason.REFERENCE


class TestEdifactInvoices:
    TEXT = (
        "INVOIC'BGM+{}+R1+{}'DTM+137:20260313:102'RFF+ON:4711'CUX+2:EUR:4'LIN+1++A:SA'QTY+47:20'"
        "LIN+2++B:SA'QTY+12:2'RFF+ON:4712:7'UNS+S'MOA+77:392.70"
    )

    @pytest.mark.parametrize(
        ("code", "function", "event_type", "scheme"),
        [
            ("380", "9", EventType.INVOICE_ISSUED, IdentifierScheme.INVOICE),
            ("383", "9", EventType.INVOICE_ISSUED, IdentifierScheme.INVOICE),
            ("381", "9", EventType.CREDIT_ISSUED, IdentifierScheme.CREDIT_MEMO),
            ("380", "1", EventType.INVOICE_VOID, IdentifierScheme.INVOICE),
        ],
    )
    def test_code_and_function_say_what_it_is(
        self, code: str, function: str, event_type: EventType, scheme: IdentifierScheme
    ) -> None:
        (event,) = parse_edifact(sent(self.TEXT.format(code, function)), **OWN).events
        assert event.type is event_type
        assert event.objects[-1].identifiers[0].scheme is scheme

    def test_lines_are_of_the_order_that_they_name(self) -> None:
        (event,) = parse_edifact(sent(self.TEXT.format("380", "9")), **OWN).events
        assert [(x.line_id, x.order_index) for x in event.lines] == [("1", 0), ("7", 1)]
        assert event.attributes[Attribute.TOTAL] == "392.70"

    def test_one_without_a_number_is_parked(self) -> None:
        assert edifact_error("INVOIC'BGM+380++9").reason is ParkReason.REFERENCE


class TestEdifactStatuses:
    TEXT = (
        "IFTSTA'BGM+77+1+9'CNI+1+40112233445'STS+1+{}'RFF+AAK:S1'RFF+ON:SO-1'"
        "DTM+334:202603101745:203'LOC+5+DEHAM:139:6:Hamburg"
    )

    @pytest.mark.parametrize(
        ("code", "event_type"),
        [
            ("13", EventType.PICKED_UP),
            ("24", EventType.IN_TRANSIT),
            ("21", EventType.DELIVERED),
            ("23", EventType.SHIPMENT_EXCEPTION),
            ("77", EventType.UNMAPPED),
        ],
    )
    def test_common_codes_are_known_and_others_unmapped(
        self, code: str, event_type: EventType
    ) -> None:
        (event,) = edifact_events(self.TEXT.format(code), **OWN)
        assert event.type is event_type
        assert event.raw_type == (f"IFTSTA {code}" if event_type is EventType.UNMAPPED else "")
        assert event.attributes[Attribute.LOCATION] == "Hamburg"
        assert [ref.kind for ref in event.objects] == [ObjectKind.SHIPMENT, ObjectKind.PACKAGE]

    def test_codes_by_agreement_are_settings(self) -> None:
        (event,) = edifact_events(
            self.TEXT.format("13"),
            **{"status.13": "shipment.delayed", "carrier_order": "sales_order@erp"},
        )
        assert event.type is EventType.DELAYED
        assert event.objects[0].identifiers[0].issuer == "erp"
        parsed = parse_edifact(edifact_file(self.TEXT.format("13")), **{"status.13": "ignore"})
        assert (parsed.events, "STS 13 is ignored" in parsed.ignored) == ((), True)

    def test_one_without_a_status_or_a_number_is_parked(self) -> None:
        assert edifact_error("IFTSTA'BGM+77+1+9'CNI+1+4").reason is ParkReason.SCHEMA
        assert edifact_error("IFTSTA'BGM+77+1+9'CNI+1'STS+1+21").reason is ParkReason.REFERENCE


class TestAcknowledgments:
    def test_an_accepted_interchange_is_ignored_with_its_summary(self) -> None:
        parsed = parse_edifact(edifact_file("CONTRL'UCI+77+4:14+5:14+7"))
        assert (parsed.events, parsed.errors) == ((), ())
        assert parsed.ignored == "CONTRL: interchange 77 acknowledged"

    def test_a_rejected_message_parks_the_file(self) -> None:
        parsed = parse_edifact(edifact_file("CONTRL'UCI+78+4:14+5:14+8'UCM+1+INVOIC:D:01B:UN+4"))
        assert [e.reason for e in parsed.errors] == [ParkReason.DOCUMENT_REJECTED]
        assert "INVOIC 1 rejected" in str(parsed.errors[0])

    def test_an_application_error_is_an_event_of_its_document(self) -> None:
        text = "APERAK'BGM+313+A1+27'RFF+IV:R1'ERC+42'FTX+AAO+++Price differs"
        parsed = parse_edifact(edifact_file(text), **OWN)
        (event,) = parsed.events
        assert event.type is EventType.DOCUMENT_REJECTED
        assert event.objects[0].kind is ObjectKind.INVOICE
        assert event.attributes[Attribute.REASON] == "Price differs"
        assert [e.reason for e in parsed.errors] == [ParkReason.DOCUMENT_REJECTED]
        (accepted,) = edifact_events("APERAK'BGM+312+A2+44'RFF+ON:4711", **OWN)
        assert accepted.type is EventType.DOCUMENT_ACKNOWLEDGED
