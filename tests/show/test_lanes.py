"""The swimlanes: everything inside the drawing, words beside each other, quiet stretches named."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from connectors.sdk.events import EventType
from tests.show.told import THE_THIRTIETH, at, ordered, shipped, tell, timeline
from visibility.screens.orders.swimlanes import DATE, RIGHT, WORD, Lanes, lanes
from visibility.timeline import Spoken

# Half of a date of twelve pixels' letters.
HALF_A_DATE = 40


def drawn(*events: Spoken, now: datetime = THE_THIRTIETH) -> Lanes:
    found = lanes(timeline(events, as_of=now), titles={}, now=now, zone="UTC")
    assert found is not None
    return found


def promised(when: datetime) -> Spoken:
    return ordered({"A": 5}, at(2), promised_at=when.isoformat())


def test_nothing_that_was_told_stands_outside_of_the_drawing() -> None:
    found = drawn(promised(at(28)), tell("wms", EventType.PICK_COMPLETED, at(4)), now=at(5))
    assert RIGHT >= HALF_A_DATE
    assert max(tick.x for tick in found.ticks) <= found.width - RIGHT
    assert max(m.x for lane in found.lanes for m in lane.marks) <= found.width - RIGHT
    assert found.foot < found.height


def test_the_first_day_is_named_and_no_two_dates_run_into_each_other() -> None:
    found = drawn(*(tell("wms", EventType.PICK_COMPLETED, at(day)) for day in range(2, 29)))
    days = [tick for tick in found.ticks if tick.kind == "day"]
    assert days[0].label == "Mon 2 Mar"
    gaps = [after.x - before.x for before, after in pairwise(days)]
    assert gaps
    assert min(gaps) > DATE


def test_now_and_a_promise_of_the_same_hour_stand_on_two_sides() -> None:
    # The more was told, the closer together an hour's ends are.
    hours = [at(day, hour) for day in range(3, 9) for hour in range(24)]
    picked = [tell("wms", EventType.PICK_COMPLETED, when, detail=str(when)) for when in hours]
    found = drawn(promised(at(9)), *picked, now=at(9, 11))
    now, promise = (next(t for t in found.ticks if t.kind == kind) for kind in ("now", "promise"))
    assert promise.x - now.x < WORD
    assert (now.anchor, promise.anchor) == ("end", "start")


def test_now_and_a_promise_far_away_stand_in_the_middle() -> None:
    found = drawn(promised(at(28)), now=at(3))
    words = [tick for tick in found.ticks if tick.kind != "day"]
    assert [tick.anchor for tick in words] == ["middle", "middle"]


def test_a_stretch_without_a_word_is_named_and_the_time_to_come_is_not_one() -> None:
    found = drawn(promised(at(28)), shipped({"A": 5}, at(12, 15)), now=at(12, 16))
    assert [gap.label for gap in found.quiet] == ["10 d 3 h quiet"]
    assert found.quiet[0].left < found.quiet[0].x < found.quiet[0].left + found.quiet[0].width


def test_an_hour_is_not_quiet() -> None:
    first = datetime(2026, 3, 2, 12, tzinfo=UTC)
    steps = [first + timedelta(hours=hours) for hours in range(0, 12, 2)]
    found = drawn(*(tell("wms", EventType.PICK_COMPLETED, when) for when in steps), now=steps[-1])
    assert found.quiet == ()
