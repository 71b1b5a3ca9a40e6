"""X12 invoices: totals, orders named in lines, releases, and lines given back."""

from decimal import Decimal

import pytest

from connectors.sdk.events import Attribute, EventType, Measure
from connectors.sdk.payload import ParkReason
from tests.builders.parsed_x12 import envelope, events, parse

INVOICE = "810~BIG*20260304*INV9**9001~IT1*1*3*EA*19.25**VN*BOLT~TDS*{}~CTT*1"


@pytest.mark.parametrize(
    ("text", "total", "is_reported"),
    [
        ("5775", "57.75", False),
        ("57.75", "57.75", True),
        ("5775.", "5775", True),
        ("0", "0.00", False),
    ],
)
def test_an_explicit_decimal_point_is_not_scaled(text: str, total: str, is_reported: bool) -> None:
    (event,) = events(INVOICE.format(text))
    assert event.attributes[Attribute.TOTAL] == total
    assert ("decimal point" in event.attributes.get(Attribute.DETAIL, "")) == is_reported


def test_an_order_in_the_pairs_of_a_line_is_read() -> None:
    (event,) = events(
        "810~BIG*20260304*INV9~IT1**3*EA*1**VN*BOLT*PO*9001~IT1**2*EA*1**PO*9002*VN*NUT~TDS*500"
    )
    assert [ref.identifiers[0].value for ref in event.objects[:2]] == ["9001", "9002"]
    assert [(line.sku, line.order_index) for line in event.lines] == [("BOLT", 0), ("NUT", 1)]


def test_a_line_with_an_order_number_and_no_item_number_has_no_item() -> None:
    (event,) = events("810~BIG*20260304*INV9~IT1*1*3*EA*1**PO*9001~TDS*500")
    assert event.lines[0].sku == ""


def test_invoices_of_two_releases_are_two_facts_about_two_orders() -> None:
    (first,), (second,) = (
        events(INVOICE.format("5775").replace("**9001", f"**9001*{release}"))
        for release in ("R1", "R2")
    )
    assert first.key != second.key
    assert first.objects[0].identifiers[0].value == "9001/R1"
    assert first.lines[0].order_index == 0


def test_a_line_that_repeats_the_order_belongs_to_its_release() -> None:
    text = INVOICE.format("5775").replace("**9001", "**9001*R1").replace("BOLT", "BOLT~REF*PO*9001")
    (event,) = events(text)
    assert [ref.kind.value for ref in event.objects] == ["order", "invoice"]
    assert event.lines[0].order_index == 0


def test_a_line_given_back_is_credited_within_the_invoice() -> None:
    (event,) = events(INVOICE.format("5575").replace("~TDS", "~IT1*2*-4*EA*0.5**VN*CRATE~TDS"))
    assert event.type is EventType.INVOICE_ISSUED
    assert [line.quantities for line in event.lines] == [
        {Measure.INVOICED: Decimal(3)},
        {Measure.CREDITED: Decimal(4)},
    ]


def test_an_invalid_line_parks_itself_and_not_its_document() -> None:
    parsed = parse(envelope(INVOICE.format("5575").replace("~TDS", "~IT1*2*x*EA*1**VN*NUT~TDS")))
    assert [line.sku for line in parsed.events[0].lines] == ["BOLT"]
    assert [(e.reason, e.path, e.detail) for e in parsed.errors] == [
        (ParkReason.NUMBER, "ST 810 0001 IT102", "line 2: 'x' is not a number")
    ]
