"""X12: authentication, dedupe keys, envelopes and quirks of the transaction sets."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from connectors.sdk.auth import InvalidSignature
from connectors.sdk.events import (
    Attribute,
    EventType,
    Flag,
    IdentifierScheme,
    Measure,
)
from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.webhook_and_poll_types import WebhookRequest
from connectors.systems.x12.connector import X12
from tests.builders.parsed_x12 import envelope, events, parse, parse_error
from tests.unit.connectors.signatures import is_accepted

NOW = datetime(2026, 4, 1, tzinfo=UTC)
SECRET, OLD = b"new-secret-of-this-source", b"old-secret-of-this-source"


def request(body: bytes = b"ISA", **headers: str) -> WebhookRequest:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return WebhookRequest("POST", "/", {}, named, body)


ORDER = "850~BEG*00*SA*4711**20260304~PO1*1*5*EA*2**VN*A~CTT*1"


class TestVerify:
    def test_a_signature_with_any_secret_is_accepted(self) -> None:
        body = envelope(ORDER)
        for secret, other in ((SECRET, OLD), (OLD, SECRET)):
            headers = X12({}).build_signed_headers(body, secret, NOW)
            signed = WebhookRequest("POST", "/", {}, headers, body)
            assert is_accepted(X12({}), signed, [SECRET, OLD], NOW)
            assert not is_accepted(X12({}), signed, [other], NOW)

    def test_a_bearer_token_is_accepted(self) -> None:
        bearer = request(authorization=f"Bearer {OLD.decode()}")
        assert is_accepted(X12({}), bearer, [SECRET, OLD], NOW)
        assert not is_accepted(X12({}), bearer, [SECRET], NOW)

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"authorization": "Bearer nonsense"},
            {"authorization": "Bearer "},
            {"authorization": "Bearer pässword"},
            {"authorization": f"Basic {SECRET.decode()}"},
            {"x_throughline_signature": "sha1=00"},
            {"x_throughline_signature": "sha256=äöü"},
            {"x_throughline_signature": "sha256="},
            {"x_throughline_signature": "sha256=" + "00" * 32},
        ],
    )
    def test_anything_else_is_rejected(self, headers: dict[str, str]) -> None:
        with pytest.raises(InvalidSignature):
            X12({}).verify(request(b"ISA", **headers), [SECRET, OLD], NOW)

    def test_a_changed_body_is_rejected(self) -> None:
        body = envelope(ORDER)
        headers = X12({}).build_signed_headers(body, SECRET, NOW)
        with pytest.raises(InvalidSignature):
            X12({}).verify(WebhookRequest("POST", "/", {}, headers, body + b" "), [SECRET], NOW)


class TestX12DedupeKey:
    def key(self, body: bytes) -> str:
        return X12({}).dedupe_key(request(body))

    def test_it_names_sender_receiver_date_time_number_group_and_set(self) -> None:
        key = self.key(envelope(ORDER, control=12))
        assert key.startswith("BIGMART/ACME/260304/0915/12/PO/850/")
        assert key == self.key(envelope(ORDER, control=12))

    def test_a_corrected_set_sent_again_has_the_key_of_the_first(self) -> None:
        assert self.key(envelope(ORDER)) == self.key(envelope(ORDER.replace("*5*EA", "*6*EA")))

    @pytest.mark.parametrize(
        ("was", "becomes"),
        [
            (b"*260304*0915*U", b"*270304*0915*U"),
            (b"*260304*0915*U", b"*260304*1015*U"),
            (b"GS*PO*BIGMART", b"GS*PO*BIGMART-WEST"),
            (b"GS*PO*BIGMART", b"GS*PC*BIGMART"),
            (b"20260304*0915*7*X", b"20260304*0915*8*X"),
            (b"ST*850*0001", b"ST*850*0002"),
            (b"BEG*00*SA*4711", b"BEG*00*SA*4712"),
            (b"ZZ*BIGMART*", b"01*BIGMART*"),
        ],
    )
    def test_a_control_number_used_again_is_another_message(
        self, was: bytes, becomes: bytes
    ) -> None:
        body = envelope(ORDER)
        assert was in body
        assert self.key(body) != self.key(body.replace(was, becomes))

    def test_an_interchange_acknowledgment_has_a_key_of_its_own(self) -> None:
        head = envelope(ORDER).split(b"GS*")[0]
        bodies = [head + b"TA1*%d*260304*0900*A*000~IEA*0*7~" % n for n in (1, 2)]
        assert self.key(bodies[0]) != self.key(bodies[1])
        assert self.key(bodies[0]).startswith("BIGMART/ACME/260304/0915/7/")

    def test_several_or_incomplete_interchanges_have_no_dedupe_key(self) -> None:
        two = envelope(ORDER) + envelope(ORDER, control=8)
        for body in (two, b"ST*850*0001~SE*2*0001~", b"", b"\xff", b"ISA", b"ISA*"):
            assert self.key(body) == ""

    def test_a_million_line_ends_have_a_key_quickly(self) -> None:
        body = envelope(ORDER).replace(b"~", b"\n") + b"\n" * 1_000_000
        assert self.key(body).startswith("BIGMART/ACME/260304/0915/7/PO/850/")

    def test_a_name_ending_in_isa_is_not_an_interchange(self) -> None:
        body = envelope("850~BEG*00*SA*4711**20260304~N1*ST*VISA*92*1~N1*BY*ISA*92*1~CTT*0")
        assert self.key(body).startswith("BIGMART/ACME/260304/0915/7/PO/850/")


class TestEnvelope:
    def test_test_traffic_is_ignored_unless_enabled(self) -> None:
        body = envelope(ORDER, usage="T")
        assert "ISA15 = T" in parse(body).ignored
        assert len(parse(body, test_traffic="yes").events) == 1

    def test_an_invalid_set_does_not_affect_the_others(self) -> None:
        bad = ORDER.replace("*5*EA", "*five*EA").replace("4711", "4712")
        parsed = parse(envelope(ORDER, bad, "852~XQ*H*20260301~", ORDER.replace("4711", "4713")))
        assert [e.key for e in parsed.events] == [
            "850 BIGMART 4711 received",
            "850 BIGMART 4713 received",
        ]
        assert [(p.reason, p.path) for p in parsed.errors] == [
            (ParkReason.NUMBER, "ST 850 0002 PO102"),
            (ParkReason.MAPPING, "ST 852 0003"),
        ]

    def test_envelope_findings_set_a_flag_and_the_detail(self) -> None:
        body = envelope(ORDER.replace("CTT*1", "CTT*3")).replace(b"GE*1", b"GE*2")
        (event,) = parse(body).events
        assert Flag.ENVELOPE in event.flags
        assert event.attributes[Attribute.DETAIL] == (
            "GE01 is '2', expected '1'; CTT01 is '3', expected '1' (PO1 segments)"
        )

    def test_a_functional_acknowledgment_is_ignored_with_a_summary(self) -> None:
        parsed = parse(envelope("997~AK1*PR*77~AK9*A*1*1*1"))
        assert parsed.ignored == "997 of group PR 77: accepted"

    @pytest.mark.parametrize(
        ("text", "path", "detail"),
        [
            (
                "999~AK1*IN*81~AK2*810*0002~IK5*R*5~AK9*P*2*2*1",
                "ST 999 0001 IK5",
                "BIGMART rejected set 810 0002 of group IN 81: segments in error",
            ),
            ("997~AK1*PO*9~AK9*R*1*1*0", "ST 997 0001 AK9", "BIGMART rejected group PO 9"),
            (
                "997~AK5*X",
                "ST 997 0001 AK5",
                "BIGMART rejected set of group without a number",
            ),
        ],
    )
    def test_a_rejection_parks_the_acknowledgment(self, text: str, path: str, detail: str) -> None:
        parsed = parse(envelope(text))
        assert [(e.reason, e.path, e.detail) for e in parsed.errors] == [
            (ParkReason.DOCUMENT_REJECTED, path, detail)
        ]
        assert "rejected" in parsed.ignored

    def test_an_acceptance_with_errors_is_summarized(self) -> None:
        parsed = parse(envelope("997~AK1*PR*77~AK2*855*0001~AK5*E*5~AK9*E*1*1*1"))
        assert parsed.errors == ()
        assert parsed.ignored == (
            "997 of group PR 77: accepted with errors; set 855 0001 accepted with errors"
        )

    def test_an_accepted_interchange_is_summarized_beside_its_sets(self) -> None:
        body = envelope(ORDER).replace(b"GS*", b"TA1*000000004*260303*0900*A*000~GS*", 1)
        parsed = parse(body)
        assert len(parsed.events) == 1
        assert parsed.ignored == "TA1 of interchange 000000004: accepted"

    def test_a_rejected_interchange_parks_its_acknowledgment(self) -> None:
        head = envelope(ORDER).split(b"GS*")[0]
        parsed = parse(head + b"TA1*000000004*260303*0900*R*022~IEA*0*7~" + envelope(ORDER))
        assert len(parsed.events) == 1
        (error,) = parsed.errors
        assert error.reason is ParkReason.DOCUMENT_REJECTED
        assert error.detail == "TA1 of interchange 000000004: rejected, note 022"

    def test_a_resent_document_has_the_same_key_and_a_higher_revision(self) -> None:
        (first,) = parse(envelope(ORDER)).events
        (resent,) = parse(envelope(ORDER, control=8)).events
        assert first.key == resent.key
        assert first.revision < resent.revision

    def test_the_partner_is_the_other_company(self) -> None:
        (event,) = parse(envelope(ORDER, sender="ACME", receiver="VENDOR"), own="ACME,ACME2").events
        assert event.objects[0].identifiers[0].issuer == "VENDOR"

    def test_a_mapped_partner_has_its_customer_number(self) -> None:
        (event,) = events(ORDER, **{"customer.BIGMART": "C20010"})
        assert event.objects[0].identifiers[0].issuer == "C20010"
        assert event.attributes[Attribute.CUSTOMER_NO] == "C20010"

    def test_without_a_partner_the_purchase_order_is_weak(self) -> None:
        body = b"ST*850*0001~BEG*00*SA*4711**20260304~SE*3*0001~"
        (event,) = parse(body).events
        assert not event.objects[0].identifiers[0].strong
        (event,) = parse(body, partner="BIGMART").events
        assert event.objects[0].identifiers[0].strong

    def test_an_invalid_setting_is_an_error(self) -> None:
        with pytest.raises(PayloadError, match="scheme@source"):
            parse(envelope(ORDER), depositor_order="sales order")

    def test_a_nul_is_replaced_and_flagged(self) -> None:
        (event,) = events(ORDER.replace("VN*A", "VN*A\0B"))
        assert event.lines[0].sku == "A\ufffdB"
        assert Flag.SANITIZED in event.flags


class TestTime:
    def test_a_group_of_the_same_day_supplies_the_time(self) -> None:
        (event,) = events(ORDER, zone="America/Chicago")
        assert event.occurred_at == datetime(2026, 3, 4, 15, 15, tzinfo=UTC)
        assert event.flags == (Flag.ZONE_ASSUMED,)

    def test_a_group_of_another_day_supplies_no_time(self) -> None:
        (event,) = events(ORDER.replace("20260304", "20260303"))
        assert event.occurred_at == datetime(2026, 3, 3, tzinfo=UTC)
        assert event.flags == (Flag.DATE_ONLY,)

    def test_two_digit_years_below_80_are_in_this_century(self) -> None:
        (event,) = events(ORDER.replace("**20260304", "**260304"))
        assert event.occurred_at == datetime(2026, 3, 4, 9, 15, tzinfo=UTC)

    @pytest.mark.parametrize("date", ["19970214", "970214", "20260230", "2026030", "tomorrow"])
    def test_impossible_and_ancient_dates_are_errors(self, date: str) -> None:
        assert parse_error(ORDER.replace("**20260304", f"**{date}")).reason is ParkReason.TIMESTAMP

    def test_a_ship_notice_has_its_own_time(self) -> None:
        notice = "856~BSN*00*A1*20260304*2400~HL*1**S~HL*2*1*O~PRF*4711~CTT*2"
        (event,) = events(notice)
        assert event.occurred_at == datetime(2026, 3, 5, tzinfo=UTC)

    def test_another_ship_date_overrides_the_notice_time(self) -> None:
        notice = "856~BSN*00*A1*20260304*0800~HL*1**S~DTM*011*20260302~HL*2*1*O~PRF*4711~CTT*2"
        (event,) = events(notice)
        assert event.occurred_at == datetime(2026, 3, 2, tzinfo=UTC)
        assert event.flags == (Flag.DATE_ONLY,)

    def test_an_invalid_ship_date_is_reported_and_the_notice_accepted(self) -> None:
        (event,) = events("856~BSN*00*A1*20260304*0800~HL*1**S~DTM*011*200~HL*2*1*O~PRF*4711")
        assert event.occurred_at == datetime(2026, 3, 4, 8, 0, tzinfo=UTC)
        assert event.attributes[Attribute.DETAIL] == "DTM*011*200 is not a valid date"


class TestX12Orders:
    @pytest.mark.parametrize("date", ["99991231", "00010101", "20261301"])
    def test_an_open_date_is_reported_and_the_order_accepted(self, date: str) -> None:
        (event,) = events(ORDER.replace("~PO1", f"~DTM*002*{date}~PO1"))
        assert Attribute.REQUESTED_AT not in event.attributes
        assert event.attributes[Attribute.DETAIL] == f"DTM*002*{date} is not a valid date"

    def test_the_customer_is_the_first_party_with_a_name(self) -> None:
        parties = "~N1*ST*Dock 7 Forwarding~N1*BY**92*1500~N1*BT*Rivet Works"
        (event,) = events(ORDER.replace("~PO1", f"{parties}~PO1"))
        assert event.attributes[Attribute.CUSTOMER_NAME] == "Rivet Works"
        (event,) = events(ORDER.replace("~PO1", "~N1*BY**92*1500~PO1"))
        assert event.attributes[Attribute.CUSTOMER_NAME] == "1500"

    @pytest.mark.parametrize(
        ("purpose", "event_type"),
        [
            ("00", EventType.ORDER_RECEIVED),
            ("01", EventType.ORDER_CANCELLED),
            ("04", EventType.ORDER_CHANGED),
            ("05", EventType.ORDER_CHANGED),
            ("77", EventType.UNMAPPED),
        ],
    )
    def test_the_purpose_code_selects_the_event_type(
        self, purpose: str, event_type: EventType
    ) -> None:
        (event,) = events(ORDER.replace("BEG*00", f"BEG*{purpose}"))
        assert event.type is event_type
        assert ("purpose 77" in event.raw_type) == (event_type is EventType.UNMAPPED)

    def test_positions_replace_missing_and_repeated_line_numbers(self) -> None:
        for ids in (("", ""), ("1", "1"), ("1", "")):
            lines = "".join(f"PO1*{i}*5*EA***VN*A~" for i in ids)
            (event,) = events(f"850~BEG*00*SA*4711**20260304~{lines}CTT*2")
            assert [line.line_id for line in event.lines] == ["1", "2"]

    def test_the_item_number_has_the_preferred_qualifier(self) -> None:
        order = ORDER.replace("VN*A", "UP*008815509183*BP*B*VN*A")
        assert events(order)[0].lines[0].sku == "A"
        assert events(order, sku_qualifiers="BP,VN")[0].lines[0].sku == "B"

    def test_store_quantities_replace_a_missing_total(self) -> None:
        split = "PO1*1*{}*EA***VN*A~SDQ*EA*92*S1*3*S2*4~CTT*1"
        for total, expected in (("9", 9), ("", 7)):
            (event,) = events("850~BEG*00*SA*4711**20260304~" + split.format(total))
            assert event.lines[0].quantities == {Measure.ORDERED: Decimal(expected)}

    def test_an_order_without_a_number_is_an_error(self) -> None:
        assert parse_error(ORDER.replace("4711", "N/A")).reason is ParkReason.REFERENCE

    def test_a_negative_quantity_is_an_error(self) -> None:
        assert parse_error(ORDER.replace("*5*EA", "*-5*EA")).reason is ParkReason.QUANTITY

    def test_a_change_has_the_new_totals(self) -> None:
        change = (
            "860~BCH*04*SA*4711**2*20260304~POC*001*QI*12*2*EA*1.5**VN*A~POC*2*DI***EA***VN*B~CTT*2"
        )
        (event,) = events(change)
        assert event.key.startswith("860 BIGMART 4711 change 2 ")
        assert [(x.line_id, x.quantities[Measure.ORDERED]) for x in event.lines] == [
            ("1", Decimal(12)),
            ("2", Decimal(0)),
        ]

    def test_a_change_without_line_number_is_an_error(self) -> None:
        change = "860~BCH*04*SA*4711**2*20260304~POC**QI*12*2*EA***VN*A~CTT*1"
        assert parse_error(change).reason is ParkReason.MAPPING

    def test_a_partial_acceptance_backorders_the_balance(self) -> None:
        answer = "855~BAK*00*AC*4711*20260304~PO1*1*10*EA***VN*A~ACK*BP*6*EA~CTT*1"
        accepted, backordered = events(answer)
        assert accepted.type is EventType.ORDER_ACCEPTED
        assert backordered.type is EventType.LINE_BACKORDERED
        assert backordered.lines[0].quantities == {Measure.BACKORDERED: Decimal(4)}

    def test_a_rejection_and_an_item_on_hold_have_events(self) -> None:
        answer = "855~BAK*00*RJ*4711*20260304"
        assert [e.type for e in events(answer)] == [EventType.ORDER_REJECTED]
        on_hold = "855~BAK*00*AC*4711*20260304~PO1*1*10*EA***VN*A~ACK*IH*10*EA~CTT*1"
        assert [e.type for e in events(on_hold)] == [EventType.ORDER_ACCEPTED, EventType.ORDER_HELD]

    def test_the_sellers_number_is_strong_only_if_configured(self) -> None:
        answer = "855~BAK*00*AC*4711*20260304****SO-1"
        number = events(answer)[0].objects[0].identifiers[1]
        assert (number.scheme, number.strong) == (IdentifierScheme.ORDER_NUMBER, False)
        number = events(answer, seller_order="sales_order@erp")[0].objects[0].identifiers[1]
        assert (number.scheme, number.issuer, number.strong) == (
            IdentifierScheme.SALES_ORDER,
            "erp",
            True,
        )


class TestWarehouse:
    def test_order_and_advice_have_the_same_reference(self) -> None:
        order, advice = events(
            "940~W05*N*SO-1*4711~LX*1~W01*5*EA**VN*A",
            "945~W06*F*SO-1*20260304*SH1**4711~LX*1~W12*CC*5*5*0*EA**VN*A~W03*5",
        )
        assert order.objects[0] == advice.objects[0]

    def test_a_carton_counter_is_not_a_tracking_number(self) -> None:
        (event,) = events("945~W06*F*SO-1*20260304*S~N9*CN*0817~LX*1~MAN*CA*0001~W12*CC*5*5*0*EA")
        numbers = [i.scheme for ref in event.objects for i in ref.identifiers]
        assert numbers == [
            IdentifierScheme.ORDER_NUMBER,
            IdentifierScheme.SHIPMENT,
            IdentifierScheme.PRO,
        ]

    def test_a_negative_shipment_is_an_error(self) -> None:
        advice = "945~W06*F*SO-1*20260304*SH1~LX*1~W12*CC*5*-5*0*EA**VN*A~W03*5"
        assert parse_error(advice).reason is ParkReason.QUANTITY


class TestShipNotice:
    def test_items_belong_to_their_order_in_any_structure(self) -> None:
        heads = "HL*1**S~HL*2*1*O~PRF*4711~HL*3*1*O~PRF*4712~"
        item = "LIN**VN*A~SN1**{}*EA~"
        pick = "HL*4*2*P~MAN*GM*106141411234567897~HL*5*4*I~" + item.format(2)
        direct = "HL*6*3*I~" + item.format(5)
        (event,) = events(f"856~BSN*00*A1*20260304*0800~{heads}{pick}{direct}CTT*6")
        assert [(x.order_index, x.quantities[Measure.SHIPPED]) for x in event.lines] == [
            (0, Decimal(2)),
            (1, Decimal(5)),
        ]

    def test_an_item_in_several_cartons_is_summed(self) -> None:
        cartons = "".join(f"HL*{n}*2*P~HL*{n + 1}*{n}*I~LIN*1*VN*A~SN1*1*3*EA~" for n in (3, 5, 7))
        (event,) = events(f"856~BSN*00*A1*20260304*0800~HL*1**S~HL*2*1*O~PRF*4711~{cartons}CTT*8")
        assert [line.quantities[Measure.SHIPPED] for line in event.lines] == [Decimal(9)]

    def test_circular_levels_do_not_loop_forever(self) -> None:
        levels = "HL*1**S~HL*2*3*P~HL*3*2*I~LIN**VN*A~SN1**1*EA"
        error = parse_error(f"856~BSN*00*A1*20260304*0800~{levels}")
        assert (error.path, error.detail) == (
            "ST 856 0001 HL 2",
            "the levels name each other as parents",
        )

    def test_each_shipment_of_a_notice_is_an_event(self) -> None:
        levels = "HL*1**S~HL*2*1*O~PRF*4711~HL*3**S~HL*4*3*O~PRF*4712"
        all_events = events(f"856~BSN*00*A1*20260304*0800~{levels}")
        assert [e.scope for e in all_events] == ["shipment A1/1", "shipment A1/2"]

    def test_a_cancelled_notice_voids_the_shipment(self) -> None:
        (event,) = events("856~BSN*01*A1*20260304*0800~HL*1**S~HL*2*1*O~PRF*4711")
        assert (event.type, event.scope) == (EventType.SHIPMENT_VOID, "shipment A1")

    def test_a_duplicate_level_number_is_an_error(self) -> None:
        error = parse_error("856~BSN*00*A1*20260304*0800~HL*1**S~HL*1**S")
        assert error.reason is ParkReason.EDI_ENVELOPE


class TestInvoice:
    def test_a_repeated_invoice_number_has_two_keys(self) -> None:
        first, second = events(
            "810~BIG*20260304*00001**4711~TDS*5770", "810~BIG*20260305*00001**4712~TDS*100"
        )
        assert first.key != second.key
        assert first.attributes[Attribute.TOTAL] == "57.70"

    def test_orders_may_be_given_in_the_lines_only(self) -> None:
        lines = "IT1*1*2*EA*1**VN*A~REF*PO*4711~IT1*2*3*EA*1**VN*B~REF*PO*4712~TDS*500"
        (event,) = events(f"810~BIG*20260304*77~{lines}")
        assert [line.order_index for line in event.lines] == [0, 1]

    def test_a_cancelled_invoice_is_void(self) -> None:
        (event,) = events("810~BIG*20260304*77**4711***DI*01~IT1*1*2*EA*1**VN*A~TDS*500")
        assert (event.type, event.lines) == (EventType.INVOICE_VOID, ())

    def test_an_invoice_without_an_order_is_accepted(self) -> None:
        (event,) = events("810~BIG*20260304*77~TDS*500")
        assert [ref.kind.value for ref in event.objects] == ["invoice"]
