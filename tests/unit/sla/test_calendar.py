"""Working time across nights, weekends, holidays and DST changes."""

from datetime import UTC, datetime, timedelta

import pytest

from visibility.sla.calendar import Calendar, InvalidCalendar, NeverOpen

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
