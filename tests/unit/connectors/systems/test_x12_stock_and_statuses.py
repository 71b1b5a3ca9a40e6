"""X12: stock, stock transfers, order statuses, application advices and change acknowledgments."""

from decimal import Decimal

import pytest

from connectors.sdk.events import Attribute, EventType, Measure, ObjectKind
from connectors.sdk.payload import ParkReason
from tests.builders.parsed_x12 import envelope, events, parse, parse_error

OWN = {"own": "ACME", "customer.BIGMART": "C1"}


class TestStock:
    def test_each_item_has_its_quantities_by_kind(self) -> None:
        text = (
            "846~BIA*00*MB*1*20260305~DTM*007*20260305*0430*CT~N1*WH*RENO~LIN*1*VN*BOLT~"
            "QTY*17*480*EA~QTY*33*455*EA~QTY*Z1*1*EA~LIN*2*VN*NUT~N1*WH*DALLAS~QTY*33*12*CA"
        )
        bolt, nut = events(text)
        assert bolt.type is EventType.INVENTORY_SNAPSHOT
        assert bolt.other_attributes == {
            "on_hand": "480",
            "available_for_sale": "455",
            "qualifier Z1": "1",
        }
        assert [ref.kind for ref in bolt.objects] == [ObjectKind.ITEM]
        assert bolt.attributes[Attribute.WAREHOUSE] == "RENO"
        assert nut.attributes[Attribute.WAREHOUSE] == "DALLAS"
        assert bolt.occurred_at is not None
        assert bolt.occurred_at.isoformat() == "2026-03-05T10:30:00+00:00"

    def test_an_adjustment_has_a_signed_difference_and_a_reason(self) -> None:
        text = "947~W15*20260305*ADJ-1~N1*WH*RENO~W19*AU*-6*EA**VN*BOLT~W19*Q9*2*EA**VN*BOLT"
        less, more = events(text)
        assert less.type is EventType.INVENTORY_ADJUSTED
        assert less.attributes[Attribute.REASON] == "damaged in the facility (AU)"
        assert (less.attributes[Attribute.DETAIL], less.other_attributes) == (
            "-6 EA",
            {"difference": "-6"},
        )
        assert more.attributes[Attribute.REASON] == "reason code Q9"
        assert less.key != more.key

    def test_a_transfer_and_its_receipt_are_one_shipment_and_no_order(self) -> None:
        sent = "943~W06*N*TR-1*20260301*SH-1~W04*100*EA**VN*BOLT~W03*100"
        received = "944~W17*F*20260304*RC-1*TR-1*SH-1~W07*97*EA**VN*BOLT~W13*3*EA*02~W14*97"
        (transfer,) = parse(envelope(sent, sender="ACME", receiver="WHSE"), **OWN).events
        (receipt,) = events(received, **OWN)
        assert transfer.objects == receipt.objects
        assert [ref.kind for ref in transfer.objects] == [ObjectKind.SHIPMENT]
        assert (transfer.type, receipt.type) == (EventType.SHIPMENT_CONFIRMED, EventType.DELIVERED)
        assert receipt.lines[0].quantities == {Measure.DELIVERED: Decimal(97)}
        assert receipt.attributes[Attribute.DETAIL] == "BOLT: 3 EA short"

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("846~BIA*00*MB*1*20260305", ParkReason.SCHEMA),
            ("846~LIN*1~QTY*17*1", ParkReason.REFERENCE),
            ("947~W15*20260305", ParkReason.SCHEMA),
            ("947~W15*20260305~W19*AU*some*EA**VN*BOLT", ParkReason.NUMBER),
            ("943~W06*N**20260301~W04*1*EA**VN*BOLT", ParkReason.REFERENCE),
            ("944~W17*F*20260301~W07*1*EA", ParkReason.REFERENCE),
        ],
    )
    def test_what_cannot_be_read_is_parked(self, text: str, reason: ParkReason) -> None:
        assert parse_error(text).reason is reason


class TestOrderStatus:
    TEXT = (
        "870~BSR*2*PP*S1*20260305~HL*1**O~PRF*4711~ISR*PR*20260305~HL*2*1*I~PO1*1*24*EA**VN*BOLT~"
        "ISR*BO*20260305~QTY*01*4*EA~HL*3*1*I~PO1*2*5*EA**VN*NUT~ISR*IC*20260305"
    )

    def test_items_belong_to_the_order_above_them(self) -> None:
        order, bolt, nut = events(self.TEXT, **OWN)
        assert (order.type, order.raw_type) == (EventType.UNMAPPED, "870 PR")
        assert bolt.objects == nut.objects == order.objects
        assert (bolt.type, bolt.lines[0].quantities) == (
            EventType.LINE_BACKORDERED,
            {Measure.BACKORDERED: Decimal(4)},
        )
        assert (nut.type, nut.lines[0].quantities) == (
            EventType.LINE_SHORTED,
            {Measure.CANCELLED: Decimal(5)},
        )
        assert nut.scope == "order status"

    def test_a_status_without_an_order_is_parked(self) -> None:
        text = "870~BSR*2*PP*S1*20260305~HL*1**O~ISR*BO*20260305"
        assert parse_error(text).reason is ParkReason.REFERENCE
        assert parse_error("870~BSR*2*PP*S1*20260305~HL*1**O~PRF*1").reason is ParkReason.SCHEMA


class TestApplicationAdvice:
    def test_a_rejection_is_an_event_and_parks_the_message(self) -> None:
        text = (
            "824~BGN*00*A1*20260306~OTI*TA*IV*INV-1~OTI*TR*IV*INV-2*******810~REF*PO*4711~"
            "TED*024*PRICE DIFFERS"
        )
        parsed = parse(envelope(text), **OWN)
        accepted, rejected = parsed.events
        assert accepted.type is EventType.DOCUMENT_ACKNOWLEDGED
        assert rejected.type is EventType.DOCUMENT_REJECTED
        assert rejected.attributes[Attribute.REASON] == "PRICE DIFFERS"
        assert [ref.kind for ref in rejected.objects] == [ObjectKind.ORDER, ObjectKind.INVOICE]
        assert [e.reason for e in parsed.errors] == [ParkReason.DOCUMENT_REJECTED]
        assert "BIGMART rejected set 810 INV-2: PRICE DIFFERS" in str(parsed.errors[0])

    def test_a_ship_notice_is_a_shipment_and_an_unknown_document_is_parked(self) -> None:
        (event,) = events("824~BGN*00*A1*20260306~OTI*TA*SI*SH-1*******856", **OWN)
        assert [ref.kind for ref in event.objects] == [ObjectKind.SHIPMENT]
        error = parse_error("824~BGN*00*A1*20260306~OTI*TA*ZZ*Q-1*******852")
        assert error.reason is ParkReason.REFERENCE


class TestChangeAcknowledgment:
    def test_it_accepts_a_change_and_cancels_deleted_lines(self) -> None:
        text = (
            "865~BCA*00*AC*4711*R2*1*20260301**SO-1**20260306~POC*1*QD*20*0*EA*12.5**VN*BOLT~"
            "ACK*IB*4*EA~POC*2*DI*5*0*CA*40**VN*NUT~ACK*ID*5*CA~CTT*2"
        )
        accepted, backordered, shorted = events(text, seller_order="sales_order@erp", **OWN)
        assert accepted.type is EventType.ORDER_ACCEPTED
        assert [i.value for i in accepted.objects[0].identifiers] == [
            "4711/R2",
            "4711",
            "4711/R2",
            "SO-1",
        ]
        assert [(x.line_id, x.price) for x in accepted.lines] == [
            ("1", Decimal("12.5")),
            ("2", Decimal(40)),
        ]
        assert backordered.lines[0].quantities == {Measure.BACKORDERED: Decimal(4)}
        assert shorted.lines[0].quantities == {Measure.CANCELLED: Decimal(5)}

    def test_an_unknown_answer_is_unmapped(self) -> None:
        (event,) = events("865~BCA*00*QQ*4711**1*20260301", **OWN)
        assert (event.type, event.raw_type) == (EventType.UNMAPPED, "865 QQ")
