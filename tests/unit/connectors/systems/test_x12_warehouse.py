"""X12 warehouse sets: shipments without a number, closed and short lines, ship times."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from connectors.sdk.events import Attribute, EventType, Measure
from connectors.sdk.payload import ParkReason
from tests.builders.parsed_x12 import envelope, events, parse

ADVICE = "945~W06*F*SO-9*20260304*SH9~LX*1~W12*{}*EA**VN*BOLT~N9*LI*1~W03*3"
UNNUMBERED = "945~W06*F*SO-9*20260304~LX*1~W12*CC*{0}*{0}**EA**VN*BOLT~W03*{0}"
TWO_LINES = "945~W06*F*SO-9*20260304*SH9~LX*1~W12*{}*EA**VN*BOLT~LX*2~W12*{}*EA**VN*NUT~W03*3"


class TestShipmentsWithoutNumber:
    def test_two_advices_of_one_day_are_two_shipments(self) -> None:
        (first,), (second,) = events(UNNUMBERED.format(4)), events(UNNUMBERED.format(2))
        assert first.key != second.key
        assert first.scope != second.scope
        assert first.objects[-1] != second.objects[-1]
        assert first.scope.startswith("shipment SO-9 2026-03-04 ")

    def test_an_advice_sent_again_is_the_same_shipment(self) -> None:
        (first,) = events(UNNUMBERED.format(4))
        (resent,) = events(UNNUMBERED.format(4), sent="20260305 1000")
        assert (first.key, first.scope) == (resent.key, resent.scope)

    def test_the_key_by_order_and_date_is_withdrawn(self) -> None:
        (event,) = events(UNNUMBERED.format(4))
        assert event.corrects == ("945 BIGMART SO-9 shipment SO-9 2026-03-04",)

    def test_the_number_of_the_agent_is_used(self) -> None:
        (event,) = events(UNNUMBERED.format(4).replace("20260304", "20260304**AG-7"))
        assert event.scope == "shipment AG-7"


class TestShortLines:
    @pytest.mark.parametrize("code", ["CK", "CP", "CU", "DE", "DI", "IC"])
    def test_a_closing_status_cancels_the_rest_of_the_line(self, code: str) -> None:
        confirmed, closed = events(ADVICE.format(f"{code}*5*3*2"))
        assert confirmed.lines[0].quantities == {Measure.SHIPPED: Decimal(3)}
        assert (closed.type, closed.scope) == (EventType.LINE_SHORTED, "shipment SH9")
        assert closed.lines[0].quantities == {Measure.CANCELLED: Decimal(2)}
        assert f"({code})" in closed.attributes[Attribute.REASON]

    @pytest.mark.parametrize("code", ["BK", "BM", "BO", "BP"])
    def test_a_back_order_status_backorders_the_rest_of_the_line(self, code: str) -> None:
        _, short = events(ADVICE.format(f"{code}*5*3*2"))
        assert (short.type, short.scope) == (EventType.LINE_SHORTED, "")
        assert short.lines[0].quantities == {Measure.BACKORDERED: Decimal(2)}

    def test_another_status_says_only_that_the_line_is_short(self) -> None:
        _, short = events(ADVICE.format("DS*5*3*2"))
        assert short.lines[0].quantities == {}
        assert short.attributes[Attribute.REASON] == "status DS"

    def test_closed_and_backordered_lines_are_two_events(self) -> None:
        _, short, closed = events(TWO_LINES.format("BP*5*3*2", "IC*4*0*4"))
        assert [line.quantities for line in short.lines] == [{Measure.BACKORDERED: Decimal(2)}]
        assert [line.quantities for line in closed.lines] == [{Measure.CANCELLED: Decimal(4)}]
        assert closed.corrects == ()

    def test_the_earlier_key_of_a_closed_line_is_withdrawn(self) -> None:
        _, closed = events(ADVICE.format("CP*5*3*2"))
        assert closed.key == "945 BIGMART SO-9 shipment SH9 closed"
        assert closed.corrects == ("945 BIGMART SO-9 shipment SH9 short",)

    def test_an_advice_that_ships_nothing_is_no_shipment(self) -> None:
        (short,) = events(ADVICE.format("DS*5*0*5"))
        assert short.type is EventType.LINE_SHORTED
        partly = events(TWO_LINES.format("DS*5*0*5", "CC*4*4*"))
        assert partly[0].type is EventType.SHIPMENT_CONFIRMED

    def test_an_invalid_line_parks_itself_and_not_its_document(self) -> None:
        parsed = parse(envelope(TWO_LINES.format("CC*5*-5*", "CC*4*4*")))
        assert [line.sku for line in parsed.events[0].lines] == ["NUT"]
        assert [(e.reason, e.path) for e in parsed.errors] == [
            (ParkReason.QUANTITY, "ST 945 0001 W1203")
        ]


class TestItemNumbers:
    def test_a_qualifier_never_becomes_an_item_number(self) -> None:
        advice = ADVICE.replace("**VN*BOLT", "**0088151*UP*0099262")
        parsed = parse(envelope(advice.format("CC*5*5*")))
        assert parsed.events[0].lines[0].sku == "0099262"
        assert parsed.ignored == (
            "ST 945 0001 W12 CC: '0088151' is not a qualifier of an item number"
        )

    def test_the_upc_without_a_qualifier_is_read(self) -> None:
        (event,) = events(ADVICE.replace("**VN*BOLT", "*0088151").format("CC*5*5*"))
        assert event.lines[0].sku == "0088151"


class TestTimesOfWarehouseSets:
    def test_the_ship_time_and_zone_of_g62_are_read(self) -> None:
        advice = ADVICE.format("CC*5*5*").replace("~LX*1", "~G62*11*20260304*8*1730*ET~LX*1")
        assert events(advice)[0].occurred_at == datetime(2026, 3, 4, 22, 30, tzinfo=UTC)

    def test_a_line_has_its_own_ship_by_date(self) -> None:
        order = "940~W05*N*SO-9~G62*10*20260310~LX*1~W01*5*EA**VN*BOLT~G62*10*20260312~W76*5"
        (event,) = events(order)
        assert event.attributes[Attribute.SHIP_BY] == "2026-03-10"
        assert event.lines[0].ship_by == "2026-03-12"

    def test_two_changes_of_a_warehouse_order_are_two_facts(self) -> None:
        order = "940~W05*R*SO-9~LX*1~W01*5*EA**VN*BOLT~W76*5"
        assert events(order)[0].key != events(order.replace("W01*5", "W01*6"))[0].key
