"""The sentence for the customer reads well with every quantity at the edge."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from tests.builders.recorded_events import at, delivered, line, lines, ordered, reported, shipped
from tests.builders.timelines import folded
from visibility.timeline import RecordedEvent
from visibility.timeline.status_answer import status_answer

TWO_PIECES = ordered({"A": 2})
TWO_LINES = ordered({"A": 5, "B": 3})
PROMISED = ordered({"A": 2}, promised_at="2026-03-09")
FEET = ordered({"A": 10}, unit="FT")
MIXED = reported(
    "erp", "order.received", at(2), [line("A", ordered=10, unit="FT"), line("B", ordered=4)]
)
# Words of our own that a customer must not read, and what no sentence may contain.
INTERNAL = re.compile(
    r"\b0 of|short|out of stock|seller|warehouse|wms|erp|credit limit|disagree|None|  |\.\.|: \.",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Case:
    """The events of an order, the day of March on which it is read, and the sentence."""

    name: str
    events: Sequence[RecordedEvent]
    day: int
    sentence: str


CASES = (
    Case(
        "one piece of two",
        [TWO_PIECES, shipped({"A": 1}, at(3))],
        4,
        "Part of your order has been shipped: 1 of 2 pieces, on Tue, Mar 3.",
    ),
    Case(
        "part of a length",
        [FEET, shipped({"A": "2.5"}, at(3), unit="FT")],
        4,
        "Part of your order has been shipped: 2.5 of 10 FT, on Tue, Mar 3.",
    ),
    Case(
        "part of lines of two units",
        [MIXED, shipped({"A": 4}, at(3), unit="FT")],
        4,
        "Part of your order has been shipped: 1 of 2 lines in part, on Tue, Mar 3.",
    ),
    Case(
        "one line of two",
        [TWO_LINES, shipped({"A": 5}, at(3))],
        4,
        "Part of your order has been shipped: 1 of 2 lines, on Tue, Mar 3.",
    ),
    Case(
        "a line and a part",
        [TWO_LINES, shipped({"A": 5, "B": 1}, at(3))],
        4,
        "Part of your order has been shipped: 1 of 2 lines and 1 in part, on Tue, Mar 3.",
    ),
    Case(
        "two shipments",
        [TWO_LINES, shipped({"A": 2}, at(3)), shipped({"A": 3}, at(4), "S2")],
        5,
        "Part of your order has been shipped: 1 of 2 lines, most recently on Wed, Mar 4.",
    ),
    Case(
        "all in one shipment",
        [TWO_LINES, shipped({"A": 5, "B": 3}, at(3))],
        4,
        "Your order was shipped on Tue, Mar 3.",
    ),
    Case(
        "all in two shipments",
        [TWO_LINES, shipped({"A": 5}, at(3)), shipped({"B": 3}, at(4), "S2")],
        5,
        "Your order has been shipped, most recently on Wed, Mar 4.",
    ),
    Case(
        "more than ordered",
        [TWO_PIECES, shipped({"A": 3}, at(3))],
        4,
        "Your order was shipped on Tue, Mar 3.",
    ),
    Case(
        "one shipment of two delivered",
        [TWO_LINES, shipped({"A": 5}, at(3)), shipped({"B": 3}, at(4), "S2"), delivered(at(5))],
        6,
        "Part of your order has been delivered: 1 of 2 lines; the rest is on its way.",
    ),
    Case(
        "delivered",
        [TWO_PIECES, shipped({"A": 2}, at(3)), delivered(at(5))],
        6,
        "Your order was delivered on Thu, Mar 5.",
    ),
    Case(
        "delivered late",
        [ordered({"A": 2}, promised_at="2026-03-04"), shipped({"A": 2}, at(3)), delivered(at(5))],
        9,
        "Your order was delivered on Thu, Mar 5. Delivery was promised for Wed, Mar 4 and was "
        "1 day late.",
    ),
    Case(
        "late and not delivered",
        [PROMISED],
        11,
        "We have received your order. Delivery was promised for Mon, Mar 9 and is 2 days late.",
    ),
    Case(
        "the carrier's own date",
        [
            PROMISED,
            shipped({"A": 2}, at(3), tracking="1Z1"),
            reported(
                "carrier",
                "eta.updated",
                at(3, 15),
                orders=(),
                tracking="1Z1",
                eta="2026-03-06",
            ),
        ],
        4,
        "Your order was shipped on Tue, Mar 3. The carrier expects to deliver on Fri, Mar 6. "
        "Delivery is promised for Mon, Mar 9. Tracking: 1Z1.",
    ),
    Case(
        "the carrier's date has passed",
        [
            TWO_PIECES,
            shipped({"A": 2}, at(3), tracking="1Z1"),
            reported(
                "carrier",
                "eta.updated",
                at(3, 15),
                orders=(),
                tracking="1Z1",
                eta="2026-03-06",
            ),
        ],
        8,
        "Your order was shipped on Tue, Mar 3. Tracking: 1Z1.",
    ),
    Case(
        "on its way back",
        [
            TWO_PIECES,
            shipped({"A": 2}, at(3), tracking="1Z1"),
            reported("carrier", "shipment.returned", at(5), orders=(), tracking="1Z1"),
        ],
        6,
        "Your order could not be delivered and is on its way back to us.",
    ),
    Case(
        "returned by the customer",
        [
            TWO_PIECES,
            shipped({"A": 2}, at(3)),
            delivered(at(5)),
            reported("wms", "return.received", at(8), lines("returned", {"A": 2})),
        ],
        9,
        "Your return has arrived.",
    ),
    Case(
        "out of stock",
        [
            TWO_LINES,
            reported(
                "wms", "line.backordered", at(3), lines("backordered", {"B": 3}), eta="2026-03-12"
            ),
            shipped({"A": 5}, at(3)),
        ],
        4,
        "Part of your order has been shipped: 1 of 2 lines, on Tue, Mar 3; 1 line back-ordered, "
        "expected Thu, Mar 12.",
    ),
    Case(
        "the stock date has passed",
        [
            TWO_LINES,
            reported(
                "wms", "line.backordered", at(3), lines("backordered", {"B": 3}), eta="2026-03-04"
            ),
        ],
        8,
        "We have received your order; 1 line back-ordered.",
    ),
    Case(
        "short picked",
        [
            TWO_LINES,
            reported("wms", "line.shorted", at(3), lines("picked", {"B": 1})),
            shipped({"A": 5, "B": 1}, at(3)),
        ],
        4,
        "Part of your order has been shipped: 1 of 2 lines and 1 in part, on Tue, Mar 3.",
    ),
    Case(
        "a part cancelled for lack of stock",
        [
            TWO_LINES,
            reported(
                "wms", "order.cancelled", at(3), lines("cancelled", {"B": 3}), reason="Out of stock"
            ),
            shipped({"A": 5}, at(3)),
        ],
        4,
        "Your order was shipped on Tue, Mar 3; 1 line cancelled.",
    ),
    Case(
        "some pieces cancelled",
        [TWO_LINES, reported("erp", "order.changed", at(3), lines("cancelled", {"B": 1}))],
        4,
        "We have received your order; 1 line cancelled in part.",
    ),
    Case(
        "cancelled",
        [TWO_PIECES, reported("erp", "order.cancelled", at(3), reason="Out of stock")],
        4,
        "Your order has been cancelled.",
    ),
    Case(
        "shipped without lines",
        [
            reported("erp", "order.received", at(2)),
            reported("wms", "shipment.confirmed", at(3), shipment="S1"),
        ],
        4,
        "Your order was shipped on Tue, Mar 3.",
    ),
    Case(
        "only a package is known",
        [reported("carrier", "shipment.in_transit", at(3), orders=(), tracking="1Z1")],
        4,
        "We are looking into your order. Tracking: 1Z1.",
    ),
    Case(
        "credit hold",
        [TWO_PIECES, reported("erp", "order.held", at(2, 14), reason="Credit limit")],
        4,
        "Your order is being checked.",
    ),
    Case(
        "many packages",
        [
            TWO_PIECES,
            *(shipped({"A": 1}, at(3), f"S{n:02}", tracking=f"T{n:02}") for n in range(12)),
        ],
        4,
        "Your order was shipped on Tue, Mar 3. Tracking: "
        + ", ".join(f"T{n:02}" for n in range(10))
        + " and 2 more packages.",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.name))
def test_customer_answer_at_edge_quantities(case: Case) -> None:
    timeline = folded(*case.events, as_of=at(case.day, 18))
    sentence = status_answer(timeline, zone="UTC").customer
    assert sentence.removeprefix("Order SO-1: ") == case.sentence
    assert not INTERNAL.search(sentence)


def test_internal_answer_names_pieces_where_no_line_is_complete() -> None:
    timeline = folded(TWO_PIECES, shipped({"A": 1}, at(3), warehouse="Dallas"), as_of=at(4))
    text = status_answer(timeline, zone="UTC").text
    assert text == "Partially shipped: 1 of 2 pieces shipped from Dallas on Tue, Mar 3."
