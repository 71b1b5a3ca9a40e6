"""The swimlane layout: events stay inside, labels do not overlap, idle time is labeled."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from connectors.sdk.events import EventType
from tests.builders.recorded_events import at, ordered, reported, shipped
from tests.builders.timelines import LATER, folded
from visibility.screens.orders.swimlanes import (
    DATE_LABEL_WIDTH,
    LABEL_WIDTH,
    RIGHT_MARGIN,
    SwimlaneChart,
    layout_swimlanes,
)
from visibility.timeline import RecordedEvent

# Half the width of a date label at a font size of 12.
HALF_A_DATE = 40


def layout(*events: RecordedEvent, now: datetime = LATER) -> SwimlaneChart:
    chart = layout_swimlanes(folded(*events, as_of=now), titles={}, now=now, zone="UTC")
    assert chart is not None
    return chart


def promised(when: datetime) -> RecordedEvent:
    return ordered({"A": 5}, at(2), promised_at=when.isoformat())


def test_events_and_ticks_stay_inside_the_chart() -> None:
    chart = layout(promised(at(28)), reported("wms", EventType.PICK_COMPLETED, at(4)), now=at(5))
    assert RIGHT_MARGIN >= HALF_A_DATE
    assert max(tick.x for tick in chart.ticks) <= chart.width - RIGHT_MARGIN
    assert max(m.x for lane in chart.lanes for m in lane.markers) <= chart.width - RIGHT_MARGIN
    assert chart.lanes_bottom < chart.height


def test_first_day_is_labeled_and_dates_do_not_overlap() -> None:
    chart = layout(*(reported("wms", EventType.PICK_COMPLETED, at(day)) for day in range(2, 29)))
    days = [tick for tick in chart.ticks if tick.kind == "day"]
    assert days[0].label == "Mon, Mar 2"
    gaps = [after.x - before.x for before, after in pairwise(days)]
    assert gaps
    assert min(gaps) > DATE_LABEL_WIDTH


def test_labels_of_close_now_and_promise_are_on_opposite_sides() -> None:
    # The more events there are, the narrower an hour is.
    hours = [at(day, hour) for day in range(3, 9) for hour in range(24)]
    picked = [reported("wms", EventType.PICK_COMPLETED, when, detail=str(when)) for when in hours]
    chart = layout(promised(at(9)), *picked, now=at(9, 11))
    now, promise = (next(t for t in chart.ticks if t.kind == kind) for kind in ("now", "promise"))
    assert promise.x - now.x < LABEL_WIDTH
    assert (now.anchor, promise.anchor) == ("end", "start")


def test_labels_of_distant_now_and_promise_are_centered() -> None:
    chart = layout(promised(at(28)), now=at(3))
    labels = [tick for tick in chart.ticks if tick.kind != "day"]
    assert [tick.anchor for tick in labels] == ["middle", "middle"]


def test_idle_time_is_labeled_but_future_time_is_not() -> None:
    chart = layout(promised(at(28)), shipped({"A": 5}, at(12, 15)), now=at(12, 16))
    assert [gap.label for gap in chart.idle_spans] == ["No activity for 10 d"]
    assert (
        chart.idle_spans[0].left
        < chart.idle_spans[0].x
        < chart.idle_spans[0].left + chart.idle_spans[0].width
    )


def test_short_gaps_are_not_idle_time() -> None:
    first = datetime(2026, 3, 2, 12, tzinfo=UTC)
    steps = [first + timedelta(hours=hours) for hours in range(0, 12, 2)]
    chart = layout(
        *(reported("wms", EventType.PICK_COMPLETED, when) for when in steps), now=steps[-1]
    )
    assert chart.idle_spans == ()
