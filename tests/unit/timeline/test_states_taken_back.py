"""States that a later event takes back, holds that end one by one, and repeats that are shown."""

from dataclasses import replace

import pytest

from connectors.sdk.events import Flag
from tests.builders.recorded_events import at, ordered, reported, shipped
from tests.builders.timelines import folded
from visibility.sla.calendar import Calendar
from visibility.sla.rules.stuck_in_released import Params, StuckInReleased
from visibility.timeline import MilestoneCode, RecordedEvent, Status
from visibility.timeline.state_and_flag_enums import OrderState

ORDERED = ordered({"A": 4})
RELEASED = reported("erp", "order.released", at(3, 8))
REOPENED = reported("erp", "order.changed", at(3, 9), takes_back=["order.released", "order.held"])


@pytest.mark.parametrize("events", [[ORDERED, RELEASED, REOPENED], [REOPENED, RELEASED, ORDERED]])
def test_reopened_order_is_not_released_until_the_next_release(
    events: list[RecordedEvent],
) -> None:
    timeline = folded(*events)
    assert timeline.status is Status.RECEIVED
    assert OrderState.RELEASED not in timeline.states
    assert len(timeline.entries) == 3  # nothing is deleted
    assert list(StuckInReleased().clocks(timeline, Params(), Calendar())) == []
    released_later = folded(*events, reported("erp", "order.released", at(4, 8)))
    assert released_later.status is Status.RELEASED
    assert released_later.milestone_reached_at(MilestoneCode.RELEASED) == at(4, 8)


def test_only_the_source_that_reported_a_state_takes_it_back() -> None:
    by_shop = reported("shop", "order.changed", at(3, 9), takes_back=["order.released"])
    assert folded(ORDERED, RELEASED, by_shop).status is Status.RELEASED


def test_revived_order_is_no_longer_cancelled() -> None:
    cancelled = reported("shop", "order.cancelled", at(3))
    revived = reported("shop", "order.accepted", at(4), takes_back=["order.cancelled"])
    assert folded(ORDERED, cancelled).status is Status.CANCELLED
    timeline = folded(ORDERED, cancelled, revived, shipped({"A": 4}, at(5)))
    assert timeline.status is Status.SHIPPED
    assert OrderState.CONTRADICTION not in timeline.states


def test_each_hold_lasts_until_its_own_release() -> None:
    holds = [
        reported("shop", "order.held", at(3), scope="assignment 1", reason="fraud check"),
        reported("shop", "order.held", at(4), scope="assignment 2", reason="address"),
    ]
    timeline = folded(ORDERED, *holds)
    assert (timeline.on_hold_since, timeline.hold_reason) == (at(3), "fraud check, address")
    first_released = reported("shop", "order.hold_released", at(5), scope="assignment 1")
    timeline = folded(ORDERED, *holds, first_released, shipped({"A": 1}, at(6), source="shop"))
    assert (timeline.on_hold_since, timeline.hold_reason) == (at(4), "address")
    everything = reported("shop", "order.hold_released", at(7))
    assert folded(ORDERED, *holds, everything).on_hold_since is None


@pytest.mark.parametrize(
    "what", ["shipment.in_transit", "shipment.attempted", "payment.reminder_sent"]
)
def test_what_happens_again_is_shown_with_its_own_time(what: str) -> None:
    events = [reported("carrier", what, at(day), tracking="T1") for day in (4, 5, 6)]
    entries = folded(ORDERED, *events).entries[1:]
    assert [entry.recorded.occurred_at for entry in entries] == [at(4), at(5), at(6)]
    assert [entry.repeats for entry in entries] == [0, 0, 0]


def test_repeated_states_are_counted_on_one_entry() -> None:
    releases = [reported("erp", "order.released", at(day)) for day in (3, 4)]
    assert [entry.repeats for entry in folded(ORDERED, *releases).entries] == [0, 1]
    scans = [reported("shop", "shipment.in_transit", at(day), tracking="T1") for day in (4, 5)]
    as_of_report = [replace(s, event=replace(s.event, flags=(Flag.TIME_OF_REPORT,))) for s in scans]
    assert [entry.repeats for entry in folded(ORDERED, *as_of_report).entries] == [0, 1]
