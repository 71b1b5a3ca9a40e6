"""The fold depends on the set of what was said: no order of arrival, no repetition changes it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.catalog import systems
from connectors.sdk.connector import Message, Role
from connectors.sdk.events import Measure, content_hash
from tests.cast import SHOP_ORDER, SOURCES, Said, said, story
from visibility.timeline import MilestoneCode, Spoken, Status, fold

LATER = datetime(2026, 4, 1, tzinfo=UTC)
RECEIVED = datetime(2026, 3, 10, tzinfo=UTC)


def spoken(messages: Sequence[Said]) -> list[Spoken]:
    """What the connectors make of the messages, as if all named one order."""
    found = []
    for number, message in enumerate(messages):
        connector, role, config = SOURCES[message.source]
        system = systems()[connector]({**config, "source": message.source})
        parsed = system.parse(Message(message.body, message.headers, RECEIVED))
        assert parsed.events, (message.source, parsed.ignored, parsed.problems)
        for event in parsed.events:
            kinds = [ref.kind.value for ref in event.objects]
            found.append(
                Spoken(
                    event=event,
                    source=message.source,
                    role=Role(role),
                    occurred_at=event.occurred_at or RECEIVED,
                    received_at=RECEIVED + timedelta(seconds=number),
                    content_hash=content_hash(event),
                    objects=tuple(
                        f"{ref.kind.value}:{ref.identifiers[0].value}" for ref in event.objects
                    ),
                    order=kinds.index("order") if "order" in kinds else -1,
                )
            )
    return found


STORY = spoken(story())
TRUTH = fold(STORY, key="SO-104711", as_of=LATER)


def test_the_story_is_told_whole() -> None:
    assert TRUTH.status is Status.COMPLETED
    assert [line.sku for line in TRUTH.lines] == ["A-1", "B-2"]
    assert TRUTH.completed(MilestoneCode.SHIPPED) == datetime(2026, 3, 4, 10, tzinfo=UTC)
    assert TRUTH.completed(MilestoneCode.DELIVERED) == datetime(2026, 3, 6, 16, tzinfo=UTC)
    assert [s.status for s in TRUTH.shipments] == ["delivered", "delivered"]


@settings(max_examples=300, deadline=None)
@given(st.permutations(STORY), st.lists(st.sampled_from(STORY), max_size=20))
def test_any_order_and_any_repetition_fold_to_the_same_timeline(
    shuffled: list[Spoken], repeated: list[Spoken]
) -> None:
    told = fold([*shuffled, *repeated], key="SO-104711", as_of=LATER)
    assert told == TRUTH


@settings(max_examples=100, deadline=None)
@given(st.sets(st.sampled_from(range(len(STORY)))), st.randoms())
def test_any_part_of_the_story_folds_the_same_in_any_order(part: set[int], random: object) -> None:
    heard = [STORY[i] for i in sorted(part)]
    shuffled = list(heard)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a Random
    first = fold(heard, key="k", as_of=LATER)
    assert fold(shuffled + shuffled, key="k", as_of=LATER) == first


def test_the_same_words_in_two_messages_count_as_first_received_whichever_is_read_first() -> None:
    again = [replace(one, received_at=one.received_at + timedelta(days=1)) for one in STORY]
    told = fold([*STORY, *again], key="SO-104711", as_of=LATER)
    assert fold([*again, *STORY], key="SO-104711", as_of=LATER) == told == TRUTH


def test_half_the_parcels_is_half_the_delivery() -> None:
    half = spoken([m for m in story() if b"trk_a2" not in m.body])
    timeline = fold(half, key="SO-104711", as_of=LATER)
    assert timeline.status is Status.PARTIALLY_DELIVERED
    assert timeline.milestones[MilestoneCode.DELIVERED].completed_at is None


def test_a_moment_in_the_past_knows_nothing_of_what_came_after() -> None:
    early = fold(STORY, key="SO-104711", as_of=datetime(2026, 3, 3, 16, tzinfo=UTC))
    assert early.status is Status.PARTIALLY_SHIPPED
    assert early.when(MilestoneCode.DELIVERED) is None


def test_what_was_heard_later_was_not_known_then() -> None:
    early = fold(STORY, key="SO-104711", as_of=LATER, known_at=RECEIVED + timedelta(seconds=2))
    assert early.status is Status.RELEASED


def test_two_lines_of_one_article_stay_two() -> None:
    """Told apart by the ids in the order's own message, also where only one of them moves."""
    first = said(
        "shop",
        {
            **SHOP_ORDER,
            "line_items": [
                {"id": 11, "sku": "A-1", "quantity": 5, "price": "12.30"},
                {"id": 12, "sku": "A-1", "quantity": 2, "price": "11.00"},
            ],
        },
        x_shopify_topic="orders/create",
    )
    sent = said(
        "shop",
        {
            "id": 77,
            "order_id": SHOP_ORDER["id"],
            "status": "success",
            "created_at": "2026-03-03T09:00:00-06:00",
            "updated_at": "2026-03-03T09:00:00-06:00",
            "line_items": [{"id": 12, "sku": "A-1", "quantity": 2, "price": "11.00"}],
        },
        x_shopify_topic="fulfillments/create",
    )
    timeline = fold(spoken([sent, first]), key="#4711", as_of=LATER)
    told = [(line.get(Measure.ORDERED), line.get(Measure.SHIPPED)) for line in timeline.lines]
    assert told == [(Decimal(5), Decimal(0)), (Decimal(2), Decimal(2))]


def test_an_order_known_from_its_bill_alone_is_not_received() -> None:
    (bill,) = spoken([m for m in story() if m.source == "finance"])
    assert fold([bill], key="k", as_of=LATER).status is Status.UNKNOWN
