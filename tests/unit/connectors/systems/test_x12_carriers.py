"""X12 sets of carriers: load tenders, their answers, statuses and freight invoices."""

from datetime import UTC, datetime

import pytest

from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventType,
    Flag,
    IdentifierScheme,
    ObjectKind,
)
from connectors.sdk.payload import ParkReason
from connectors.systems.x12.carrier_status_codes import STATUS_TYPES, STEPS_WITHOUT_EVENT
from tests.builders.parsed_x12 import envelope, events, parse, parse_error

RANGES = {"carrier_order": "sales_order@erp", "carrier_shipment": "shipment@wms"}
STATUS = "214~B10*4471*LD-1*FHLX~L11*BOL-9*BM~LX*1~AT7*{}~MS1*DALLAS*TX*US"
TENDER = (
    "204~B2**FHLX**LD-1**PP~B2A*{}~S5*1*CL~G62*10*20260305~N4*DALLAS*TX~OID*SO-1*PO-1~"
    "OID*SO-2*PO-2~S5*2*PU~OID*SO-1*PO-1~S5*3*CU~OID*SO-2*PO-2"
)


def numbers(event: CanonicalEvent, kind: ObjectKind) -> list[list[tuple[str, str, str, bool]]]:
    return [
        [(i.scheme.value, i.issuer, i.value, i.strong) for i in ref.identifiers]
        for ref in event.objects
        if ref.kind is kind
    ]


class TestStatuses:
    @pytest.mark.parametrize(("code", "event_type"), STATUS_TYPES.items())
    def test_each_known_code_is_its_event(self, code: str, event_type: EventType) -> None:
        (event,) = events(STATUS.format(f"{code}*NS***20260304*0800*CT"))
        assert event.type is event_type
        assert event.attributes[Attribute.LOCATION] == "DALLAS, TX, US"
        assert event.attributes[Attribute.STATUS] == code

    @pytest.mark.parametrize("code", STEPS_WITHOUT_EVENT)
    def test_steps_before_pickup_are_in_the_detail_of_the_message(self, code: str) -> None:
        parsed = parse(envelope(STATUS.format(f"{code}*NS***20260304*0800*CT")))
        assert parsed.events == ()
        assert code in parsed.ignored

    def test_an_unknown_code_is_unmapped(self) -> None:
        (event,) = events(STATUS.format("CA*BT***20260304*0800*CT"))
        assert (event.type, event.raw_type) == (EventType.UNMAPPED, "214 CA")
        assert event.attributes[Attribute.REASON] == "reason code BT"

    def test_the_zone_code_counts_and_local_time_is_that_of_the_source(self) -> None:
        (coded,) = events(STATUS.format("D1*NS***20260304*0800*PT"), zone="America/Chicago")
        (local,) = events(STATUS.format("D1*NS***20260304*0800*LT"), zone="America/Chicago")
        (undated,) = events(STATUS.format("D1*NS"), zone="UTC")
        assert (coded.occurred_at, coded.flags) == (datetime(2026, 3, 4, 16, tzinfo=UTC), ())
        assert (local.occurred_at, local.flags) == (
            datetime(2026, 3, 4, 14, tzinfo=UTC),
            (Flag.ZONE_ASSUMED,),
        )
        assert undated.occurred_at == datetime(2026, 3, 4, 9, 15, tzinfo=UTC)

    def test_an_appointment_or_estimate_is_an_expected_delivery(self) -> None:
        (timed,) = events(STATUS.format("**AB*NA*20260307*1300*UT"))
        (dated,) = events(STATUS.format("AG*NS***20260307"))
        assert timed.type is dated.type is EventType.ETA_UPDATED
        assert timed.attributes[Attribute.ETA] == "2026-03-07T13:00:00Z"
        assert dated.attributes[Attribute.ETA] == "2026-03-07"
        assert timed.occurred_at == datetime(2026, 3, 4, 9, 15, tzinfo=UTC)

    def test_a_shipment_has_the_numbers_of_shipper_and_carrier(self) -> None:
        (event,) = events(STATUS.format("AF*NS***20260304*0800*UT"), **RANGES)
        assert numbers(event, ObjectKind.SHIPMENT) == [
            [
                ("shipment", "wms", "LD-1", True),
                ("pro", "FHLX", "4471", False),
                ("bol", "", "BOL-9", False),
            ]
        ]

    def test_a_parcel_carrier_that_repeats_its_number_names_a_package_only(self) -> None:
        parcel = STATUS.replace("4471*LD-1", "1Z9990001234*1Z9990001234")
        (event,) = events(parcel.format("D1*NS***20260304*0800*UT"))
        assert numbers(event, ObjectKind.PACKAGE) == [[("tracking", "", "1Z9990001234", True)]]
        assert numbers(event, ObjectKind.SHIPMENT) == []

    def test_a_stop_with_orders_of_its_own_concerns_only_these(self) -> None:
        text = "214~B10*4471*LD-1*FHLX~LX*1~L11*SO-1*OQ~AT7*D1*NS***20260304*0800*UT~LX*2~AT7*X6"
        stop, load = events(text, **RANGES)
        assert numbers(stop, ObjectKind.ORDER) == [[("sales_order", "erp", "SO-1", True)]]
        assert numbers(stop, ObjectKind.SHIPMENT) == []
        assert numbers(load, ObjectKind.SHIPMENT)
        assert numbers(load, ObjectKind.ORDER) == []

    def test_order_numbers_need_their_number_range(self) -> None:
        text = STATUS.format("D1").replace("LX*1", "L11*SO-1*OQ~LX*1")
        assert numbers(events(text)[0], ObjectKind.ORDER) == []
        (event,) = events(text, depositor_order="sales_order@erp")
        assert numbers(event, ObjectKind.ORDER) == [[("sales_order", "erp", "SO-1", True)]]

    def test_a_set_without_numbers_or_statuses_is_parked(self) -> None:
        assert parse_error("214~B10***FHLX~LX*1~AT7*D1").reason is ParkReason.REFERENCE
        assert parse_error("214~B10*1*2*FHLX~LX*1").reason is ParkReason.SCHEMA


class TestTenders:
    def test_a_load_is_offered_for_the_orders_of_all_stops(self) -> None:
        (event,) = events(TENDER.format("00"), **RANGES)
        assert event.type is EventType.SHIPMENT_TENDERED
        assert [refs[0][2] for refs in numbers(event, ObjectKind.ORDER)] == ["SO-1", "SO-2"]
        assert [refs[1][2] for refs in numbers(event, ObjectKind.ORDER)] == ["PO-1", "PO-2"]
        assert event.attributes[Attribute.DETAIL] == (
            "stop 1: load 2026-03-05 DALLAS; stop 2: unload; stop 3: unload"
        )

    def test_a_cancellation_withdraws_the_offer(self) -> None:
        (offered,), (cancelled,) = events(TENDER.format("00")), events(TENDER.format("01"))
        assert cancelled.raw_type == "204 cancelled"
        assert offered.key in cancelled.corrects

    @pytest.mark.parametrize(
        ("code", "event_type"),
        [
            ("A", EventType.DOCUMENT_ACKNOWLEDGED),
            ("D", EventType.DOCUMENT_REJECTED),
            ("R", EventType.DOCUMENT_REJECTED),
            ("Q", EventType.UNMAPPED),
        ],
    )
    def test_the_carrier_answers_for_the_shipment(self, code: str, event_type: EventType) -> None:
        (event,) = events(f"990~B1*FHLX*LD-1*20260304*{code}~K1*NO TRUCK", **RANGES)
        assert event.type is event_type
        assert numbers(event, ObjectKind.SHIPMENT) == [[("shipment", "wms", "LD-1", True)]]
        assert "NO TRUCK" in event.attributes[Attribute.REASON]

    def test_a_freight_invoice_has_implied_decimals_and_is_no_invoice_to_the_customer(self) -> None:
        (event,) = events("210~B3**F-1*LD-1*PP**20260309*41250****FHLX~C3*USD", **RANGES)
        assert event.type is EventType.FREIGHT_INVOICED
        assert event.attributes[Attribute.TOTAL] == "412.50"
        assert numbers(event, ObjectKind.INVOICE) == []
        assert numbers(event, ObjectKind.SHIPMENT) == [[("shipment", "wms", "LD-1", True)]]

    @pytest.mark.parametrize("text", ["204~B2**FHLX", "990~B1*FHLX", "210~B3***LD-1"])
    def test_a_set_without_its_number_is_parked(self, text: str) -> None:
        assert parse_error(text).reason is ParkReason.REFERENCE


def test_schemes_are_those_of_the_settings() -> None:
    (event,) = events("990~B1*FHLX*LD-1*20260304*A", carrier_shipment="bol@wms")
    assert event.objects[0].identifiers[0].scheme is IdentifierScheme.BOL
