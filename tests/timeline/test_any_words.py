"""Units, substitutes, kits, conflicts, promises: none of them depends on who spoke first."""

from fractions import Fraction
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.timeline.saying import (
    LATER,
    SO_1,
    SO_2,
    at,
    delivered,
    folded,
    invoiced,
    line,
    lines,
    ordered,
    say,
    shipped,
)
from visibility.timeline import Spoken
from visibility.timeline.answer import answer
from visibility.timeline.dictionary import Article, Dictionary, Meaning

WORDS = Dictionary(
    words={("item", "north", "0099"): [Meaning("A", valid_from=at(3))]},
    articles={
        "A": Article("A", unit="DZ", factors={"EA": Fraction(1, 12)}),
        "KIT": Article("KIT", components={"BOLT": Fraction(3), "PLATE": Fraction(1)}),
    },
    governed=frozenset({("item", "north")}),
)
EVENTS = [
    ordered({"A": 2, "KIT": 2}, unit="DZ", price="12", promised_at="2026-03-05"),
    ordered({"A": 24, "B": 3, "KIT": 2}, at(2, 8), source="shop", price="1.10", currency="USD"),
    say("erp", "order.changed", at(2, 10), (line("B", ordered=3), line("C", ordered=1, unit="BX"))),
    say("crm", "order.changed", at(2, 11), (line("C", ordered=7),), promised_at="2026-03-07"),
    say("erp", "order.held", at(2, 12), reason="credit"),
    say("erp", "order.released", at(2, 13), lines("shipped", {"A": 0, "B": 0})),
    say("edi", "line.substituted", at(2, 14), (line("B", cancelled=3), line("B2", ordered=3))),
    say("wms", "line.backordered", at(2, 15), lines("backordered", {"B": 3}), eta="2026-03-09"),
    shipped({"A": 7, "BOLT": 6}, at(3), "S1", tracking="1Z1"),
    shipped({"0099": 5}, at(3), "S2", source="north"),
    shipped({"0099": 5}, at(2, 20), "S3", source="north"),
    shipped({"B2": 3, "PLATE": 2}, at(4), "S4"),
    say("wms", "shipment.void", at(4, 13), shipment="S4", part=""),
    shipped({"B2": 2, "PLATE": 2}, at(4, 13), "S5"),
    say("wms", "shipment.confirmed", at(5), (line("A", shipped=-1),), part="correction"),
    say("shop", "order.cancelled", at(5), lines("cancelled", {"B": 1}), reason="no stock"),
    shipped({"A": 1}, at(5), "S6", source="shop", order=1, orders=(SO_1, SO_2)),
    shipped({"A": 9}, at(5), "S7", orders=(SO_2,), tracking="1Z1"),
    delivered(at(6), "S1"),
    say("erp", "order.changed", at(6), lines("shipped", {"A": 1}), promised_at="2026-03-11"),
    invoiced({"A": 1}, at(7), unit="DZ", price="13"),
    say("wms", "return.received", at(8), (line("A", returned=2),), part="return 1"),
    say("finance", "credit.issued", at(9), (line("A", credited=2),), part="credit 1"),
    say("wms", "order.changed", at(9), corrects=["shipment.confirmed/S5/none"]),
]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.permutations(EVENTS), st.lists(st.sampled_from(EVENTS), max_size=10))
def test_the_whole_timeline_is_the_same_in_any_order_and_however_often_told(
    shuffled: list[Spoken], repeated: list[Spoken]
) -> None:
    assert folded(*shuffled, *repeated, words=WORDS) == folded(*EVENTS, words=WORDS)


@settings(max_examples=100, deadline=None)
@given(st.sets(st.sampled_from(range(len(EVENTS)))), st.randoms(), st.integers(0, 12))
def test_any_part_of_it_at_any_moment_folds_without_trouble_and_alike(
    part: set[int], random: object, day: int
) -> None:
    heard = [EVENTS[i] for i in sorted(part)]
    shuffled = [*heard, *heard[::2]]
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a Random
    for words in (WORDS, Dictionary()):
        first = folded(*heard, as_of=at(2 + day), words=words)
        assert folded(*shuffled, as_of=at(2 + day), words=words) == first
        assert answer(first, zone="America/Chicago").text.endswith(".")


def test_a_timeline_changes_by_time_alone_only_when_it_said_so() -> None:
    """Between two moments at which it says that it will, nothing but its age changes."""
    moments = [at(2, 7)]
    while changes := folded(*EVENTS, as_of=moments[-1], words=WORDS).changes_at:
        moments.append(changes)
    assert len(moments) > len(EVENTS) // 2
    for before, after in pairwise([*moments, LATER]):
        middle = before + (after - before) / 2
        one, other = (folded(*EVENTS, as_of=moment, words=WORDS) for moment in (before, middle))
        assert (one.status, one.states, one.lines) == (other.status, other.states, other.lines)
        assert (one.conflicts, one.waiting) == (other.conflicts, other.waiting)
