"""The swimlanes: events stay inside, no label covers another, what is owed is on its lane."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from connectors.sdk.connector import SourceRole
from connectors.sdk.events import EventType
from tests.builders.recorded_events import at, ordered, reported, shipped
from tests.builders.timelines import LATER, folded
from visibility.screens.orders.expected_steps import ExpectedStep, slack_text
from visibility.screens.orders.people_on_order import TeamEntry
from visibility.screens.orders.source_reports import SourceReport
from visibility.screens.orders.swimlane_axis import CAP_WIDTH, DATE_LABEL_WIDTH, TRACK_WIDTH
from visibility.screens.orders.swimlane_bars import deviation_text
from visibility.screens.orders.swimlane_labels import (
    LABEL_GAP,
    RADIUS,
    Marker,
    label_width,
    position_labels,
    stack_close_markers,
)
from visibility.screens.orders.swimlanes import (
    LaneContents,
    Swimlane,
    SwimlaneChart,
    Zoom,
    layout_swimlanes,
)
from visibility.timeline import RecordedEvent

WMS = SourceReport("Dallas", SourceRole.WMS, at(1))
OWED = ExpectedStep("ship confirmation", at(6), "Mar 6, 12:00", ("wms",), SourceRole.WMS, True)


def layout(
    *events: RecordedEvent,
    now: datetime = LATER,
    steps: Sequence[ExpectedStep] = (),
    team: Sequence[TeamEntry] = (),
    wms: SourceReport = WMS,
    zoom: Zoom = Zoom.FIT,
) -> SwimlaneChart:
    timeline = folded(*events, as_of=now)
    contents = LaneContents(timeline, {"wms": wms}, steps, team, now, "UTC")
    chart = layout_swimlanes(contents, zoom=zoom)
    assert chart is not None
    return chart


def lane(chart: SwimlaneChart, title: str) -> Swimlane:
    return next(each for each in chart.lanes if each.title == title)


def promised(when: datetime) -> RecordedEvent:
    return ordered({"A": 5}, at(2), promised_at=when.isoformat())


def test_events_and_lines_stay_inside_the_track() -> None:
    chart = layout(promised(at(28)), reported("wms", EventType.PICK_COMPLETED, at(4)), now=at(5))
    positions = [tick.x for tick in chart.ticks]
    positions += [m.x for each in chart.lanes for m in each.markers]
    assert min(positions) > 0
    assert max(positions) < 100


def test_first_day_is_labeled_and_dates_do_not_overlap() -> None:
    chart = layout(*(reported("wms", EventType.PICK_COMPLETED, at(day)) for day in range(2, 29)))
    days = [tick for tick in chart.ticks if tick.kind == "day"]
    assert days[0].label == "Mon, Mar 2"
    gaps = [(after.x - before.x) * TRACK_WIDTH / 100 for before, after in pairwise(days)]
    assert gaps
    assert min(gaps) >= DATE_LABEL_WIDTH - 1


def test_labels_of_close_now_and_promise_are_on_opposite_sides() -> None:
    hours = [at(day, hour) for day in range(3, 9) for hour in range(24)]
    picked = [reported("wms", EventType.PICK_COMPLETED, when, detail=str(when)) for when in hours]
    chart = layout(promised(at(9)), *picked, now=at(9, 11))
    now, promise = (next(t for t in chart.ticks if t.kind == kind) for kind in ("now", "promise"))
    assert abs(promise.x - now.x) * TRACK_WIDTH / 100 < CAP_WIDTH
    assert now.anchor != promise.anchor


def test_idle_time_is_labeled_but_future_time_is_not() -> None:
    chart = layout(promised(at(28)), shipped({"A": 5}, at(12, 15)), now=at(12, 16))
    assert [gap.label for gap in chart.idle_spans] == ["No activity for 10 d"]


def test_short_gaps_are_not_idle_time() -> None:
    first = datetime(2026, 3, 2, 12, tzinfo=UTC)
    steps = [first + timedelta(hours=hours) for hours in range(0, 12, 2)]
    events = [reported("wms", EventType.PICK_COMPLETED, when) for when in steps]
    assert layout(*events, now=steps[-1]).idle_spans == ()


def test_no_label_covers_another_marker_or_label() -> None:
    names = ["Released to the warehouse", "Picked", "Shipped", "In transit", "Out for delivery"]
    markers = [
        Marker(20 + 75.0 * n + 5 * (n % 3), names[n % 5], names[n % 5], "ok") for n in range(12)
    ]
    placed = position_labels(stack_close_markers(markers), width=940)
    intervals = [(m.x - RADIUS, m.x + RADIUS) for m in placed]
    for marker in placed:
        length = label_width(marker.label)
        if marker.side == "right":
            intervals.append((marker.x + LABEL_GAP, marker.x + LABEL_GAP + length))
        elif marker.side == "left":
            intervals.append((marker.x - LABEL_GAP - length, marker.x - LABEL_GAP))
    assert {m.side for m in placed} >= {"right", "hidden"}
    assert all(before[1] <= after[0] for before, after in pairwise(sorted(intervals)))
    assert all(left >= 0 and right <= 940 for left, right in intervals)
    assert all(m.name for m in placed)


def test_label_flips_to_the_left_at_the_right_edge() -> None:
    (marker,) = position_labels([Marker(900.0, "Out for delivery", "", "ok")], width=940)
    assert marker.side == "left"


def test_close_markers_are_stacked_with_a_count_and_every_name() -> None:
    near = [Marker(100.0, "Picked", "Picked", "ok"), Marker(110.0, "Packed", "Packed", "ok")]
    (stacked,) = stack_close_markers(near)
    assert (stacked.count, stacked.label, stacked.name) == (2, "Picked, packed", "Picked; Packed")


def test_overdue_step_is_outlined_on_the_lane_that_owes_it() -> None:
    picked = reported("wms", EventType.PICK_COMPLETED, at(4))
    chart = layout(promised(at(28)), picked, now=at(8), steps=[OWED])
    (owed,) = [m for m in lane(chart, "Dallas").markers if m.kind == "expected"]
    assert (owed.label, owed.detail) == ("Ship confirmation", "due Mar 6, 12:00, not received")
    assert owed.tone == "late"
    assert owed.x + owed.width <= 100


def test_overdue_step_of_a_silent_source_is_unknown_and_its_lane_is_hatched() -> None:
    silent = replace(WMS, silent_since=at(5))
    owed = replace(OWED, silence="Dallas silent since Thu, Mar 5, 12:00")
    picked = reported("wms", EventType.PICK_COMPLETED, at(4))
    chart = layout(promised(at(28)), picked, now=at(8), steps=[owed], wms=silent)
    dallas = lane(chart, "Dallas")
    assert dallas.update == "silent since Mar 5, 12:00"
    assert dallas.silent is not None
    assert next(m.tone for m in dallas.markers if m.kind == "expected") == "unknown"


def test_source_that_has_not_reported_gets_a_lane_for_what_it_owes() -> None:
    chart = layout(promised(at(28)), now=at(8), steps=[OWED])
    assert lane(chart, "Dallas").update == "no update yet"


def test_people_have_a_lane_and_the_last_day_shows_only_its_events() -> None:
    note = TeamEntry(at(7), "Note", "Customer called", "Ana", "waiting", "#note-1", is_note=True)
    events = (promised(at(28)), reported("wms", EventType.PICK_COMPLETED, at(4)))
    chart = layout(*events, now=at(7, 20), team=[note], zoom=Zoom.LAST_DAY)
    assert lane(chart, "Your team").markers[0].label == "Ana: Customer called"
    assert [m.name for each in chart.lanes for m in each.markers] == ["Ana: Note: Customer called"]


def test_exceptions_show_only_problems() -> None:
    events = (ordered({"A": 5}), reported("wms", EventType.LINE_BACKORDERED, at(4)))
    chart = layout(*events, now=at(5), zoom=Zoom.EXCEPTIONS)
    assert [m.name for each in chart.lanes for m in each.markers] == ["Line back-ordered"]


@pytest.mark.parametrize(
    ("planned", "actual", "text"),
    [
        (at(5, 0), at(5, 23), "on time"),
        (at(5, 0), at(6, 1), "1 day late"),
        (at(5, 12), at(5, 15), "3 h late"),
        (at(5, 12), at(4, 12), "1 day early"),
    ],
)
def test_deviation_from_the_plan_in_words(planned: datetime, actual: datetime, text: str) -> None:
    assert deviation_text(planned, actual, "UTC")[0] == text


@pytest.mark.parametrize(
    ("due", "text"),
    [
        (at(5, 14.25), ("in 2 h 15 min", False)),
        (at(5, 7), ("5 h overdue", True)),
        (at(5, 0), ("due today", False)),
        (at(4, 0), ("1 day overdue", True)),
        (None, ("", False)),
    ],
)
def test_slack_text(due: datetime | None, text: tuple[str, bool]) -> None:
    assert slack_text(due, now=at(5, 12), zone="UTC") == text


def test_card_of_a_marker_has_event_status_source_and_times() -> None:
    late = reported("wms", EventType.PICK_COMPLETED, at(4), raw="PICKED-99", received=at(4, 15.5))
    (marker,) = lane(layout(late, now=at(5)), "Dallas").markers
    assert marker.card == (
        "Picked, Dallas",
        "Status text from the source: PICKED-99",
        "Occurred Wed, Mar 4, 12:00",
        "Received Wed, Mar 4, 15:30",
    )


def test_card_of_many_events_says_how_many_it_does_not_list() -> None:
    events = [Marker(1.0, "Scan", "Scan", "running", card=(f"Scan {n}",)) for n in range(9)]
    (marker,) = stack_close_markers(events)
    assert marker.card == (*(f"Scan {n}" for n in range(6)), "and 3 more")
