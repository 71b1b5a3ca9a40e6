"""X12 orders: identity of changes and releases, dates, and the seller's answers to lines."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from connectors.sdk.event_codec import event_from_dict, event_to_dict
from connectors.sdk.events import Attribute, CanonicalEvent, EventType, Flag, Measure
from connectors.sdk.payload import ParkReason
from tests.builders.parsed_x12 import envelope, events, parse

ORDER = "850~BEG*00*SA*7001**20260304~PO1*1*8*EA*2**VN*BOLT~PO1*2*3*EA*4**VN*NUT~CTT*2"
CHANGE = "860~BCH*04*SA*7001***20260304~POC*1*QD*6*2*EA*2**VN*BOLT~CTT*1"
ANSWER = "855~BAK*00*AC*7001*20260304~PO1*1*10*EA*2**VN*BOLT~{}~CTT*1"


def quantities(event: CanonicalEvent) -> list[dict[Measure, Decimal]]:
    return [dict(line.quantities) for line in event.lines]


def order_numbers(event: CanonicalEvent) -> list[str]:
    """The strong numbers of the order with their schemes, such as `customer_po 7001`."""
    return [f"{i.scheme.value} {i.value}" for i in event.objects[0].identifiers if i.strong]


class TestIdentity:
    def test_two_changes_without_a_sequence_number_are_two_facts(self) -> None:
        (first,) = events(CHANGE, sent="20260305 0900")
        (second,) = events(CHANGE.replace("POC*1*QD*6*2", "POC*1*QD*5*1"), sent="20260306 0900")
        assert first.key != second.key

    def test_two_changes_with_one_constant_sequence_number_are_two_facts(self) -> None:
        numbered = CHANGE.replace("7001***", "7001**1*")
        (first,) = events(numbered)
        (second,) = events(numbered.replace("VN*BOLT", "VN*NUT"))
        assert first.key != second.key

    @pytest.mark.parametrize(
        "document", [CHANGE, ORDER.replace("BEG*00", "BEG*04"), ANSWER.format("ACK*IB*10*EA")]
    )
    def test_the_first_copy_of_a_change_or_answer_is_used(self, document: str) -> None:
        originals = events(document, sent="20260305 0900")
        copies = events(document, sent="20260309 0900")
        assert [e.key for e in originals] == [e.key for e in copies]
        for original, copy in zip(originals, copies, strict=True):
            assert original.revision > copy.revision

    def test_two_changes_by_850_are_two_facts(self) -> None:
        change = ORDER.replace("BEG*00", "BEG*04")
        assert events(change)[0].key != events(change.replace("*8*EA", "*9*EA"))[0].key

    def test_a_fact_known_by_its_content_withdraws_no_earlier_key(self) -> None:
        (answer,) = events(ANSWER.format("ACK*IA*10*EA"))
        assert answer.key.startswith("855 ACME from BIGMART 7001 order.accepted ")
        assert answer.corrects == ()

    def test_two_answers_to_one_order_are_two_facts(self) -> None:
        (first,) = events(ANSWER.format("ACK*IA*10*EA*067*20260310"))
        (second,) = events(ANSWER.format("ACK*IA*10*EA*067*20260320"))
        assert first.key != second.key

    def test_each_release_of_a_blanket_order_is_an_order(self) -> None:
        orders = [events(ORDER.replace("7001**", f"7001*{n}*"))[0] for n in ("R1", "R2")]
        assert [order_numbers(e) for e in orders] == [
            ["customer_po 7001/R1", "customer_po 7001", "order_number 7001/R1"],
            ["customer_po 7001/R2", "customer_po 7001", "order_number 7001/R2"],
        ]
        assert orders[0].key != orders[1].key

    @pytest.mark.parametrize(
        "document",
        [
            CHANGE.replace("7001*", "7001*R1"),
            ANSWER.format("ACK*IA*10*EA").replace("7001*20260304", "7001*20260304*R1"),
        ],
    )
    def test_a_change_and_an_answer_name_the_release(self, document: str) -> None:
        assert "order_number 7001/R1" in order_numbers(events(document)[0])

    @pytest.mark.parametrize("release", ["", "0000", "N/A"])
    def test_a_placeholder_is_no_release(self, release: str) -> None:
        (event,) = events(ORDER.replace("7001**", f"7001*{release}*"))
        assert order_numbers(event) == ["customer_po 7001"]

    def test_two_buyers_behind_one_interchange_id_differ_by_their_group(self) -> None:
        settings = {"customer.BIGMART/EAST": "C1", "customer.BIGMART/WEST": "C2"}
        bodies = [
            envelope(ORDER).replace(b"GS*PO*BIGMART", b"GS*PO*" + buyer)
            for buyer in (b"EAST", b"WEST", b"BIGMART")
        ]
        orders = [parse(body, **settings).events[0] for body in bodies]
        assert [e.objects[0].identifiers[0].issuer for e in orders] == ["C1", "C2", "BIGMART"]
        assert len({e.key for e in orders}) == 3


class TestReplacement:
    @pytest.mark.parametrize(
        ("purpose", "complete"), [("05", (Measure.ORDERED,)), ("04", ()), ("00", ())]
    )
    def test_only_a_replacement_takes_back_the_lines_that_it_omits(
        self, purpose: str, complete: tuple[Measure, ...]
    ) -> None:
        (event,) = events(ORDER.replace("BEG*00", f"BEG*{purpose}"))
        assert event.complete_measures == complete


class TestTimeOfADocument:
    @pytest.mark.parametrize(
        "document",
        [
            CHANGE,
            CHANGE.replace("BCH*04", "BCH*01"),
            CHANGE.replace("***20260304", "***20260304*****20260305"),
            ORDER.replace("BEG*00", "BEG*01"),
            ORDER.replace("BEG*00", "BEG*05"),
            ANSWER.format("ACK*IA*10*EA"),
            ANSWER.format("ACK*IA*10*EA").replace("7001*20260304", "7001*20260304*****20260305"),
        ],
    )
    def test_a_change_or_answer_occurs_when_it_is_sent(self, document: str) -> None:
        (event,) = events(document, sent="20260306 1430")
        assert event.occurred_at == datetime(2026, 3, 6, 14, 30, tzinfo=UTC)
        assert event.flags == (Flag.ZONE_ASSUMED,)

    def test_an_order_occurs_on_its_date(self) -> None:
        (event,) = events(ORDER, sent="20260306 1430")
        assert event.occurred_at == datetime(2026, 3, 4, tzinfo=UTC)

    def test_midnight_is_a_time(self) -> None:
        (event,) = events(CHANGE, sent="20260306 0000")
        assert event.occurred_at == datetime(2026, 3, 6, tzinfo=UTC)
        assert Flag.DATE_ONLY not in event.flags

    def test_the_interchange_supplies_the_time_that_the_group_lacks(self) -> None:
        body = envelope(CHANGE, sent="20260306 1430")
        for group in (b"*20260306**", b"*00000000*1430*", b"***"):
            (event,) = parse(body.replace(b"*20260306*1430*", group)).events
            assert event.occurred_at == datetime(2026, 3, 6, 14, 30, tzinfo=UTC)

    def test_without_envelopes_the_change_occurs_on_its_own_date(self) -> None:
        body = b"ST*860*0001~BCH*04*SA*7001***20260301*****20260305~CTT*0~SE*4*0001~"
        assert parse(body).events[0].occurred_at == datetime(2026, 3, 5, tzinfo=UTC)
        (event,) = parse(body.replace(b"*****20260305", b"")).events
        assert event.occurred_at is None


class TestDatesOfLines:
    def test_the_last_requested_date_of_a_line_is_that_of_the_order(self) -> None:
        dated = ORDER.replace("VN*BOLT", "VN*BOLT~DTM*002*20260315").replace(
            "VN*NUT", "VN*NUT~DTM*002*20260310"
        )
        assert events(dated)[0].attributes[Attribute.REQUESTED_AT] == "2026-03-15"
        assert [n.requested_at for n in events(dated)[0].lines] == ["2026-03-15", "2026-03-10"]
        with_heading = dated.replace("~PO1*1", "~DTM*002*20260312~PO1*1")
        assert events(with_heading)[0].attributes[Attribute.REQUESTED_AT] == "2026-03-12"

    @pytest.mark.parametrize("qualifier", ["010", "038", "068", "079"])
    def test_a_ship_date_of_a_line_is_its_ship_by_date(self, qualifier: str) -> None:
        (event,) = events(ORDER.replace("VN*BOLT", f"VN*BOLT~DTM*{qualifier}*20260315"))
        assert [line.ship_by for line in event.lines] == ["2026-03-15", ""]

    def test_an_invalid_date_of_a_line_is_reported_once(self) -> None:
        parsed = parse(envelope(ORDER.replace("VN*BOLT", "VN*BOLT~DTM*010*20261341")))
        assert len(parsed.events[0].lines) == 2
        assert parsed.ignored == "ST 850 0001 DTM*010*20261341 is not a valid date"

    def test_an_earliest_date_is_no_deadline(self) -> None:
        dated = ORDER.replace("VN*BOLT", "VN*BOLT~DTM*037*20260310~DTM*038*20260312")
        assert events(dated)[0].lines[0].ship_by == "2026-03-12"
        (event,) = events(ORDER.replace("VN*BOLT", "VN*BOLT~DTM*037*20260310~DTM*064*20260310"))
        assert event.lines[0].ship_by == ""
        assert Attribute.REQUESTED_AT not in event.attributes

    def test_a_changed_line_has_its_new_date(self) -> None:
        (event,) = events(CHANGE.replace("VN*BOLT", "VN*BOLT~DTM*038*20260318~DTM*002*20260320"))
        assert event.lines[0].ship_by == "2026-03-18"
        assert event.attributes[Attribute.REQUESTED_AT] == "2026-03-20"
        assert event.lines[0].requested_at == "2026-03-20"

    def test_a_line_in_several_deliveries_is_promised_with_the_last(self) -> None:
        schedule = "SCH*7*EA***067*20260311~SCH*3*EA***067*20260321**068*20260319"
        (event,) = events(ANSWER.format(schedule))
        assert event.attributes[Attribute.PROMISED_AT] == "2026-03-21"
        assert event.lines[0].promised_at == "2026-03-21"
        assert event.lines[0].ship_by == "2026-03-19"

    def test_promised_for_delivery_is_no_ship_date(self) -> None:
        (event,) = events(ANSWER.format("ACK*IA*10*EA*069*20260316"))
        assert event.attributes[Attribute.PROMISED_AT] == "2026-03-16"
        assert Attribute.SHIP_BY not in event.attributes

    def test_delivery_requested_precedes_do_not_deliver_after(self) -> None:
        dates = "~DTM*063*20260320~DTM*002*20260315~PO1*1"
        (event,) = events(ORDER.replace("~PO1*1", dates))
        assert event.attributes[Attribute.REQUESTED_AT] == "2026-03-15"


class TestAnswersToLines:
    @pytest.mark.parametrize(
        ("code", "reason"),
        [("IR", "item rejected (IR)"), ("R2", "invalid item number (R2)"), ("R6", "(R6)")],
    )
    def test_a_rejected_line_is_cancelled_by_the_seller(self, code: str, reason: str) -> None:
        accepted, rejected = events(ANSWER.format(f"ACK*{code}"))
        assert accepted.type is EventType.ORDER_ACCEPTED
        assert (rejected.type, rejected.scope) == (EventType.LINE_SHORTED, "acknowledgment")
        assert quantities(rejected) == [{Measure.CANCELLED: Decimal(10)}]
        assert reason in rejected.attributes[Attribute.REASON]

    def test_a_reduced_quantity_is_cancelled_by_the_seller(self) -> None:
        _, reduced = events(ANSWER.format("ACK*IQ*7*EA"))
        assert reduced.type is EventType.LINE_SHORTED
        assert quantities(reduced) == [{Measure.CANCELLED: Decimal(3)}]

    def test_what_is_backordered_beside_a_reduced_quantity_is_not_cancelled(self) -> None:
        _, backordered = events(ANSWER.format("ACK*IQ*7*EA~ACK*IB*3*EA"))
        assert quantities(backordered) == [{Measure.BACKORDERED: Decimal(3)}]

    def test_a_larger_quantity_changes_the_order(self) -> None:
        _, changed = events(ANSWER.format("ACK*IQ*12*EA"))
        assert changed.type is EventType.ORDER_CHANGED
        assert quantities(changed) == [{Measure.ORDERED: Decimal(12)}]

    @pytest.mark.parametrize("code", ["IF", "IH", "IW"])
    def test_a_line_on_hold_holds_the_order(self, code: str) -> None:
        _, on_hold = events(ANSWER.format(f"ACK*{code}*10*EA"))
        assert on_hold.type is EventType.ORDER_HELD
        assert on_hold.attributes[Attribute.REASON].endswith(f"({code})")

    @pytest.mark.parametrize("code", ["AA", "AC", "AR", "DR", "IA", "IC", "IE", "IP", "SP"])
    def test_an_accepted_line_is_no_longer_backordered(self, code: str) -> None:
        parsed = parse(envelope(ANSWER.format(f"ACK*{code}*10*EA")))
        assert parsed.ignored == ""
        (accepted,) = parsed.events
        assert quantities(accepted) == [{Measure.BACKORDERED: Decimal(0)}]

    def test_a_line_without_an_answer_says_nothing_of_back_orders(self) -> None:
        assert quantities(events("855~BAK*00*AD*7001*20260304~PO1*1*10*EA*2**VN*BOLT")[0]) == [{}]

    def test_an_unknown_answer_is_named_on_the_applied_message(self) -> None:
        parsed = parse(envelope(ANSWER.format("ACK*Q9*10*EA")))
        assert [e.type for e in parsed.events] == [EventType.ORDER_ACCEPTED]
        assert parsed.ignored == "ST 855 0001 line 1: ACK01 'Q9' is not known"

    def test_an_invalid_answer_to_one_line_parks_that_line_only(self) -> None:
        parsed = parse(envelope(ANSWER.format("ACK*IB*ten*EA~PO1*2*4*EA*2**VN*NUT~ACK*IB*4*EA")))
        assert quantities(parsed.events[1]) == [{Measure.BACKORDERED: Decimal(4)}]
        assert [(e.path, e.detail) for e in parsed.errors] == [
            ("ST 855 0001 ACK02", "line 1: 'ten' is not a number")
        ]


class TestLinesOfAnOrder:
    def test_an_amount_within_a_line_does_not_end_the_lines(self) -> None:
        with_amounts = ORDER.replace("VN*BOLT", "VN*BOLT~AMT*1*16").replace("CTT", "AMT*1*12~CTT")
        assert [line.sku for line in events(with_amounts)[0].lines] == ["BOLT", "NUT"]

    @pytest.mark.parametrize("document", [ORDER, CHANGE.replace("~CTT", "~POC*2*QD*6~CTT")])
    def test_one_invalid_line_parks_itself_and_not_its_document(self, document: str) -> None:
        bad = document.replace("*1*8*EA", "*1*eight*EA").replace("*1*QD*6*", "*1*QD*six*")
        parsed = parse(envelope(bad))
        assert [line.line_id for line in parsed.events[0].lines] == ["2"]
        (error,) = parsed.errors
        assert error.reason is ParkReason.NUMBER
        assert error.detail.startswith("line 1: ")

    def test_elements_one_place_too_early_are_read_and_reported(self) -> None:
        parsed = parse(envelope(ORDER.replace("*2**VN*BOLT", "*2*VN*BOLT")))
        assert [line.sku for line in parsed.events[0].lines] == ["BOLT", "NUT"]
        assert parsed.ignored == ("ST 850 0001 PO1 1: 'BOLT' is not a qualifier of an item number")

    def test_a_count_of_zero_lines_is_no_finding(self) -> None:
        (event,) = events("855~BAK*00*AT*7001*20260304~CTT*0")
        assert Flag.ENVELOPE not in event.flags


class TestPackSizes:
    @pytest.mark.parametrize(
        ("pack", "pieces"),
        [
            ("PO4*24*1*EA", 24),
            ("PO4*24", 24),
            ("PO4*24*16*OZ", 24),
            ("PO4*1*24*EA", 24),
            ("PO4*4*1*EA***********6", 24),
            ("PO4**1*EA", None),
            ("PO4*0", None),
        ],
    )
    def test_the_pieces_of_an_ordered_case_are_read(self, pack: str, pieces: int | None) -> None:
        (event,) = events(ORDER.replace("*8*EA*2**VN*BOLT", f"*8*CA*2**VN*BOLT~{pack}"))
        line = event.lines[0]
        assert (line.unit, line.quantities) == ("CA", {Measure.ORDERED: Decimal(8)})
        assert line.pieces_per_unit == pieces
        assert event_from_dict(event_to_dict(event)) == event

    def test_a_pack_size_of_a_line_in_pieces_is_not_its_unit(self) -> None:
        (event,) = events(ORDER.replace("VN*BOLT", "VN*BOLT~PO4*24*1*EA"))
        assert event.lines[0].pieces_per_unit is None
        assert "pieces_per_unit" not in event_to_dict(event)["lines"][0]

    def test_an_invalid_pack_size_is_reported_and_the_line_read(self) -> None:
        parsed = parse(envelope(ORDER.replace("*8*EA*2**VN*BOLT", "*8*CA*2**VN*BOLT~PO4*x")))
        assert len(parsed.events[0].lines) == 2
        assert parsed.ignored == "ST 850 0001 PO401: 'x' is not a number"

    @pytest.mark.parametrize(
        "document",
        [
            CHANGE.replace("*2*EA*2**VN*BOLT", "*2*CA*2**VN*BOLT~PO4*24"),
            ANSWER.format("ACK*IA*10").replace("*10*EA*2**VN*BOLT", "*10*CA*2**VN*BOLT~PO4*24"),
            "810~BIG*20260304*I1**7001~IT1*1*3*CA*1**VN*BOLT~PO4*24~TDS*500",
            "856~BSN*00*S1*20260304*0800~HL*1**S~HL*2*1*O~PRF*7001~"
            "HL*3*2*I~LIN**VN*BOLT~SN1**1*CA~PO4*24",
        ],
    )
    def test_every_document_with_lines_reads_pack_sizes(self, document: str) -> None:
        assert events(document)[0].lines[0].pieces_per_unit == 24
