"""Well-formed messages with implausible content: cases B42-B60.

The tests of the fold and of identity resolution cover the rules; these tests send some cases over
HTTP, mixed with valid messages.
"""

import unicodedata
from decimal import Decimal
from typing import Any

import pytest

from connectors.sdk.events import EventType, Measure
from connectors.sdk.payload import ParkReason
from tests.processes.hostile.harness import (
    HostileCase,
    HostileRun,
    HostileSource,
    order_of,
)
from visibility.models import Milestone, Order

pytestmark = pytest.mark.django_db
SOURCES = (HostileSource("json", "cloudevents"), HostileSource("other", "cloudevents"))
PLACEHOLDERS = ["", "0", "N/A", "null", "TBD", "-", "000", "n/a "]


def line(**figures: object) -> dict[str, Any]:
    return {"lines": [{"line_id": "1", "sku": "A", **figures}]}


def event_case(name: str, number: str, kind: str, *, hour: int = 10, **data: object) -> HostileCase:
    """One event about the order `number`."""
    time = f"2026-03-02T{hour:02}:00:00Z"
    return HostileCase(name, order_of(number, kind=kind, id=name, time=time, data=data))


def quantity_case(name: str, quantity: object, reason: ParkReason | None = None) -> HostileCase:
    return HostileCase(name, order_of(name, data=line(ordered=quantity)), reason)


def shipment_case(name: str, number: str, quantity: object, *, suffix: str = "S1", hour: int = 11,
            **data: object) -> HostileCase:  # fmt: skip
    return event_case(name, number, "shipment.confirmed", hour=hour, part=f"shipment {suffix}",
                      shipment=f"{number}-{suffix}", **line(shipped=quantity), **data)  # fmt: skip


LINES = [{"line_id": str(n), "ordered": 1} for n in range(10_000)]
CASES = [
    event_case("B42 negative shipment", "NEG-1", "shipment.confirmed", **line(shipped=-1)),
    event_case("B42 negative return", "NEG-2", "return.received", **line(returned=-1)),
    quantity_case("B43 thousands separator", "1,000", ParkReason.NUMBER),
    quantity_case("B43 decimal comma", "1.000,50", ParkReason.NUMBER),
    quantity_case("B43 word", "five", ParkReason.NUMBER),
    quantity_case("B43 digits of another script", "٣٣", ParkReason.NUMBER),
    quantity_case("B43 underscore", "1_000", ParkReason.NUMBER),
    quantity_case("B43 true", True, ParkReason.SCHEMA),
    quantity_case("B43 blanks around", " 5 "),
    quantity_case("B43 empty", ""),
    event_case("B44 ordered", "OVER-1", "order.received", **line(ordered=5)),
    shipment_case("B44 shipped more than ordered", "OVER-1", 7),
    shipment_case("B48 shipped first", "EARLY-1", 2),
    event_case("B48 invoiced next", "EARLY-1", "invoice.issued", hour=12, invoice="INV-1",
         part="invoice INV-1", **line(invoiced=2)),
    event_case("B48 ordered last", "EARLY-1", "order.received", **line(ordered=2)),
    event_case("B49 unknown event type", "WORD-1", "order.teleported"),
    event_case("B50 ordered", "LATE-1", "order.received", **line(ordered=2)),
    shipment_case("B50 first package", "LATE-1", 1, suffix="S1", tracking=["1ZLATE0001"]),
    event_case("B50 first package delivered", "LATE-1", "shipment.delivered", hour=20,
               shipment="LATE-1-S1", tracking=["1ZLATE0001"]),
    event_case("B50 second package delivered", "LATE-1", "shipment.delivered", hour=21,
               shipment="LATE-1-S2", tracking=["1ZLATE0002"]),
    shipment_case("B50 second package, reported late", "LATE-1", 1, suffix="S2", hour=12,
            tracking=["1ZLATE0002"]),
    event_case("B51 cancelled", "TWIST-1", "order.cancelled", hour=11),
    shipment_case("B51 shipped anyway", "TWIST-1", 1, hour=12),
    HostileCase("B52 duplicate line", order_of("TWICE-1", data={"lines": [
        {"line_id": "1", "ordered": 1}, {"line_id": "1", "ordered": 2}]}), ParkReason.MAPPING),
    HostileCase("B52 line without ID", order_of("TWICE-2", data={"lines": [{"ordered": 1}]}),
         ParkReason.SCHEMA),
    event_case("B52 reported once", "AGAIN-1", "order.received", **line(ordered=3)),
    event_case("B52 reported twice", "AGAIN-1", "order.received", hour=11, **line(ordered=3)),
    HostileCase("B53 10,000 lines", order_of("LARGE-1", data={"lines": LINES})),
    HostileCase("B53 event with 5,000 packages", order_of("PACK-1", data={
        "packages": [f"PACK-1-{n}" for n in range(5_000)]}), ParkReason.SIZE),
    event_case("B54 comment of 200 KB", "TALK-1", "order.received",
         attributes={"detail": "x" * 200_000, "customer_name": "y" * 5_000}),
    event_case("B55 leading zeros", "0042-A", "order.received"),
    event_case("B55 no leading zeros", "42-A", "order.received"),
    event_case("B55 lowercase", "case-1", "order.received"),
    event_case("B55 uppercase and blanks", "  CASE-1 ", "order.accepted"),
    event_case("B56 plain number", "PLAIN-7", "order.received"),
    event_case("B56 zero-width space", "PLAIN\u200b-7", "order.received"),
    event_case("B56 letter of another script", "PL\u0410IN-7", "order.received"),
    event_case("B57 composed", unicodedata.normalize("NFC", "Gr\u00f6\u00dfe-1"), "order.received"),
    event_case("B57 decomposed", unicodedata.normalize("NFD", "Gr\u00f6\u00dfe-1"),
               "order.accepted"),
    *(HostileCase(f"B59 number {text!r}", order_of(text, id=f"B59 {text}"), ParkReason.REFERENCE)
      for text in PLACEHOLDERS),
    *(HostileCase(f"B59 {text!r} with a tracking number", order_of(text, kind="shipment.in_transit",
           id=f"B59p {text}", data={"tracking": f"1ZNOWHERE{n}"}))
      for n, text in enumerate(PLACEHOLDERS)),
    event_case("B60 one source", "SAME-1", "order.received"),
    HostileCase("B60 other source", order_of("SAME-1"), source="other"),
]  # fmt: skip
CASES[0] = HostileCase(CASES[0].name, CASES[0].body, ParkReason.QUANTITY)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case_gets_expected_response_and_reason(sent: HostileRun, case: HostileCase) -> None:
    sent.check(case)


def test_valid_messages_and_processes_are_unaffected(sent: HostileRun) -> None:
    sent.check_others()


def single_order(number: str) -> Order:
    return Order.objects.get(number=number)


def line_quantities(order: Order, measure: Measure) -> list[Decimal | None]:
    return [getattr(row, measure.value) for row in order.lines.order_by("position")]


def test_blanks_around_a_quantity_are_ignored(sent: HostileRun) -> None:
    assert line_quantities(single_order("B43 blanks around"), Measure.ORDERED) == [5]
    assert line_quantities(single_order("B43 empty"), Measure.ORDERED) == [None]


def test_overshipment_is_shown_and_its_share_is_100_percent(sent: HostileRun) -> None:
    order = single_order("OVER-1")
    assert line_quantities(order, Measure.SHIPPED) == [7]
    assert Milestone.objects.get(order=order, code="shipped").share == 1


def test_events_before_the_order_are_attached_to_it(sent: HostileRun) -> None:
    order = single_order("EARLY-1")
    assert order.event_count == 3
    assert (
        line_quantities(order, Measure.ORDERED) == line_quantities(order, Measure.INVOICED) == [2]
    )
    assert order.ordered_at is not None


def test_unknown_event_type_is_stored_unmapped(sent: HostileRun) -> None:
    (event,) = sent.outcomes["B49 unknown event type"].events
    assert (event.type, event.raw_type) == (EventType.UNMAPPED, "order.teleported")
    assert single_order("WORD-1").event_count == 1


def test_late_event_does_not_revert_the_status(sent: HostileRun) -> None:
    order = single_order("LATE-1")
    assert order.status == "delivered"
    assert line_quantities(order, Measure.SHIPPED) == [2]
    tracking_numbers = {
        number for shipment in order.shipments.all() for number in shipment.tracking
    }
    assert tracking_numbers == {"1ZLATE0001", "1ZLATE0002"}


def test_shipment_after_cancellation_is_counted(sent: HostileRun) -> None:
    order = single_order("TWIST-1")
    assert order.event_count == 2
    assert line_quantities(order, Measure.SHIPPED) == [1]


def test_repeated_order_does_not_double_its_quantity(sent: HostileRun) -> None:
    assert line_quantities(single_order("AGAIN-1"), Measure.ORDERED) == [3]


def test_order_with_10000_lines_has_all_lines(sent: HostileRun) -> None:
    order = single_order("LARGE-1")
    assert (order.line_count, order.lines.count()) == (10_000, 10_000)


def test_long_texts_are_truncated_in_rows_but_complete_in_events(sent: HostileRun) -> None:
    assert len(single_order("TALK-1").customer_name) == 250
    (event,) = sent.outcomes["B54 comment of 200 KB"].events
    assert {len(text) for text in event.attributes.values()} == {200_000, 5_000}


@pytest.mark.parametrize(
    ("numbers", "orders"),
    [
        (("0042-A", "42-A"), 2),
        (("case-1", "CASE-1"), 1),
        (("PLAIN-7", "PLAIN\u200b-7", "PL\u0410IN-7"), 3),
        (("Gr\u00f6\u00dfe-1", unicodedata.normalize("NFD", "Gr\u00f6\u00dfe-1")), 1),
    ],
)
def test_numbers_match_only_if_equal_after_normalization(
    sent: HostileRun, numbers: tuple[str, ...], orders: int
) -> None:
    assert Order.objects.filter(number__in=numbers).count() == orders


def test_placeholder_number_creates_no_order(sent: HostileRun) -> None:
    assert not Order.objects.filter(number__in=[text.strip() for text in PLACEHOLDERS]).exists()


def test_same_number_in_two_sources_is_two_orders(sent: HostileRun) -> None:
    assert Order.objects.filter(number="SAME-1").count() == 2
