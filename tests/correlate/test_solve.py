"""Who is who depends on the set of what was said and decided, never on the order of arrival."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from visibility.identity.pure.keys import Number, Periods
from visibility.identity.pure.resolution import Act, Mention, Side, Verdict, solve

START = datetime(2026, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)
PERIODS = Periods({("wms", "order_number"): 60 * DAY})


def own(value: str) -> Number:
    """A number that is never used again."""
    return ("order", "sales_order", "erp", value)


def again(value: str) -> Number:
    """A number that the warehouse uses again after 60 days."""
    return ("order", "order_number", "wms", value)


def said(day: int, *numbers: Number, name: int = 0) -> Mention:
    """One reference of an event of its own."""
    at = START + day * DAY
    return Mention((hash((day, numbers, name)), 0), (at, "s", str(numbers), "h", name), numbers)


def decided(act_id: int, verdict: Verdict, left: Sequence[Number], right: Sequence[Number]) -> Act:
    """A standing act."""
    sides = [Side(tuple((n, START) for n in side)) for side in (left, right)]
    return Act(act_id, verdict, (sides[0], sides[1]))


def grouped(mentions: Sequence[Mention], acts: Sequence[Act] = ()) -> set[frozenset[str]]:
    """The objects, each as the set of the numbers' uses that name it."""
    return {
        frozenset(f"{number[3]}{part or ''}" for number, part in group.uses)
        for group in solve(mentions, acts, PERIODS).groups
    }


def test_numbers_seen_together_are_one() -> None:
    assert grouped([said(1, own("A")), said(2, own("B")), said(3, own("A"), own("B"))]) == {
        frozenset({"A", "B"})
    }


def test_a_long_silence_begins_another_use_of_a_recycled_number_alone() -> None:
    told = [
        said(1, again("4711")),
        said(100, again("4711")),
        said(1, own("A")),
        said(300, own("A")),
    ]
    assert grouped(told) == {frozenset({"4711"}), frozenset({"47111"}), frozenset({"A"})}


def test_exactly_the_period_is_no_silence_yet() -> None:
    assert grouped([said(0, again("4711")), said(60, again("4711"))]) == {frozenset({"4711"})}
    assert len(grouped([said(0, again("4711")), said(61, again("4711"))])) == 2


def test_a_late_word_bridges_two_uses() -> None:
    told = [said(1, again("4711")), said(100, again("4711"))]
    assert grouped([*told, said(50, again("4711"))]) == {frozenset({"4711"})}


def test_another_number_carries_an_order_over_a_silence() -> None:
    told = [said(1, again("4711"), own("A")), said(100, again("4711"), own("A"))]
    assert grouped(told) == {frozenset({"4711", "47111", "A"})}


def test_a_split_parts_what_an_event_had_joined_and_the_event_stays() -> None:
    told = [said(1, own("A")), said(2, own("B")), said(3, own("A"), own("B"))]
    split = decided(1, Verdict.SPLIT, [own("A")], [own("B")])
    groups = {group.uses[0][0][3]: group for group in solve(told, [split], PERIODS).groups}
    assert [len(groups[name].mentions) for name in ("A", "B")] == [2, 1]
    assert groups["A"].refused == {own("B")}


def test_what_was_split_is_not_joined_again_through_a_third_number() -> None:
    split = decided(1, Verdict.SPLIT, [own("A")], [own("B")])
    told = [said(1, own("A")), said(2, own("B")), said(3, own("B"), own("C"))]
    told.append(said(4, own("A"), own("C")))
    assert grouped(told, [split]) == {frozenset({"A"}), frozenset({"B", "C"})}


def test_people_join_what_no_event_names_together() -> None:
    join = decided(1, Verdict.JOIN, [own("A")], [own("B")])
    assert grouped([said(1, own("A")), said(2, own("B"))], [join]) == {frozenset({"A", "B"})}


NUMBERS = [own("A"), own("B"), own("C"), again("4711"), again("4712")]
MENTIONS = st.lists(
    st.builds(
        lambda day, numbers, name: said(day, *numbers, name=name),
        st.integers(0, 240),
        st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=3, unique=True),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda mention: mention.rank,
)
ACTS = st.lists(
    st.builds(
        lambda verdict, pair: (verdict, pair),
        st.sampled_from([Verdict.JOIN, Verdict.SPLIT, Verdict.DISTINCT]),
        st.lists(st.sampled_from(NUMBERS), min_size=2, max_size=2, unique=True),
    ),
    max_size=3,
)


@settings(max_examples=300, deadline=None)
@given(MENTIONS, ACTS, st.randoms())
def test_any_order_of_arrival_gives_the_same_objects(
    mentions: list[Mention], pairs: list[tuple[Verdict, list[Number]]], random: object
) -> None:
    acts = [decided(n, verdict, [a], [b]) for n, (verdict, (a, b)) in enumerate(pairs)]
    shuffled = list(mentions)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a Random
    one, other = (solve(told, acts, PERIODS).groups for told in (mentions, shuffled))
    assert [(g.uses, g.mentions, g.refused) for g in one] == [
        (g.uses, g.mentions, g.refused) for g in other
    ]


@settings(max_examples=300, deadline=None)
@given(MENTIONS, ACTS)
def test_every_mention_is_of_one_object_and_no_act_is_broken(
    mentions: list[Mention], pairs: list[tuple[Verdict, list[Number]]]
) -> None:
    acts = [decided(n, verdict, [a], [b]) for n, (verdict, (a, b)) in enumerate(pairs)]
    solution = solve(mentions, acts, PERIODS)
    placed = [mention.place for group in solution.groups for mention in group.mentions]
    assert sorted(placed) == sorted(mention.place for mention in mentions)
    for act in acts:
        if act.verdict is Verdict.JOIN:
            continue
        sides = [
            {(n, solution.uses[n].at(at)) for n, at in side.numbers if n in solution.uses}
            for side in act.sides
        ]
        for group in solution.groups:
            assert not (sides[0] & set(group.uses) and sides[1] & set(group.uses))
