"""The fold depends only on the set of events, not on their order of arrival or repetition."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.catalog import connectors_by_slug
from connectors.sdk.connector import RawMessage, SourceRole
from connectors.sdk.event_codec import sha256_hex, to_canonical_json
from connectors.sdk.events import Measure
from tests.builders.web_order import (
    SHOP_ORDER,
    SOURCES,
    SampleMessage,
    json_message,
    web_order_messages,
)
from tests.effort import examples
from visibility.timeline import MilestoneCode, RecordedEvent, Status, fold

LATER = datetime(2026, 4, 1, tzinfo=UTC)
RECEIVED = datetime(2026, 3, 10, tzinfo=UTC)


def recorded_events(messages: Sequence[SampleMessage]) -> list[RecordedEvent]:
    """Parse the messages with their connectors, as if all of them named one order."""
    events = []
    for number, message in enumerate(messages):
        connector, role, config = SOURCES[message.source]
        system = connectors_by_slug()[connector]({**config, "source": message.source})
        parsed = system.parse(RawMessage(message.body, message.headers, RECEIVED))
        assert parsed.events, (message.source, parsed.ignored, parsed.errors)
        for event in parsed.events:
            kinds = [ref.kind.value for ref in event.objects]
            events.append(
                RecordedEvent(
                    event=event,
                    source=message.source,
                    role=SourceRole(role),
                    occurred_at=event.occurred_at or RECEIVED,
                    received_at=RECEIVED + timedelta(seconds=number),
                    content_hash=sha256_hex(to_canonical_json(event)),
                    object_keys=tuple(
                        f"{ref.kind.value}:{ref.identifiers[0].value}" for ref in event.objects
                    ),
                    order_index=kinds.index("order") if "order" in kinds else -1,
                )
            )
    return events


EVENTS = recorded_events(web_order_messages())
EXPECTED = fold(EVENTS, key="SO-104711", as_of=LATER)


def test_order_history_folds_to_a_completed_order() -> None:
    assert EXPECTED.status is Status.COMPLETED
    assert [line.sku for line in EXPECTED.lines] == ["A-1", "B-2"]
    assert EXPECTED.milestone_completed_at(MilestoneCode.SHIPPED) == datetime(
        2026, 3, 4, 10, tzinfo=UTC
    )
    assert EXPECTED.milestone_completed_at(MilestoneCode.DELIVERED) == datetime(
        2026, 3, 6, 16, tzinfo=UTC
    )
    assert [s.status for s in EXPECTED.shipments] == ["delivered", "delivered"]


@settings(max_examples=examples(300))
@given(st.permutations(EVENTS), st.lists(st.sampled_from(EVENTS), max_size=20))
def test_any_order_and_any_repetition_give_the_same_timeline(
    shuffled: list[RecordedEvent], repeated: list[RecordedEvent]
) -> None:
    timeline = fold([*shuffled, *repeated], key="SO-104711", as_of=LATER)
    assert timeline == EXPECTED


@settings(max_examples=examples(100))
@given(st.sets(st.sampled_from(range(len(EVENTS)))), st.randoms())
def test_any_subset_gives_the_same_timeline_in_any_order(indexes: set[int], random: object) -> None:
    events = [EVENTS[i] for i in sorted(indexes)]
    shuffled = list(events)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a Random
    first = fold(events, key="k", as_of=LATER)
    assert fold(shuffled + shuffled, key="k", as_of=LATER) == first


def test_repeated_event_counts_as_first_received_in_either_order() -> None:
    repeats = [replace(e, received_at=e.received_at + timedelta(days=1)) for e in EVENTS]
    timeline = fold([*EVENTS, *repeats], key="SO-104711", as_of=LATER)
    assert fold([*repeats, *EVENTS], key="SO-104711", as_of=LATER) == timeline == EXPECTED


def test_delivery_of_some_packages_is_partial() -> None:
    events = recorded_events([m for m in web_order_messages() if b"trk_a2" not in m.body])
    timeline = fold(events, key="SO-104711", as_of=LATER)
    assert timeline.status is Status.PARTIALLY_DELIVERED
    assert timeline.milestones[MilestoneCode.DELIVERED].completed_at is None


def test_timeline_as_of_a_past_moment_ignores_later_events() -> None:
    early = fold(EVENTS, key="SO-104711", as_of=datetime(2026, 3, 3, 16, tzinfo=UTC))
    assert early.status is Status.PARTIALLY_SHIPPED
    assert early.milestone_reached_at(MilestoneCode.DELIVERED) is None


def test_known_at_ignores_events_received_later() -> None:
    early = fold(EVENTS, key="SO-104711", as_of=LATER, known_at=RECEIVED + timedelta(seconds=2))
    assert early.status is Status.RELEASED


def test_lines_of_the_same_item_stay_separate() -> None:
    """Line ids in the order message separate them, even if only one of them is shipped."""
    order_message = json_message(
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
    fulfillment_message = json_message(
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
    timeline = fold(recorded_events([fulfillment_message, order_message]), key="#4711", as_of=LATER)
    quantities = [
        (x.quantity(Measure.ORDERED), x.quantity(Measure.SHIPPED)) for x in timeline.lines
    ]
    assert quantities == [(Decimal(5), Decimal(0)), (Decimal(2), Decimal(2))]


def test_order_known_only_from_an_invoice_has_status_unknown() -> None:
    (invoice,) = recorded_events([m for m in web_order_messages() if m.source == "finance"])
    assert fold([invoice], key="k", as_of=LATER).status is Status.UNKNOWN
