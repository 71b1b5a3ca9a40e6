"""Entity resolution depends on the set of mentions and decisions, never on the order of arrival."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import examples
from visibility.identity.pure.group_mentions_into_objects import (
    Decision,
    DecisionKind,
    DecisionSide,
    resolve_mentions,
)
from visibility.identity.pure.keys_and_reuse_windows import IdentifierKey, ReuseWindows
from visibility.identity.pure.mentions_and_generations import Mention

START = datetime(2026, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)
WINDOWS = ReuseWindows({("wms", "order_number"): 60 * DAY})


def permanent_key(value: str) -> IdentifierKey:
    """Return a key that is never reused. Each value has an issuer of its own."""
    return ("order", "sales_order", f"erp {value}", value)


def erp_key(value: str, scheme: str = "sales_order") -> IdentifierKey:
    """Return a number of one ERP, which gives each order another one."""
    return ("order", scheme, "erp", value)


def customer_po(value: str) -> IdentifierKey:
    """Return a number that a customer gave."""
    return ("order", "customer_po", "C100", value)


def reused_key(value: str) -> IdentifierKey:
    """Return a key that the warehouse reuses after 60 days."""
    return ("order", "order_number", "wms", value)


def make_mention(day: int, *numbers: IdentifierKey, name: int = 0) -> Mention:
    """Return one reference of a new event."""
    at = START + day * DAY
    return Mention((hash((day, numbers, name)), 0), (at, "s", str(numbers), "h", name), numbers)


def make_decision(
    decision_id: int,
    kind: DecisionKind,
    left: Sequence[IdentifierKey],
    right: Sequence[IdentifierKey],
) -> Decision:
    """Return an active decision."""
    sides = [DecisionSide(tuple((n, START) for n in side)) for side in (left, right)]
    return Decision(decision_id, kind, (sides[0], sides[1]))


def resolved_values(
    mentions: Sequence[Mention], decisions: Sequence[Decision] = ()
) -> set[frozenset[str]]:
    """Return each object as a set of "<value><generation>"; generation 0 is left out."""
    return {
        frozenset(f"{number[3]}{generation or ''}" for number, generation in group.generations)
        for group in resolve_mentions(mentions, decisions, WINDOWS).objects
    }


def test_numbers_named_together_identify_the_same_object() -> None:
    assert resolved_values(
        [
            make_mention(1, permanent_key("A")),
            make_mention(2, permanent_key("B")),
            make_mention(3, permanent_key("A"), permanent_key("B")),
        ]
    ) == {frozenset({"A", "B"})}


def test_long_gap_starts_a_new_generation_of_a_reused_number_only() -> None:
    mentions = [
        make_mention(1, reused_key("4711")),
        make_mention(100, reused_key("4711")),
        make_mention(1, permanent_key("A")),
        make_mention(300, permanent_key("A")),
    ]
    assert resolved_values(mentions) == {
        frozenset({"4711"}),
        frozenset({"47111"}),
        frozenset({"A"}),
    }


def test_gap_equal_to_the_reuse_window_starts_no_generation() -> None:
    assert resolved_values(
        [make_mention(0, reused_key("4711")), make_mention(60, reused_key("4711"))]
    ) == {frozenset({"4711"})}
    assert (
        len(
            resolved_values(
                [make_mention(0, reused_key("4711")), make_mention(61, reused_key("4711"))]
            )
        )
        == 2
    )


def test_late_event_joins_two_generations() -> None:
    mentions = [make_mention(1, reused_key("4711")), make_mention(100, reused_key("4711"))]
    assert resolved_values([*mentions, make_mention(50, reused_key("4711"))]) == {
        frozenset({"4711"})
    }


def tracking_mention(day: int, event_type: str) -> Mention:
    """Return an event that names only a tracking number."""
    at, key = START + day * DAY, ("package", "tracking", "", "1Z9")
    return Mention((day, 0), (at, "carrier", "", "h", 0), (key,), (), event_type)


@pytest.mark.parametrize(
    ("types", "uses"),
    [
        (("shipment.in_transit", "shipment.delivered"), 1),
        (("shipment.confirmed", "shipment.delivered"), 1),
        (("shipment.delivered", "shipment.in_transit"), 2),
        (("shipment.void", "shipment.in_transit"), 2),
        (("shipment.in_transit", "shipment.confirmed"), 2),
    ],
)
def test_scan_after_a_long_silence_belongs_to_the_package_that_has_not_arrived(
    types: tuple[str, str], uses: int
) -> None:
    first, second = (tracking_mention(100 * n, name) for n, name in enumerate(types))
    assert len(resolve_mentions([first, second], [], WINDOWS).objects) == uses


def test_package_is_not_awaited_for_more_than_a_year() -> None:
    mentions = [
        tracking_mention(0, "shipment.in_transit"),
        tracking_mention(366, "shipment.delivered"),
    ]
    assert len(resolve_mentions(mentions, [], WINDOWS).objects) == 2


def test_reuse_setting_of_a_source_holds_for_numbers_without_an_issuer() -> None:
    windows = ReuseWindows({("ups", "tracking"): 30 * DAY, ("dhl", "tracking"): 200 * DAY})
    assert windows.reuse_window_of_key(("package", "tracking", "", "1Z9")) == 200 * DAY


def test_permanent_number_joins_two_generations_of_a_reused_number() -> None:
    mentions = [
        make_mention(1, reused_key("4711"), permanent_key("A")),
        make_mention(100, reused_key("4711"), permanent_key("A")),
    ]
    assert resolved_values(mentions) == {frozenset({"4711", "47111", "A"})}


def test_split_separates_numbers_and_the_shared_event_stays() -> None:
    mentions = [
        make_mention(1, permanent_key("A")),
        make_mention(2, permanent_key("B")),
        make_mention(3, permanent_key("A"), permanent_key("B")),
    ]
    split = make_decision(1, DecisionKind.SPLIT, [permanent_key("A")], [permanent_key("B")])
    groups = {
        group.generations[0][0][3]: group
        for group in resolve_mentions(mentions, [split], WINDOWS).objects
    }
    assert [len(groups[name].mentions) for name in ("A", "B")] == [2, 1]
    assert groups["A"].rejected_keys == {permanent_key("B")}


def test_split_numbers_are_not_joined_by_a_third_number() -> None:
    split = make_decision(1, DecisionKind.SPLIT, [permanent_key("A")], [permanent_key("B")])
    mentions = [
        make_mention(1, permanent_key("A")),
        make_mention(2, permanent_key("B")),
        make_mention(3, permanent_key("B"), permanent_key("C")),
    ]
    mentions.append(make_mention(4, permanent_key("A"), permanent_key("C")))
    assert resolved_values(mentions, [split]) == {frozenset({"A"}), frozenset({"B", "C"})}


def test_customer_po_does_not_join_two_orders_of_one_erp() -> None:
    mentions = [
        make_mention(1, erp_key("S1"), customer_po("PO")),
        make_mention(2, erp_key("S2"), customer_po("PO")),
    ]
    groups = resolve_mentions(mentions, [], WINDOWS).objects
    assert [(group.generations, group.shared_keys) for group in groups] == [
        ([(erp_key("S1"), 0)], {customer_po("PO")}),
        ([(erp_key("S2"), 0)], {customer_po("PO")}),
    ]


def test_customer_po_joins_an_order_that_its_erp_numbers_once() -> None:
    mentions = [
        make_mention(1, customer_po("PO")),
        make_mention(2, erp_key("S1"), customer_po("PO")),
        make_mention(3, erp_key("W1", "web_order"), customer_po("PO")),
    ]
    assert resolved_values(mentions) == {frozenset({"PO", "S1", "W1"})}


def test_event_that_names_only_a_shared_po_belongs_to_neither_order() -> None:
    mentions = [
        make_mention(1, customer_po("PO")),
        make_mention(2, erp_key("S1"), customer_po("PO")),
        make_mention(3, erp_key("S2"), customer_po("PO")),
    ]
    assert resolved_values(mentions) == {frozenset({"PO"}), frozenset({"S1"}), frozenset({"S2"})}


def test_equal_number_of_two_system_ids_joins_nothing() -> None:
    """An ERP or a shop that starts its numbering again."""
    mentions = [
        make_mention(1, erp_key("id-1", "source_id"), erp_key("S1")),
        make_mention(400, erp_key("id-2", "source_id"), erp_key("S1")),
    ]
    assert resolved_values(mentions) == {frozenset({"id-1"}), frozenset({"id-2"})}


def test_system_id_joins_a_renamed_order() -> None:
    mentions = [
        make_mention(1, erp_key("id-1", "source_id"), erp_key("S1")),
        make_mention(2, erp_key("id-1", "source_id"), erp_key("S1-R")),
    ]
    assert resolved_values(mentions) == {frozenset({"id-1", "S1", "S1-R"})}


def test_chain_of_weak_numbers_does_not_join_two_orders_of_one_erp() -> None:
    mentions = [
        make_mention(1, erp_key("S1"), customer_po("PO-1")),
        make_mention(2, erp_key("W1", "web_order"), customer_po("PO-1")),
        make_mention(3, erp_key("W1", "web_order"), customer_po("PO-2")),
        make_mention(4, erp_key("S2"), customer_po("PO-2")),
    ]
    assert not any({"S1", "S2"} <= values for values in resolved_values(mentions))


def test_person_may_join_two_orders_of_one_erp() -> None:
    join = make_decision(1, DecisionKind.JOIN, [erp_key("S1")], [erp_key("S2")])
    mentions = [
        make_mention(1, erp_key("S1"), customer_po("PO")),
        make_mention(2, erp_key("S2"), customer_po("PO")),
    ]
    assert resolved_values(mentions, [join]) == {frozenset({"PO", "S1", "S2"})}


def test_person_joins_numbers_that_no_event_names_together() -> None:
    join = make_decision(1, DecisionKind.JOIN, [permanent_key("A")], [permanent_key("B")])
    assert resolved_values(
        [make_mention(1, permanent_key("A")), make_mention(2, permanent_key("B"))], [join]
    ) == {frozenset({"A", "B"})}


def corrected(mention: Mention) -> Mention:
    """Return the same reference of an event that its source withdrew."""
    return replace(mention, is_corrected=True)


def test_corrected_mention_joins_nothing_and_stays_with_the_object_of_its_strongest_key() -> None:
    link = corrected(make_mention(3, permanent_key("A"), permanent_key("B")))
    mentions = [make_mention(1, permanent_key("A")), make_mention(2, permanent_key("B")), link]
    first, second = resolve_mentions(mentions, [], WINDOWS).objects
    assert (first.generations, second.generations) == (
        [(permanent_key("A"), 0)],
        [(permanent_key("B"), 0)],
    )
    assert link in first.mentions
    assert first.rejected_keys == set(), "another event names it"


def test_key_that_only_a_corrected_mention_names_identifies_nothing() -> None:
    link = corrected(make_mention(3, permanent_key("A"), permanent_key("B")))
    (group,) = resolve_mentions([link, make_mention(2, permanent_key("B"))], [], WINDOWS).objects
    assert group.generations == [(permanent_key("B"), 0)]
    assert group.rejected_keys == {permanent_key("A")}
    (alone,) = resolve_mentions([link], [], WINDOWS).objects
    assert alone.generations == [(permanent_key("A"), 0)]
    assert alone.rejected_keys == {permanent_key("B")}


def test_corrected_mention_neither_starts_nor_continues_a_generation() -> None:
    mentions = [make_mention(1, reused_key("4711")), make_mention(100, reused_key("4711"))]
    between = corrected(make_mention(50, reused_key("4711")))
    later = corrected(make_mention(300, reused_key("4711")))
    assert resolved_values([*mentions, between, later]) == {
        frozenset({"4711"}),
        frozenset({"47111"}),
    }


def test_person_joins_a_number_that_only_a_corrected_mention_names() -> None:
    join = make_decision(1, DecisionKind.JOIN, [permanent_key("A")], [permanent_key("B")])
    mentions = [make_mention(1, permanent_key("A")), corrected(make_mention(2, permanent_key("B")))]
    assert resolved_values(mentions, [join]) == {frozenset({"A", "B"})}


NUMBERS = [
    permanent_key("A"),
    permanent_key("B"),
    permanent_key("C"),
    reused_key("4711"),
    reused_key("4712"),
    erp_key("S1"),
    erp_key("S2"),
    erp_key("id-1", "source_id"),
    customer_po("PO"),
]
MENTIONS = st.lists(
    st.builds(
        lambda day, numbers, name: make_mention(day, *numbers, name=name),
        st.integers(0, 240),
        st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=3, unique=True),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda mention: mention.sort_key,
)
DECISIONS = st.lists(
    st.builds(
        lambda verdict, pair: (verdict, pair),
        st.sampled_from([DecisionKind.JOIN, DecisionKind.SPLIT, DecisionKind.DISTINCT]),
        st.lists(st.sampled_from(NUMBERS), min_size=2, max_size=2, unique=True),
    ),
    max_size=3,
)


@settings(max_examples=examples(300))
@given(MENTIONS, DECISIONS, st.randoms())
def test_order_of_arrival_does_not_change_the_objects(
    mentions: list[Mention], pairs: list[tuple[DecisionKind, list[IdentifierKey]]], random: object
) -> None:
    decisions = [make_decision(n, verdict, [a], [b]) for n, (verdict, (a, b)) in enumerate(pairs)]
    shuffled = list(mentions)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a Random
    first, second = (
        resolve_mentions(sequence, decisions, WINDOWS).objects for sequence in (mentions, shuffled)
    )
    assert [(g.generations, g.mentions, g.rejected_keys) for g in first] == [
        (g.generations, g.mentions, g.rejected_keys) for g in second
    ]


@settings(max_examples=examples(300))
@given(MENTIONS)
def test_no_weak_number_gives_an_order_two_numbers_of_one_erp(mentions: list[Mention]) -> None:
    for group in resolve_mentions(mentions, [], WINDOWS).objects:
        keys = {key for key, _ in group.generations}
        if not any(key[1] == "source_id" for key in keys):
            assert not {erp_key("S1"), erp_key("S2")} <= keys


@settings(max_examples=examples(300))
@given(MENTIONS, DECISIONS)
def test_each_mention_has_a_single_object_and_no_decision_is_violated(
    mentions: list[Mention], pairs: list[tuple[DecisionKind, list[IdentifierKey]]]
) -> None:
    decisions = [make_decision(n, verdict, [a], [b]) for n, (verdict, (a, b)) in enumerate(pairs)]
    solution = resolve_mentions(mentions, decisions, WINDOWS)
    resolved = [mention.ref_key for group in solution.objects for mention in group.mentions]
    assert sorted(resolved) == sorted(mention.ref_key for mention in mentions)
    for decision in decisions:
        if decision.kind is DecisionKind.JOIN:
            continue
        sides = [
            {
                (n, solution.generations[n].index_at(at))
                for n, at in side.keys
                if n in solution.generations
            }
            for side in decision.sides
        ]
        for group in solution.objects:
            assert not (sides[0] & set(group.generations) and sides[1] & set(group.generations))


@settings(max_examples=examples(300))
@given(MENTIONS, DECISIONS, st.data())
def test_corrected_mentions_do_not_change_the_objects_of_the_others(
    mentions: list[Mention],
    pairs: list[tuple[DecisionKind, list[IdentifierKey]]],
    data: st.DataObject,
) -> None:
    decisions = [make_decision(n, verdict, [a], [b]) for n, (verdict, (a, b)) in enumerate(pairs)]
    count = data.draw(st.integers(0, len(mentions) - 1))
    effective, superseded = mentions[count:], [corrected(mention) for mention in mentions[:count]]
    named = {key for mention in effective for key in mention.identity_keys}
    # A decision about a number that only corrected events name has an effect on these alone.
    decisions = [d for d in decisions if {key for side in d.sides for key, _ in side.keys} <= named]
    without, with_corrected = (
        {
            tuple(group.generations): [m for m in group.mentions if not m.is_corrected]
            for group in resolve_mentions(given, decisions, WINDOWS).objects
        }
        for given in (effective, [*superseded, *effective])
    )
    assert {key: named for key, named in with_corrected.items() if named} == without
