"""Units, substitutes, kits, conflicts and promises do not depend on the order of the events."""

from fractions import Fraction
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

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
from tests.builders.timelines import LATER, folded
from tests.effort import examples
from visibility.timeline import RecordedEvent
from visibility.timeline.master_data_dictionary import (
    ItemDefinition,
    MappingVersion,
    MasterDataDictionary,
)
from visibility.timeline.status_answer import status_answer

DICTIONARY = MasterDataDictionary(
    mappings={("item", "north", "0099"): [MappingVersion("A", valid_from=at(3))]},
    items={
        "A": ItemDefinition("A", unit="DZ", factors={"EA": Fraction(1, 12)}),
        "KIT": ItemDefinition("KIT", components={"BOLT": Fraction(3), "PLATE": Fraction(1)}),
    },
    governed=frozenset({("item", "north")}),
)
EVENTS = [
    ordered({"A": 2, "KIT": 2}, unit="DZ", price="12", promised_at="2026-03-05"),
    ordered({"A": 24, "B": 3, "KIT": 2}, at(2, 8), source="shop", price="1.10", currency="USD"),
    reported(
        "erp", "order.changed", at(2, 10), (line("B", ordered=3), line("C", ordered=1, unit="BX"))
    ),
    reported("crm", "order.changed", at(2, 11), (line("C", ordered=7),), promised_at="2026-03-07"),
    reported("erp", "order.held", at(2, 12), reason="credit"),
    reported("erp", "order.released", at(2, 13), lines("shipped", {"A": 0, "B": 0})),
    reported("edi", "line.substituted", at(2, 14), (line("B", cancelled=3), line("B2", ordered=3))),
    reported(
        "wms", "line.backordered", at(2, 15), lines("backordered", {"B": 3}), eta="2026-03-09"
    ),
    shipped({"A": 7, "BOLT": 6}, at(3), "S1", tracking="1Z1"),
    shipped({"0099": 5}, at(3), "S2", source="north"),
    shipped({"0099": 5}, at(2, 20), "S3", source="north"),
    shipped({"B2": 3, "PLATE": 2}, at(4), "S4"),
    reported("wms", "shipment.void", at(4, 13), shipment="S4", scope=""),
    shipped({"B2": 2, "PLATE": 2}, at(4, 13), "S5"),
    reported("wms", "shipment.confirmed", at(5), (line("A", shipped=-1),), scope="correction"),
    reported("shop", "order.cancelled", at(5), lines("cancelled", {"B": 1}), reason="no stock"),
    shipped({"A": 1}, at(5), "S6", source="shop", order=1, orders=(SO_1, SO_2)),
    shipped({"A": 9}, at(5), "S7", orders=(SO_2,), tracking="1Z1"),
    delivered(at(6), "S1"),
    reported("erp", "order.changed", at(6), lines("shipped", {"A": 1}), promised_at="2026-03-11"),
    invoiced({"A": 1}, at(7), unit="DZ", price="13"),
    reported("wms", "return.received", at(8), (line("A", returned=2),), scope="return 1"),
    reported("finance", "credit.issued", at(9), (line("A", credited=2),), scope="credit 1"),
    reported("wms", "order.changed", at(9), corrects=["shipment.confirmed/S5/none"]),
]


@settings(max_examples=examples(60))
@given(st.permutations(EVENTS), st.lists(st.sampled_from(EVENTS), max_size=10))
def test_any_order_and_any_repetition_give_the_same_timeline(
    shuffled: list[RecordedEvent], repeated: list[RecordedEvent]
) -> None:
    assert folded(*shuffled, *repeated, dictionary=DICTIONARY) == folded(
        *EVENTS, dictionary=DICTIONARY
    )


@settings(max_examples=examples(100))
@given(st.sets(st.sampled_from(range(len(EVENTS)))), st.randoms(), st.integers(0, 12))
def test_any_subset_at_any_moment_gives_the_same_timeline_without_errors(
    indexes: set[int], random: object, day: int
) -> None:
    events = [EVENTS[i] for i in sorted(indexes)]
    shuffled = [*events, *events[::2]]
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a Random
    for dictionary in (DICTIONARY, MasterDataDictionary()):
        first = folded(*events, as_of=at(2 + day), dictionary=dictionary)
        assert folded(*shuffled, as_of=at(2 + day), dictionary=dictionary) == first
        assert status_answer(first, zone="America/Chicago").text.endswith(".")


def test_timeline_changes_without_an_event_only_at_the_announced_time() -> None:
    """Between two announced changes only the age of the timeline changes."""
    moments = [at(2, 7)]
    while changes := folded(*EVENTS, as_of=moments[-1], dictionary=DICTIONARY).next_change_at:
        moments.append(changes)
    assert len(moments) > len(EVENTS) // 2
    for before, after in pairwise([*moments, LATER]):
        middle = before + (after - before) / 2
        first, second = (
            folded(*EVENTS, as_of=at, dictionary=DICTIONARY) for at in (before, middle)
        )
        assert (first.status, first.states) == (second.status, second.states)
        assert first.lines == second.lines
        assert (first.conflicts, first.pending_conflicts) == (
            second.conflicts,
            second.pending_conflicts,
        )
