"""Links between the objects of an order on its lanes, and the time outside working hours."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from connectors.sdk.events import EventIdentifier, EventType, IdentifierScheme
from tests.builders.recorded_events import at, ordered, reported
from tests.builders.timelines import LATER, folded
from visibility.screens.orders.swimlane_axis import LogScaledGapTimeAxis
from visibility.screens.orders.swimlane_closed_time import OrderCalendar, closed_time
from visibility.screens.orders.swimlane_links import ObjectLink, lane_arrows, object_links
from visibility.sla.calendar import Calendar
from visibility.timeline import RecordedEvent

OFFICE = Calendar("UTC", dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), (("08:00", "17:00"),)))


def texts(links: list[ObjectLink]) -> list[tuple[str, str]]:
    return [(link.cause.text, link.effect.text) for link in links]


def story() -> list[RecordedEvent]:
    return [
        ordered({"A": 5}, at(2)),
        reported("wms", EventType.SHIPMENT_CONFIRMED, at(3), shipment="S1", tracking="T1"),
        reported("finance", EventType.INVOICE_ISSUED, at(4), shipment="S1", invoice="I1"),
        reported("finance", EventType.INVOICE_ISSUED, at(5), invoice="I2"),
    ]


def test_objects_come_from_what_they_are_named_with_or_else_from_the_order() -> None:
    assert texts(object_links(folded(*story(), as_of=LATER))) == [
        ("order SO-1", "shipment S1"),
        ("shipment S1", "invoice I1"),
        ("order SO-1", "invoice I2"),
    ]


def test_the_order_of_arrival_does_not_matter_and_superseded_events_do_not_count() -> None:
    expected = object_links(folded(*story(), as_of=LATER))
    assert object_links(folded(*reversed(story()), as_of=LATER)) == expected
    wrong = reported("wms", EventType.SHIPMENT_CONFIRMED, at(3), shipment="S9", key="wrong")
    right = reported(
        "wms", EventType.SHIPMENT_VOID, at(3), shipment="S1", key="right", corrects=("wrong",)
    )
    links = object_links(folded(*story(), wrong, right, as_of=LATER))
    assert not any("S9" in link.effect.text for link in links)


def test_a_delivery_comes_before_its_shipment() -> None:
    event = reported("erp", EventType.SHIPMENT_CONFIRMED, at(3), shipment="S1")
    number = EventIdentifier(IdentifierScheme.DELIVERY, "D1", "erp")
    delivery = replace(event.event.objects[1], identifiers=(number,))
    objects = (*event.event.objects, delivery)
    both = replace(
        event,
        event=replace(event.event, objects=objects),
        object_keys=(*event.object_keys, "delivery:erp:D1"),
    )
    links = object_links(folded(ordered({"A": 5}, at(2)), both, as_of=LATER))
    assert texts(links) == [("order SO-1", "delivery D1"), ("delivery D1", "shipment S1")]


def test_arrows_lead_from_lane_to_lane_and_only_between_what_is_shown() -> None:
    timeline = folded(*story(), as_of=LATER)
    axis = LogScaledGapTimeAxis([at(2), at(5)], now=LATER)
    links = object_links(timeline)
    early = datetime.min.replace(tzinfo=UTC)
    down, further, own = lane_arrows(links, axis, ["erp", "wms", "finance"], since=early)
    assert (down.first_row, down.last_row, down.is_up, down.is_back) == (2, 3, False, False)
    assert down.width > 0
    assert (further.first_row, further.last_row) == (3, 4)
    assert (own.first_row, own.last_row) == (2, 4)
    (up, *_) = lane_arrows(links, axis, ["finance", "wms", "erp"], since=early)
    assert (up.first_row, up.last_row, up.is_up) == (3, 4, True)
    assert lane_arrows(links, axis, ["wms"], since=early) == []
    assert lane_arrows(links, axis, ["erp", "wms", "finance"], since=at(6)) == []


def test_nights_and_weekends_are_shaded_where_they_can_be_seen() -> None:
    friday = datetime(2026, 3, 6, 12, tzinfo=UTC)
    monday = friday + timedelta(days=3)
    axis = LogScaledGapTimeAxis([friday, monday], now=monday)
    ((left, width),) = closed_time(axis, OrderCalendar("Office", OFFICE)).spans
    closed, opened = friday.replace(hour=17), monday.replace(hour=8)
    assert left == axis.percent(axis.x_position(closed))
    assert abs(left + width - axis.percent(axis.x_position(opened))) < 0.02
    assert not closed_time(axis, OrderCalendar("Office", OFFICE)).is_incomplete
    # In most of a year, weekends can be seen, and nights would be lines.
    axis = LogScaledGapTimeAxis([friday - timedelta(days=300), friday], now=friday)
    weekends = closed_time(axis, OrderCalendar("Office", OFFICE))
    assert len(weekends.spans) in {42, 43}
    assert weekends.is_incomplete
    assert closed_time(axis, None).title == ""
