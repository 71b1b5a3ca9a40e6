"""X12 ship notices: when goods left, levels, quantities per item, and lines closed short."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventType,
    Flag,
    IdentifierScheme,
    Measure,
)
from connectors.sdk.payload import ParkReason
from tests.builders.parsed_x12 import envelope, events, parse, parse_error

HEAD = "856~BSN*00*S-9*20260304*0800~HL*1**S~{}HL*2*1*O~PRF*8001~"
ITEM = "HL*3*2*I~LIN*1*VN*BOLT~SN1*1*10*EA"
NOTICE = HEAD.format("") + ITEM


def shipped(event: CanonicalEvent) -> list[tuple[str, Decimal]]:
    return [(line.sku, line.quantities[Measure.SHIPPED]) for line in event.lines]


class TestTimeOfShipment:
    def test_the_ship_date_has_its_time_and_zone(self) -> None:
        (event,) = events(HEAD.format("DTM*011*20260305*1615*CT~") + ITEM)
        assert event.occurred_at == datetime(2026, 3, 5, 22, 15, tzinfo=UTC)
        assert event.flags == ()

    @pytest.mark.parametrize(
        ("code", "hour"), [("ES", 21), ("ED", 20), ("GM", 16), ("PD", 23), ("LT", 16), ("", 16)]
    )
    def test_each_time_code_is_a_zone(self, code: str, hour: int) -> None:
        (event,) = events(HEAD.format(f"DTM*011*20260305*1615*{code}~") + ITEM)
        assert event.occurred_at == datetime(2026, 3, 5, hour, 15, tzinfo=UTC)
        assert (Flag.ZONE_ASSUMED in event.flags) == (code in {"LT", ""})

    def test_the_ship_date_may_be_in_the_heading(self) -> None:
        notice = NOTICE.replace("~HL*1**S", "~DTM*011*20260305*1615~DTM*017*20260309~HL*1**S")
        (event,) = events(notice)
        assert event.occurred_at == datetime(2026, 3, 5, 16, 15, tzinfo=UTC)
        assert event.attributes[Attribute.ETA] == "2026-03-09"

    def test_a_time_on_the_day_of_the_notice_is_read(self) -> None:
        (event,) = events(HEAD.format("DTM*011*20260304*1615~") + ITEM)
        assert event.occurred_at == datetime(2026, 3, 4, 16, 15, tzinfo=UTC)

    def test_midnight_is_a_time(self) -> None:
        (event,) = events(HEAD.format("DTM*011*20260305*0000~") + ITEM)
        assert event.occurred_at == datetime(2026, 3, 5, tzinfo=UTC)
        assert Flag.DATE_ONLY not in event.flags


class TestIdentityOfShipment:
    def test_two_senders_with_one_number_have_two_shipments(self) -> None:
        (first,), (second,) = (
            parse(envelope(NOTICE, sender=sender, receiver="US")).events
            for sender in ("SUPPLIER-A", "SUPPLIER-B")
        )
        assert first.key != second.key
        assert first.objects[-1] != second.objects[-1]

    def test_the_key_by_which_the_shipment_was_known_without_its_sender_is_withdrawn(self) -> None:
        (event,) = parse(envelope(NOTICE, sender="SUPPLIER-A", receiver="US")).events
        assert event.key == "856 US from SUPPLIER-A S-9 shipped"
        assert event.corrects == ("856 US S-9 shipped",)

    def test_a_sender_that_is_this_company_uses_the_numbers_of_the_source(self) -> None:
        body = envelope(NOTICE, sender="US", receiver="BIGMART")
        (event,) = parse(body, own="US").events
        assert (event.key, event.corrects) == ("856 BIGMART S-9 shipped", ())
        assert event.objects[-1].identifiers[0].issuer == "edi"

    def test_a_release_is_named_by_the_second_element_of_prf(self) -> None:
        levels = "HL*3*1*O~PRF*8001*R2~HL*4*3*I~LIN*1*VN*NUT~SN1*1*5*EA"
        (event,) = events(
            HEAD.format("").replace("8001", "8001*R1")
            + "HL*5*2*I~LIN*1*VN*BOLT~SN1*1*4*EA~"
            + levels
        )
        orders = [ref.identifiers[0].value for ref in event.objects[:2]]
        assert orders == ["8001/R1", "8001/R2"]
        assert {line.sku: line.order_index for line in event.lines} == {"BOLT": 0, "NUT": 1}

    def test_an_order_may_be_named_in_the_item(self) -> None:
        (event,) = events(
            "856~BSN*00*S-9*20260304*0800~HL*1**S~HL*2*1*I~LIN*1*VN*BOLT*PO*8002~SN1*1*4*EA"
        )
        assert event.objects[0].identifiers[0].scheme is IdentifierScheme.CUSTOMER_PO
        assert event.objects[0].identifiers[0].value == "8002"
        assert event.lines[0].order_index == 0


class TestLevels:
    def test_a_level_with_a_missing_parent_is_an_error_and_the_others_are_read(self) -> None:
        parsed = parse(envelope(f"{NOTICE}~HL*4*9*I~LIN*2*VN*NUT~SN1*2*5*EA"))
        assert shipped(parsed.events[0]) == [("BOLT", Decimal(10))]
        (error,) = parsed.errors
        assert (error.reason, error.path, error.detail) == (
            ParkReason.EDI_ENVELOPE,
            "ST 856 0001 HL 4",
            "the parent level 9 does not exist",
        )

    def test_a_notice_of_which_no_item_can_be_placed_is_parked(self) -> None:
        error = parse_error(NOTICE.replace("HL*3*2*I", "HL*3**I"))
        assert error.detail == "level 3 has no parent level"

    def test_packs_below_an_item_do_not_add_to_its_quantity(self) -> None:
        packs = "~HL*4*3*P~SN1**7*EA~MAN*GM*106141411234567897~HL*5*3*P~LIN**VN*BOLT~SN1**3*EA"
        (event,) = events(NOTICE + packs)
        assert shipped(event) == [("BOLT", Decimal(10))]

    def test_an_item_below_another_item_is_counted(self) -> None:
        (event,) = events(f"{NOTICE}~HL*4*3*I~LIN*2*VN*NUT~SN1*2*5*EA")
        assert shipped(event) == [("BOLT", Decimal(10)), ("NUT", Decimal(5))]

    def test_a_quantity_without_an_item_is_an_error_of_that_level(self) -> None:
        parsed = parse(envelope(f"{NOTICE}~HL*4*2*I~SN1**5*EA"))
        assert shipped(parsed.events[0]) == [("BOLT", Decimal(10))]
        assert [e.detail for e in parsed.errors] == [
            "HL 4: the shipped quantity has no item number and no line number"
        ]

    def test_an_item_that_names_none_of_several_orders_is_reported(self) -> None:
        parsed = parse(envelope(f"{NOTICE}~HL*4*1*O~PRF*8002~HL*5*1*I~LIN*1*VN*NUT~SN1*1*5*EA"))
        assert parsed.ignored == "ST 856 0001 HL 5: the item names no order"


class TestShortages:
    @pytest.mark.parametrize("code", ["CP", "IC", "CK"])
    def test_a_closing_status_of_the_shipment_cancels_the_rest_of_its_lines(
        self, code: str
    ) -> None:
        notice = HEAD.format(f"TD5**2*UPSN*M*UPS*{code}~") + ITEM + "*0*12*EA"
        _, short = events(notice)
        assert (short.type, short.scope) == (EventType.LINE_SHORTED, "shipment S-9")
        assert short.lines[0].quantities == {Measure.CANCELLED: Decimal(2)}
        assert f"({code})" in short.attributes[Attribute.REASON]

    @pytest.mark.parametrize(
        ("code", "event_type", "measure"),
        [
            ("IR", EventType.LINE_SHORTED, Measure.CANCELLED),
            ("CP", EventType.LINE_SHORTED, Measure.CANCELLED),
            ("BP", EventType.LINE_BACKORDERED, Measure.BACKORDERED),
        ],
    )
    def test_the_status_of_a_line_precedes_that_of_the_shipment(
        self, code: str, event_type: EventType, measure: Measure
    ) -> None:
        notice = HEAD.format("TD5**2*UPSN*M*UPS*CC~") + f"{ITEM}*0*12*EA**{code}"
        _, short = events(notice)
        assert short.type is event_type
        assert short.lines[0].quantities == {measure: Decimal(2)}

    def test_a_complete_or_accepted_line_is_not_short(self) -> None:
        assert len(events(f"{ITEM}*0*12*EA**AC".join([HEAD.format(""), ""]))) == 1
        assert len(events(HEAD.format("TD5**2*UPSN*M*UPS*CP~") + ITEM + "*0*10*EA")) == 1

    def test_a_closing_status_without_the_ordered_quantity_is_reported(self) -> None:
        parsed = parse(envelope(HEAD.format("TD5**2*UPSN*M*UPS*CP~") + ITEM))
        assert len(parsed.events) == 1
        assert "without the quantity ordered (SN105)" in parsed.ignored

    def test_an_unknown_line_status_is_reported(self) -> None:
        parsed = parse(envelope(f"{NOTICE}*0*12*EA**Q7"))
        assert parsed.ignored == "ST 856 0001 HL 3: SN108 'Q7' is not known"

    def test_a_replacement_withdraws_the_shortages_that_it_no_longer_reports(self) -> None:
        notice = f"{NOTICE}*0*12*EA**IR"
        short = events(notice)[1]
        replacement = events(NOTICE.replace("BSN*00", "BSN*05"))[0]
        assert short.key in replacement.corrects
        still_short = events(notice.replace("BSN*00", "BSN*05"))
        assert still_short[1].key == short.key
        assert short.key not in still_short[0].corrects
