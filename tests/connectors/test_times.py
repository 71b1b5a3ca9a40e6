"""When something happened: one rule per written form, and what had to be assumed is told."""

from datetime import UTC, datetime

import pytest

from connectors.sdk.events import Flag
from connectors.sdk.payload import PayloadError, Reason
from connectors.sdk.timestamps import Moment, epoch, instant, localise, on_date


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc] # year to microsecond


def refused(text: str, zone: str | None = None) -> PayloadError:
    with pytest.raises(PayloadError) as caught:
        instant(text, "created_at", zone)
    return caught.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-04T05:06:07Z", at(2026, 3, 4, 5, 6, 7)),
        ("2026-03-04T05:06:07-06:00", at(2026, 3, 4, 11, 6, 7)),
        ("2026-03-04 05:06:07+00:00", at(2026, 3, 4, 5, 6, 7)),
        ("2026-03-04T05:06:07-00:00", at(2026, 3, 4, 5, 6, 7)),
        ("2026-03-04T05:06:07.123456789Z", at(2026, 3, 4, 5, 6, 7, 123456)),
        ("2026-03-04T23:59:60Z", at(2026, 3, 5)),
        ("2026-12-31T24:00:00Z", at(2027, 1, 1)),
        ("2026-12-31T24:00:00+02:00", at(2026, 12, 31, 22)),
    ],
)
def test_a_time_with_an_offset_is_one_instant(text: str, expected: datetime) -> None:
    assert instant(text, "created_at") == Moment(expected)
    assert instant(f" {text} ", "created_at", "America/Chicago") == Moment(expected)


def test_no_time_is_no_time() -> None:
    assert instant("", "created_at") is None
    assert instant("  ", "created_at", "UTC") is None


@pytest.mark.parametrize(
    "text",
    ["0", "1970-01-01", "1970-01-01T00:00:00", "1970-01-01T00:00:00Z", "1970-01-01T01:00:00+01:00"],
)
def test_the_moment_unix_began_means_never(text: str) -> None:
    assert instant(text, "created_at") is None
    assert instant(text, "created_at", "Europe/Berlin") is None


def test_a_time_without_an_offset_needs_the_zone_of_its_source() -> None:
    assert refused("2026-03-04T05:06:07").reason is Reason.TIMESTAMP
    found = instant("2026-03-04T05:06:07", "created_at", "America/Chicago")
    assert found == Moment(at(2026, 3, 4, 11, 6, 7), (Flag.ZONE_ASSUMED,))


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "", "UTC\0"])
def test_a_zone_that_is_none_is_an_error_of_the_time(zone: str) -> None:
    assert refused("2026-03-04T05:06:07", zone).reason is Reason.TIMESTAMP


def test_a_repeated_local_time_is_the_earlier_instant() -> None:
    found = localise(datetime(2026, 11, 1, 1, 30), "America/Chicago", "created_at")  # noqa: DTZ001
    assert found == Moment(at(2026, 11, 1, 6, 30), (Flag.LOCAL_REPEATED,))


def test_a_skipped_local_time_moves_on_by_the_gap() -> None:
    found = localise(datetime(2026, 3, 8, 2, 30), "America/Chicago", "created_at")  # noqa: DTZ001
    assert found == Moment(at(2026, 3, 8, 8, 30), (Flag.LOCAL_SKIPPED,))


@pytest.mark.parametrize(
    "text",
    [
        "1999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00", "9500-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-13-01",
        "2026-02-30", "yesterday", "04/03/2026", "1772600000", "2026-03-04T25:00:00Z", "T" * 5_000,
    ],
)  # fmt: skip
def test_times_nobody_can_mean_are_refused_with_their_place(text: str) -> None:
    problem = refused(text, "UTC")
    assert (problem.reason, problem.path) == (Reason.TIMESTAMP, "created_at")


@pytest.mark.parametrize("text", ["2026-03-04", "20260304"])
def test_a_date_alone_is_midnight_in_the_zone_and_flagged(text: str) -> None:
    assert on_date(text, "day") == Moment(at(2026, 3, 4), (Flag.DATE_ONLY,))
    assert on_date(text, "day", "America/Chicago").at == at(2026, 3, 4, 6)


def test_a_date_where_a_time_may_stand_is_taken_as_a_date() -> None:
    assert instant("2026-03-04", "day") == Moment(at(2026, 3, 4), (Flag.DATE_ONLY,))


def test_seconds_since_1970_are_an_instant_and_milliseconds_are_not() -> None:
    assert epoch(1_772_600_767, "ts") == Moment(at(2026, 3, 4, 5, 6, 7))
    for value in (0, -1, 1_772_600_767_000, 10**20):
        with pytest.raises(PayloadError) as caught:
            epoch(value, "ts")
        assert caught.value.reason is Reason.TIMESTAMP
