"""Figures and numbers that can be read and yet mean nothing good: B42-B60 of the bad-input list.

The rules of the fold are in tests/timeline, those of identity in tests/correlate; here their cases
arrive over HTTP, in between good messages.
"""

import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from pytest_django.plugin import DjangoDbBlocker

from connectors.sdk.events import EventType, Measure
from connectors.sdk.payload import Reason
from tests.nasty.sending import Bench, Case, Source, bench, order_of
from visibility.models import Milestone, Order

pytestmark = pytest.mark.django_db
NOWHERE = ["", "0", "N/A", "null", "TBD", "-", "000", "n/a "]


def line(**figures: object) -> dict[str, Any]:
    return {"lines": [{"line_id": "1", "sku": "A", **figures}]}


def said(name: str, number: str, kind: str, *, hour: int = 10, **data: object) -> Case:
    """One event about the order `number`."""
    time = f"2026-03-02T{hour:02}:00:00Z"
    return Case(name, order_of(number, kind=kind, id=name, time=time, data=data))


def counted(name: str, quantity: object, reason: Reason | None = None) -> Case:
    return Case(name, order_of(name, data=line(ordered=quantity)), reason)


def shipped(name: str, number: str, quantity: object, *, part: str = "S1", hour: int = 11,
            **data: object) -> Case:  # fmt: skip
    return said(name, number, "shipment.confirmed", hour=hour, part=f"shipment {part}",
                shipment=f"{number}-{part}", **line(shipped=quantity), **data)  # fmt: skip


LINES = [{"line_id": str(n), "ordered": 1} for n in range(10_000)]
CASES = [
    said("B42 a negative shipment", "NEG-1", "shipment.confirmed", **line(shipped=-1)),
    said("B42 a negative return", "NEG-2", "return.received", **line(returned=-1)),
    counted("B43 a comma for thousands", "1,000", Reason.NUMBER),
    counted("B43 a comma for decimals", "1.000,50", Reason.NUMBER),
    counted("B43 a word", "five", Reason.NUMBER),
    counted("B43 digits of another script", "٣٣", Reason.NUMBER),
    counted("B43 an underscore", "1_000", Reason.NUMBER),
    counted("B43 true", True, Reason.SCHEMA),
    counted("B43 blanks around", " 5 "),
    counted("B43 nothing", ""),
    said("B44 ordered", "OVER-1", "order.received", **line(ordered=5)),
    shipped("B44 shipped more", "OVER-1", 7),
    shipped("B48 shipped first", "EARLY-1", 2),
    said("B48 invoiced next", "EARLY-1", "invoice.issued", hour=12, invoice="INV-1",
         part="invoice INV-1", **line(invoiced=2)),
    said("B48 ordered last", "EARLY-1", "order.received", **line(ordered=2)),
    said("B49 a word nobody knows", "WORD-1", "order.teleported"),
    said("B50 ordered", "LATE-1", "order.received", **line(ordered=2)),
    shipped("B50 a parcel", "LATE-1", 1, part="S1", tracking=["1ZLATE0001"]),
    said("B50 delivered", "LATE-1", "shipment.delivered", hour=20, shipment="LATE-1-S1",
         tracking=["1ZLATE0001"]),
    said("B50 delivered too", "LATE-1", "shipment.delivered", hour=21, shipment="LATE-1-S2",
         tracking=["1ZLATE0002"]),
    shipped("B50 the other parcel, told late", "LATE-1", 1, part="S2", hour=12,
            tracking=["1ZLATE0002"]),
    said("B51 cancelled", "TWIST-1", "order.cancelled", hour=11),
    shipped("B51 shipped all the same", "TWIST-1", 1, hour=12),
    Case("B52 a line twice", order_of("TWICE-1", data={"lines": [
        {"line_id": "1", "ordered": 1}, {"line_id": "1", "ordered": 2}]}), Reason.MAPPING),
    Case("B52 a line without a name", order_of("TWICE-2", data={"lines": [{"ordered": 1}]}),
         Reason.SCHEMA),
    said("B52 told once", "AGAIN-1", "order.received", **line(ordered=3)),
    said("B52 told again", "AGAIN-1", "order.received", hour=11, **line(ordered=3)),
    Case("B53 10 000 lines", order_of("LARGE-1", data={"lines": LINES})),
    said("B54 a comment of 200 KB", "TALK-1", "order.received",
         attributes={"detail": "x" * 200_000, "customer_name": "y" * 5_000}),
    said("B55 zeros in front", "0042-A", "order.received"),
    said("B55 no zeros in front", "42-A", "order.received"),
    said("B55 small letters", "case-1", "order.received"),
    said("B55 capitals and blanks", "  CASE-1 ", "order.accepted"),
    said("B56 a plain number", "PLAIN-7", "order.received"),
    said("B56 a blank nobody sees", "PLAIN\u200b-7", "order.received"),
    said("B56 a letter of another script", "PL\u0410IN-7", "order.received"),
    said("B57 composed", unicodedata.normalize("NFC", "Gr\u00f6\u00dfe-1"), "order.received"),
    said("B57 decomposed", unicodedata.normalize("NFD", "Gr\u00f6\u00dfe-1"), "order.accepted"),
    *(Case(f"B59 {text!r} as a number", order_of(text, id=f"B59 {text}"), Reason.REFERENCE)
      for text in NOWHERE),
    *(Case(f"B59 {text!r} beside a parcel", order_of(text, kind="shipment.in_transit",
           id=f"B59p {text}", data={"tracking": f"1ZNOWHERE{n}"}))
      for n, text in enumerate(NOWHERE)),
    said("B60 one source", "SAME-1", "order.received"),
    Case("B60 the other source", order_of("SAME-1"), source="other"),
]  # fmt: skip
CASES[0] = Case(CASES[0].name, CASES[0].body, Reason.QUANTITY)


@pytest.fixture(scope="module")
def sent(
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Bench]:
    """Every case, sent."""
    sources = (Source("json", "cloudevents"), Source("other", "cloudevents"))
    with (
        django_db_blocker.unblock(),
        bench(tmp_path_factory.mktemp("meaning"), *sources) as made,
    ):
        made.send(CASES)
        yield made


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_gets_its_answer_and_its_reason(sent: Bench, case: Case) -> None:
    sent.judge(case)


def test_nobody_else_noticed(sent: Bench) -> None:
    sent.check_others()


def only(number: str) -> Order:
    return Order.objects.get(number=number)


def figures(order: Order, measure: Measure) -> list[Decimal | None]:
    return [getattr(row, measure.value) for row in order.lines.order_by("position")]


def test_blanks_around_a_figure_are_none_of_it(sent: Bench) -> None:
    assert figures(only("B43 blanks around"), Measure.ORDERED) == [5]
    assert figures(only("B43 nothing"), Measure.ORDERED) == [None]


def test_more_than_was_ordered_is_shown_and_is_no_more_than_all(sent: Bench) -> None:
    order = only("OVER-1")
    assert figures(order, Measure.SHIPPED) == [7]
    assert Milestone.objects.get(order=order, code="shipped").share == 1


def test_what_comes_before_its_order_is_joined_to_it(sent: Bench) -> None:
    order = only("EARLY-1")
    assert order.event_count == 3
    assert figures(order, Measure.ORDERED) == figures(order, Measure.INVOICED) == [2]
    assert order.ordered_at is not None


def test_a_word_nobody_knows_is_kept_as_it_was_said(sent: Bench) -> None:
    (event,) = sent.outcomes["B49 a word nobody knows"].events
    assert (event.type, event.raw_type) == (EventType.UNMAPPED, "order.teleported")
    assert only("WORD-1").event_count == 1


def test_a_late_word_takes_nothing_back(sent: Bench) -> None:
    order = only("LATE-1")
    assert order.status == "delivered"
    assert figures(order, Measure.SHIPPED) == [2]
    found = {number for shipment in order.shipments.all() for number in shipment.tracking}
    assert found == {"1ZLATE0001", "1ZLATE0002"}


def test_shipped_after_it_was_cancelled_both_are_kept(sent: Bench) -> None:
    order = only("TWIST-1")
    assert order.event_count == 2
    assert figures(order, Measure.SHIPPED) == [1]


def test_the_same_order_told_twice_is_not_twice_as_large(sent: Bench) -> None:
    assert figures(only("AGAIN-1"), Measure.ORDERED) == [3]


def test_10_000_lines_are_one_order(sent: Bench) -> None:
    order = only("LARGE-1")
    assert (order.line_count, order.lines.count()) == (10_000, 10_000)


def test_long_texts_are_cut_in_the_rows_and_whole_in_the_event(sent: Bench) -> None:
    assert len(only("TALK-1").customer_name) == 250
    (event,) = sent.outcomes["B54 a comment of 200 KB"].events
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
def test_numbers_join_only_where_they_are_the_same(
    sent: Bench, numbers: tuple[str, ...], orders: int
) -> None:
    assert Order.objects.filter(number__in=numbers).count() == orders


def test_no_number_joins_nothing(sent: Bench) -> None:
    assert not Order.objects.filter(number__in=[text.strip() for text in NOWHERE]).exists()


def test_the_same_number_in_two_sources_is_two_orders(sent: Bench) -> None:
    assert Order.objects.filter(number="SAME-1").count() == 2
