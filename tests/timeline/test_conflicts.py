"""Claims that contradict each other for longer than a word may take are conflicts."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from connectors.sdk.events import Measure
from tests.timeline.saying import (
    at,
    delivered,
    folded,
    invoiced,
    lines,
    of,
    ordered,
    say,
    shipped,
)
from visibility.timeline import Conflict, MilestoneCode, Spoken, Status
from visibility.timeline.authority import AUTHORITY, GRACE, OWNER
from visibility.timeline.dictionary import Article, Dictionary
from visibility.timeline.enums import Field, State

FOUR, LATE = GRACE[Field.SHIPPED], timedelta(minutes=1)
BLIND = say("erp", "order.released", at(2, 11), lines("shipped", {"A": 0, "B": 0}))
PARTIAL = shipped({"A": 8}, at(3), source="north")


def total(figures: dict[str, int | str], when: float, measure: str = "shipped") -> Spoken:
    """A running total of the ERP."""
    return say("erp", "order.changed", at(3, when), lines(measure, figures))


def only(*events: Spoken, hours: float = 48) -> Conflict:
    """The one conflict there is."""
    (found,) = folded(*events, as_of=at(3, hours)).conflicts
    return found


def test_every_compared_field_has_an_authority_a_grace_and_an_owner() -> None:
    assert set(AUTHORITY) == set(Field)
    assert set(GRACE) == set(OWNER) <= set(AUTHORITY)


def test_an_erp_that_is_blind_to_a_partial_is_waited_for_and_then_in_conflict() -> None:
    said = [ordered({"A": 12}, price="2.50", currency="USD"), BLIND, PARTIAL]
    waiting = folded(*said, as_of=at(3) + FOUR - LATE)
    assert (waiting.conflicts, len(waiting.waiting)) == ((), 1)
    assert waiting.changes_at == at(3) + FOUR
    assert State.CONFLICT not in waiting.states
    told = folded(*said, as_of=at(3) + FOUR)
    (found,) = told.conflicts
    assert (found.field, found.line_key, found.since, found.opened_at) == (
        Field.SHIPPED,
        "A",
        at(3),
        at(3) + FOUR,
    )
    assert (found.money, found.currency, found.owner) == (Decimal(20), "USD", "Warehouse")
    assert [(c.source, c.value, c.authoritative) for c in found.claims] == [
        ("north", "8", True),
        ("erp", "0", False),
    ]
    assert State.CONFLICT in told.states
    assert told.changes_at is None


def test_it_closes_when_they_agree_and_opens_anew_when_they_part_again() -> None:
    said = [ordered({"A": 12}), BLIND, PARTIAL, total({"A": 8}, 20)]
    assert folded(*said, as_of=at(4)).conflicts == ()
    again = shipped({"A": 4}, at(4), "S2", source="north")
    assert only(*said, again, hours=40).since == at(4)


def test_a_second_partial_does_not_start_the_clock_anew() -> None:
    second = shipped({"A": 1}, at(3, 15), "S2", source="north")
    assert only(ordered({"A": 12}), BLIND, PARTIAL, second).since == at(3)


def test_two_warehouses_parts_are_compared_by_their_sum() -> None:
    said = [
        ordered({"A": 12}),
        shipped({"A": 8}, at(3), source="north"),
        shipped({"A": 4}, at(3), "S2"),
        total({"A": 12}, 13),
    ]
    assert folded(*said).conflicts == ()
    found = only(*said[:3], total({"A": 10}, 13))
    assert [c.source for c in found.claims] == ["north", "wms", "erp"]


def test_who_says_nothing_contradicts_nobody() -> None:
    assert folded(ordered({"A": 12}), PARTIAL).conflicts == ()


def test_units_are_converted_before_they_are_compared() -> None:
    boxes = Dictionary(articles={"A": Article("A", unit="BX", factors={"EA": Fraction(1, 10)})})
    said = [
        ordered({"A": 2}, unit="BX"),
        shipped({"A": 20}, at(3), source="north"),
        say("erp", "order.changed", at(3, 13), lines("shipped", {"A": 2}, unit="BX")),
    ]
    assert folded(*said, words=boxes).conflicts == ()
    assert folded(*said).conflicts == ()  # set aside: what can't be compared differs from nothing


@pytest.mark.parametrize(("price", "money"), [("38.00", 10), ("40.004", None)])
def test_prices_are_compared_by_the_piece(price: str, money: int | None) -> None:
    said = [
        ordered({"A": 5}, price="40"),
        ordered({"A": 5}, at(2, 8), source="shop", price=price),
    ]
    told = folded(*said)
    assert [c.money for c in told.conflicts] == ([Decimal(money)] if money else [])
    assert [c.owner for c in told.conflicts] == (["Pricing"] if money else [])


def test_amounts_of_different_currencies_are_never_compared() -> None:
    told = folded(
        ordered({"A": 5}, price="40", currency="USD"),
        ordered({"A": 5}, at(2, 8), source="shop", price="38", currency="eur"),
    )
    assert (told.conflicts, told.currencies) == ((), ("EUR",))
    same = folded(
        ordered({"A": 5}, price="40", currency="USD"),
        ordered({"A": 5}, at(2, 8), source="shop", price="38", currency="usd"),
    )
    assert (len(same.conflicts), same.currencies) == (1, ())


def test_ordered_less_cancelled_is_what_is_compared() -> None:
    shop = [
        ordered({"A": 5}, at(2, 8), source="shop"),
        say("shop", "order.changed", at(2, 10), lines("cancelled", {"A": 2})),
    ]
    assert folded(*shop, ordered({"A": 3})).conflicts == ()
    found = only(*shop, ordered({"A": 5, "B": 1}))
    assert (found.field, [c.value for c in found.claims]) == (Field.CANCELLED, ["0", "2"])
    found = only(shop[0], ordered({"A": 4}, price="10"))
    assert (found.field, found.money) == (Field.ORDERED, Decimal(10))


@pytest.mark.parametrize(("erp", "cancelled"), [(3, 0), (4, 1), (5, 2)])
def test_what_was_taken_back_is_not_taken_off_an_order_that_was_reduced_by_it_already(
    erp: int, cancelled: int
) -> None:
    """The shop says 5 and 2 taken back; the order is what the ERP makes of it."""
    told = folded(
        ordered({"A": 5}, at(2, 8), source="shop"),
        ordered({"A": 5}),
        say("shop", "order.changed", at(3), lines("cancelled", {"A": 2})),
        say("erp", "order.released", at(3, 13), lines("ordered", {"A": erp})),
        shipped({"A": 3}, at(4)),
    )
    line = of(told, "A")
    assert line.get(Measure.ORDERED) == erp
    assert line.get(Measure.CANCELLED) == cancelled
    assert line.due == 3
    assert line.flags == ()
    assert told.status is Status.SHIPPED
    assert told.milestones[MilestoneCode.SHIPPED].share == 1


def test_invoices_of_finance_and_erp_are_compared() -> None:
    said = [ordered({"A": 5}, price="2"), shipped({"A": 5}, at(3)), total({"A": 3}, 13, "invoiced")]
    found = only(*said, invoiced({"A": 5}, at(3, 14)))
    assert (found.field, found.money, found.owner) == (Field.INVOICED, Decimal(4), "Finance")


def test_promises_that_differ_contradict_each_other_until_the_goods_are_there() -> None:
    said = [
        ordered({"A": 5}, promised_at="2026-03-05"),
        ordered({"A": 5}, at(2, 10), source="shop", promised_at="2026-03-04T17:00:00-06:00"),
    ]
    found = only(*said)
    assert (found.field, found.line_key, found.money) == (Field.PROMISED_AT, "", None)
    assert [c.value for c in found.claims] == ["2026-03-05", "2026-03-04"]
    there = [shipped({"A": 5}, at(3)), delivered(at(4))]
    assert folded(*said, *there).conflicts == ()


def test_cancelled_here_and_shipped_there_is_a_conflict_of_status() -> None:
    cancel = say("shop", "order.cancelled", at(2, 20))
    found = only(ordered({"A": 5}, price="2"), cancel, shipped({"A": 5}, at(3)))
    assert (found.field, found.money, found.opened_at) == (Field.STATUS, Decimal(10), at(3) + FOUR)
    assert [(c.source, c.value) for c in found.claims] == [
        ("wms", "shipped"),
        ("shop", "cancelled"),
    ]


def test_who_goes_on_with_a_cancelled_order_contradicts_who_is_silent_does_not() -> None:
    cancel = say("shop", "order.cancelled", at(2, 20))
    assert folded(ordered({"A": 5}), cancel).conflicts == ()
    work = say("wms", "line.allocated", at(3), lines("allocated", {"A": 5}))
    found = only(ordered({"A": 5}), cancel, work)
    assert [c.value for c in found.claims] == ["open", "cancelled"]


def test_shipped_without_figures_contradicts_nothing_shipped() -> None:
    bare = say("north", "shipment.confirmed", at(3), shipment="S1")
    found = only(ordered({"A": 5}), BLIND, bare)
    assert (found.field, [c.value for c in found.claims]) == (
        Field.STATUS,
        ["shipped", "nothing shipped"],
    )


def test_each_source_s_claims_are_kept_with_their_time() -> None:
    told = folded(ordered({"A": 12}, price="2.5"), BLIND, PARTIAL, total({"A": 8}, 20), as_of=at(5))
    claims = {(s.source, s.field): (s.value, s.at, s.counts) for s in of(told, "A").said}
    assert claims[("north", Field.SHIPPED)] == (Decimal(8), at(3), True)
    assert claims[("erp", Field.SHIPPED)] == (Decimal(8), at(3, 20), False)
    assert claims[("erp", Field.PRICE)] == (Decimal("2.5"), at(2, 9), True)
    stands = {c.source: c.stands for c in told.claims}
    assert stands == {"erp": "shipped", "north": "shipped"}


def test_what_was_known_then_had_no_conflict_yet() -> None:
    late = shipped({"A": 8}, at(3), source="north", received=at(6))
    said = [ordered({"A": 12}), BLIND, late]
    assert folded(*said, as_of=at(5), known_at=at(5)).conflicts == ()
    assert len(folded(*said, as_of=at(7), known_at=at(7)).conflicts) == 1


def test_a_future_event_is_when_the_timeline_changes() -> None:
    told = folded(ordered({"A": 12}), shipped({"A": 12}, at(20)), as_of=at(5))
    assert told.changes_at == at(20)
