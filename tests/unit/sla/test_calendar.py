"""Working time across nights, weekends, holidays and DST changes."""

from datetime import UTC, datetime, timedelta

import pytest

from visibility.sla.calendar import DAYS, Calendar, InvalidCalendar, NeverOpen

pytestmark = pytest.mark.calendar

WEEK = {
    day: [("08:00", "12:00"), ("13:00", "17:00")] for day in ("mon", "tue", "wed", "thu", "fri")
}
DALLAS = Calendar("America/Chicago", WEEK)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("start", "hours", "due"),
    [
        ("2026-03-04T09:00-06:00", 2, "2026-03-04T11:00-06:00"),
        ("2026-03-04T11:30-06:00", 1, "2026-03-04T13:30-06:00"),
        ("2026-03-04T16:30-06:00", 1, "2026-03-05T08:30-06:00"),
        ("2026-03-06T16:30-06:00", 1, "2026-03-09T08:30-05:00"),  # the clocks change on Sunday
        ("2026-03-07T03:00-06:00", 1, "2026-03-09T09:00-05:00"),
        ("2026-03-04T09:00-06:00", 8, "2026-03-05T09:00-06:00"),
    ],
)
def test_working_hours_are_added(start: str, hours: int, due: str) -> None:
    assert DALLAS.add_working_time(at(start), timedelta(hours=hours)) == at(due)


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("2026-03-04T09:00-06:00", "2026-03-04T11:00-06:00", 2),
        ("2026-03-04T11:30-06:00", "2026-03-04T13:30-06:00", 1),
        ("2026-03-04T16:30-06:00", "2026-03-05T07:59-06:00", 0.5),
        ("2026-03-06T16:00-06:00", "2026-03-09T09:00-05:00", 2),  # the clocks change on Sunday
        ("2026-03-07T03:00-06:00", "2026-03-08T23:00-05:00", 0),
        ("2026-03-02T00:00-06:00", "2026-03-14T00:00-05:00", 80),
    ],
)
def test_working_time_between_two_moments(start: str, end: str, hours: float) -> None:
    assert DALLAS.working_time_between(at(start), at(end)) == timedelta(hours=hours)


def test_working_time_is_unknown_without_hours_or_over_a_very_long_time() -> None:
    start = at("2026-03-04T09:00-06:00")
    assert Calendar("UTC", {}).working_time_between(start, start + timedelta(days=1)) is None
    assert DALLAS.working_time_between(start, start + timedelta(days=500)) is None


def test_holidays_are_closed() -> None:
    calendar = Calendar("America/Chicago", WEEK, country="US")
    due = calendar.add_working_time(
        at("2026-11-25T16:00-06:00"), timedelta(hours=2)
    )  # before Thanksgiving
    assert due == at("2026-11-27T09:00-06:00")


def test_adding_hours_one_by_one_equals_adding_them_at_once() -> None:
    start = step = at("2026-03-03T10:07-06:00")
    for hours in range(1, 60):
        step = DALLAS.add_working_time(step, timedelta(hours=1))
        assert DALLAS.add_working_time(start, timedelta(hours=hours)) == step


def test_calendar_without_working_hours_is_an_error() -> None:
    with pytest.raises(NeverOpen):
        Calendar("UTC", {}).add_working_time(at("2026-03-03T10:00+00:00"), timedelta(hours=1))


def test_more_hours_than_the_calendar_has_is_an_error() -> None:
    with pytest.raises(NeverOpen, match="too few"):
        DALLAS.add_working_time(at("2026-03-03T10:00-06:00"), timedelta(hours=9000))


def test_invalid_hours_fail_validation() -> None:
    DALLAS.validate()
    with pytest.raises(InvalidCalendar, match="'mon'"):
        Calendar("UTC", {"mon": [("08:00", "noon")]}).validate()


@pytest.mark.parametrize(
    ("spans", "sentence"),
    [
        ([("08:00", "12:00"), ("11:00", "17:00")], "overlap"),
        ([("08:00", "17:00"), ("09:00", "10:00")], "overlap"),
        ([("08:00", "08:00")], "open before they close"),
        ([("24:00", "24:00")], "open before they close"),
    ],
)
def test_hours_with_two_readings_are_refused_in_words(
    spans: list[tuple[str, str]], sentence: str
) -> None:
    with pytest.raises(InvalidCalendar, match=f"'wed'.*{sentence}"):
        Calendar("UTC", {"wed": spans}).validate()


def test_hours_out_of_order_count_like_sorted_ones() -> None:
    shuffled = Calendar("America/Chicago", {day: spans[::-1] for day, spans in WEEK.items()})
    shuffled.validate()
    start = at("2026-03-04T07:00-06:00")
    for hours in range(1, 12):
        due = DALLAS.add_working_time(start, timedelta(hours=hours))
        assert shuffled.add_working_time(start, timedelta(hours=hours)) == due


def test_hours_across_midnight_as_two_pairs_have_no_hole() -> None:
    night = Calendar("UTC", {"tue": [("22:00", "24:00")], "wed": [("00:00", "06:00")]})
    night.validate()
    due = night.add_working_time(at("2026-03-03T21:00+00:00"), timedelta(hours=5))
    assert due == at("2026-03-04T03:00+00:00")


@pytest.mark.parametrize(
    ("spans", "minutes", "due"),
    [
        # On March 8, 2026 the clocks in Chicago skip from 02:00 to 03:00.
        ([("01:00", "02:30"), ("10:00", "11:00")], 60, "2026-03-08T03:00-05:00"),
        ([("01:00", "02:30"), ("10:00", "11:00")], 90, "2026-03-08T10:30-05:00"),
        ([("02:30", "04:00")], 30, "2026-03-08T03:30-05:00"),
        ([("02:30", "03:15"), ("10:00", "11:00")], 30, "2026-03-08T10:15-05:00"),
        ([("02:10", "02:50"), ("10:00", "11:00")], 30, "2026-03-08T10:30-05:00"),
        ([("00:00", "04:00")], 180, "2026-03-08T04:00-05:00"),
    ],
)
def test_edge_in_the_skipped_hour_is_the_end_of_the_gap(
    spans: list[tuple[str, str]], minutes: int, due: str
) -> None:
    calendar = Calendar("America/Chicago", {"sun": spans})
    start = at("2026-03-08T00:00-06:00")
    assert calendar.add_working_time(start, timedelta(minutes=minutes)) == at(due)


def test_gap_of_half_an_hour_ends_at_the_change_of_the_clocks() -> None:
    # On October 4, 2026 the clocks of Lord Howe Island skip from 02:00 to 02:30.
    calendar = Calendar("Australia/Lord_Howe", {"sun": [("02:10", "03:00")]})
    due = calendar.add_working_time(at("2026-10-04T00:00+10:30"), timedelta(minutes=30))
    assert due == at("2026-10-04T03:00+11:00")


def test_midnight_that_the_clocks_skip_is_the_end_of_the_gap() -> None:
    # On September 6, 2026 the clocks in Chile skip from 00:00 to 01:00.
    calendar = Calendar("America/Santiago", {"sat": [("22:00", "24:00")]})
    due = calendar.add_working_time(at("2026-09-05T22:00-04:00"), timedelta(hours=2))
    assert due == at("2026-09-06T01:00-03:00")


def test_closed_times_are_what_is_between_working_hours() -> None:
    start, end = at("2026-03-06T16:00-06:00"), at("2026-03-09T12:30-05:00")
    assert DALLAS.closed_times(start, end) == [
        (at("2026-03-06T17:00-06:00"), at("2026-03-09T08:00-05:00")),
        (at("2026-03-09T12:00-05:00"), end),
    ]
    closed = sum((b - a for a, b in DALLAS.closed_times(start, end)), timedelta())
    assert closed + (DALLAS.working_time_between(start, end) or timedelta()) == end - start
    # Within one closed time, and within working hours.
    night = at("2026-03-04T20:00-06:00"), at("2026-03-04T21:00-06:00")
    assert DALLAS.closed_times(*night) == [night]
    assert DALLAS.closed_times(at("2026-03-04T09:00-06:00"), at("2026-03-04T10:00-06:00")) == []


def test_nothing_is_closed_if_every_hour_or_none_is_a_working_hour() -> None:
    always = Calendar("UTC", {day: [("00:00", "24:00")] for day in DAYS})
    span = at("2026-03-04T09:00-06:00"), at("2026-03-14T09:00-06:00")
    assert always.closed_times(*span) == []
    assert Calendar().closed_times(*span) == []
