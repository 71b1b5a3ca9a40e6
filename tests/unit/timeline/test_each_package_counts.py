"""Each package counts by itself: scans, deliveries, and packages that come back."""

from dataclasses import replace
from decimal import Decimal

import pytest

from connectors.sdk.events import (
    EventIdentifier,
    IdentifierScheme,
    Measure,
    ObjectKind,
    ObjectReference,
)
from tests.builders.recorded_events import (
    SO_1,
    SO_2,
    at,
    delivered,
    invoiced,
    line,
    lines,
    ordered,
    reported,
    shipped,
)
from tests.builders.timelines import folded
from visibility.sla.calendar import DAYS, Calendar
from visibility.sla.rules.no_tracking_scan import NoTrackingScan, Params
from visibility.timeline import MilestoneCode, RecordedEvent, Status
from visibility.timeline.kpi_inputs import last_delivery_if_complete
from visibility.timeline.state_and_flag_enums import OrderState
from visibility.timeline.status_answer import status_answer

ALWAYS_OPEN = Calendar(hours={day: [("00:00", "24:00")] for day in DAYS})
ORDERED = ordered({"A": 1})


def scan(what: str, day: int, tracking: str = "T1") -> RecordedEvent:
    return reported("carrier", f"shipment.{what}", at(day), orders=[], tracking=tracking)


def sent(tracking: str = "T1", quantity: int = 1, **options: str) -> RecordedEvent:
    """A shipment of one package."""
    return shipped({"A": quantity}, at(3), tracking=tracking, **options)


REFUSED = [scan("out_for_delivery", 4), scan("returned", 5), scan("in_transit", 6)]
BACK = scan("delivered", 7)


@pytest.mark.parametrize("is_reversed", [False, True])
def test_package_delivered_back_to_the_sender_is_returned(is_reversed: bool) -> None:
    events = [ORDERED, sent(), *REFUSED, BACK]
    timeline = folded(*(reversed(events) if is_reversed else events))
    assert timeline.status is Status.RETURNED
    assert timeline.status_since == at(7)
    assert timeline.lines[0].quantity(Measure.DELIVERED) == 0
    assert timeline.lines[0].quantity(Measure.RETURNED) == 1
    assert not {OrderState.DELIVERED, OrderState.PARTIALLY_DELIVERED} & set(timeline.states)
    assert timeline.milestone_reached_at(MilestoneCode.DELIVERED) is None
    assert last_delivery_if_complete(timeline) is None
    answer = status_answer(timeline, zone="UTC")
    assert answer.next_step == "a new shipment, or credit for the returned goods, from finance"
    assert "delivered" not in answer.customer.replace("could not be delivered", "")


def test_package_on_its_way_back_is_neither_delivered_nor_returned_yet() -> None:
    timeline = folded(ORDERED, sent(carrier="UPS"), *REFUSED)
    assert timeline.status is Status.SHIPPED
    assert status_answer(timeline, zone="UTC").next_step == "return to the sender by UPS"
    delivered_before = folded(ORDERED, sent(), scan("delivered", 4), scan("returned", 5))
    assert delivered_before.status is Status.SHIPPED


def test_package_that_came_back_without_quantities_is_returned() -> None:
    confirmed = reported("wms", "shipment.confirmed", at(3), tracking="T1")
    timeline = folded(ORDERED, confirmed, *REFUSED, BACK)
    assert timeline.status is Status.RETURNED
    assert timeline.milestone_reached_at(MilestoneCode.RETURNED) == at(7)


def test_replacement_of_a_returned_package_is_delivered() -> None:
    replacement = shipped({"A": 1}, at(9), "S2", tracking="T2")
    timeline = folded(
        ordered({"A": 2}), sent(), *REFUSED, BACK, replacement, scan("delivered", 10, "T2")
    )
    assert timeline.status is Status.PARTIALLY_DELIVERED
    assert timeline.milestone_reached_at(MilestoneCode.DELIVERED) == at(10)


def test_credit_of_a_returned_package_closes_the_order() -> None:
    credit = reported("finance", "credit.issued", at(9), lines("credited", {"A": 1}))
    timeline = folded(ORDERED, sent(), invoiced({"A": 1}, at(4)), *REFUSED, BACK, credit)
    assert timeline.status is Status.CREDITED


def test_each_package_needs_a_scan_of_its_own() -> None:
    second = reported("wms", "shipment.confirmed", at(3), shipment="S1", tracking="T2", key="2")
    events = [ORDERED, sent(), second, scan("in_transit", 4, "T1")]
    (clock,) = NoTrackingScan().clocks(folded(*events), Params(), ALWAYS_OPEN)
    assert clock.stopped_at is None
    timeline = folded(*events, scan("in_transit", 6, "T2"))
    (clock,) = NoTrackingScan().clocks(timeline, Params(), ALWAYS_OPEN)
    assert clock.stopped_at == at(6)
    of_shipment = delivered(at(5))
    (clock,) = NoTrackingScan().clocks(folded(*events, of_shipment), Params(), ALWAYS_OPEN)
    assert clock.stopped_at == at(5)


def test_without_quantities_an_order_is_delivered_when_all_known_packages_are() -> None:
    confirmed = [
        reported("wms", "shipment.confirmed", at(3), tracking=tracking) for tracking in ("T1", "T2")
    ]
    order = reported("erp", "order.received", at(2))
    first = folded(order, *confirmed, scan("delivered", 5, "T1"))
    assert first.status is Status.PARTIALLY_DELIVERED
    assert first.milestone_completed_at(MilestoneCode.DELIVERED) is None
    both = folded(order, *confirmed, scan("delivered", 5, "T1"), scan("delivered", 6, "T2"))
    assert both.status is Status.DELIVERED
    assert both.milestone_completed_at(MilestoneCode.DELIVERED) == at(6)
    void = reported("wms", "shipment.void", at(4), tracking="T2")
    assert folded(order, *confirmed, void, scan("delivered", 5, "T1")).status is Status.DELIVERED
    by_order = reported("erp", "shipment.delivered", at(5))
    assert folded(order, *confirmed, by_order).status is Status.DELIVERED


def with_packages(recorded: RecordedEvent, *tracking: str) -> RecordedEvent:
    """The event with these packages, one for each of its lines."""
    refs = [
        ObjectReference(ObjectKind.PACKAGE, (EventIdentifier(IdentifierScheme.TRACKING, number),))
        for number in tracking
    ]
    event, first = recorded.event, len(recorded.event.objects)
    event_lines = [
        replace(entry, package_index=first + index) for index, entry in enumerate(event.lines)
    ]
    return replace(
        recorded,
        event=replace(event, objects=(*event.objects, *refs), lines=tuple(event_lines)),
        object_keys=(*recorded.object_keys, *(f"tracking::{number}" for number in tracking)),
    )


@pytest.mark.parametrize("prefix", ["", "~"])
def test_goods_without_a_named_package_are_delivered_with_the_last_package(prefix: str) -> None:
    """Also if the key of a package sorts before that of its shipment."""
    confirmed = with_packages(
        reported("wms", "shipment.confirmed", at(3), [line("A", shipped=7)], shipment="S1"),
        "T1",
        "T2",
    )
    event = confirmed.event
    confirmed = replace(
        confirmed,
        event=replace(event, lines=tuple(replace(each, package_index=-1) for each in event.lines)),
    )
    events = [ordered({"A": 7}), confirmed, scan("delivered", 5, "T1")]
    first = folded(*(_with_prefixed_shipment(each, prefix) for each in events))
    assert first.lines[0].quantity(Measure.DELIVERED) == 0
    events.append(scan("delivered", 6, "T2"))
    both = folded(*(_with_prefixed_shipment(each, prefix) for each in events))
    assert both.lines[0].quantity(Measure.DELIVERED) == 7
    assert both.milestone_completed_at(MilestoneCode.DELIVERED) == at(6)


def _with_prefixed_shipment(recorded: RecordedEvent, prefix: str) -> RecordedEvent:
    """The event with another key of its shipment, which sorts behind those of packages."""
    keys = (f"{prefix}{key}" if "S1" in key else key for key in recorded.object_keys)
    return replace(recorded, object_keys=tuple(keys))


HALVES = [line("A", shipped=3), line("A", shipped=4)]


def test_goods_of_a_package_are_delivered_with_it() -> None:
    confirmed = with_packages(
        reported("wms", "shipment.confirmed", at(3), HALVES, shipment="S1"), "T1", "T2"
    )
    first = folded(ordered({"A": 7}), confirmed, scan("delivered", 5, "T1"))
    assert first.lines[0].quantity(Measure.DELIVERED) == 3
    assert first.status is Status.PARTIALLY_DELIVERED
    both = folded(
        ordered({"A": 7}), confirmed, scan("delivered", 5, "T1"), scan("delivered", 6, "T2")
    )
    assert both.lines[0].quantity(Measure.DELIVERED) == 7
    assert both.milestone_completed_at(MilestoneCode.DELIVERED) == at(6)
    second_returned = folded(
        ordered({"A": 7}), confirmed, scan("delivered", 5, "T1"), scan("returned", 5, "T2"),
        scan("delivered", 6, "T2"),
    )  # fmt: skip
    assert second_returned.lines[0].quantity(Measure.DELIVERED) == 3
    assert second_returned.lines[0].quantity(Measure.RETURNED) == 4
    assert second_returned.status is Status.PARTIALLY_DELIVERED


@pytest.mark.parametrize("is_reversed", [False, True])
def test_what_was_packed_in_a_package_is_shipped_and_delivered_with_it(is_reversed: bool) -> None:
    packed = with_packages(
        reported(
            "wms", "pack.completed", at(3), [line("A", packed=3), line("A", packed=4)], scope="p"
        ),
        "T1",
        "T2",
    )
    confirmed = [
        reported("wms", "shipment.confirmed", at(day), tracking=number)
        for day, number in ((4, "T1"), (5, "T2"))
    ]
    events = [ordered({"A": 7}), packed, *confirmed, scan("delivered", 6, "T1")]
    timeline = folded(*(reversed(events) if is_reversed else events))
    assert timeline.lines[0].quantity(Measure.SHIPPED) == 7
    assert timeline.lines[0].quantity(Measure.DELIVERED) == 3
    assert timeline.status is Status.PARTIALLY_DELIVERED
    only_first = folded(ordered({"A": 7}), packed, confirmed[0])
    assert only_first.lines[0].quantity(Measure.SHIPPED) == 3
    void = reported("wms", "shipment.void", at(8), tracking="T1")
    assert folded(*events, void).lines[0].quantity(Measure.SHIPPED) == 4


def test_package_of_two_orders_ships_and_delivers_the_pieces_of_each() -> None:
    pieces = [line("A", packed=2, order=0), line("B", packed=5, order=1)]
    packed = reported("wms", "pack.completed", at(3), pieces, orders=[SO_1, SO_2], tracking="T1")
    in_package = tuple(replace(piece, package_index=2) for piece in packed.event.lines)
    packed = replace(packed, event=replace(packed.event, lines=in_package))
    sent_package = reported("wms", "shipment.confirmed", at(4), orders=[], tracking="T1")
    timeline = folded(ordered({"A": 2}), packed, sent_package, scan("delivered", 6))
    assert [(entry.sku, entry.quantity(Measure.DELIVERED)) for entry in timeline.lines] == [
        ("A", Decimal(2))
    ]
    assert timeline.milestones[MilestoneCode.SHIPPED].completed_at == at(4)
    assert timeline.milestones[MilestoneCode.DELIVERED].completed_at == at(6)
