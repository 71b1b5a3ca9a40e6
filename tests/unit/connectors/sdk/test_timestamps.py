"""Timestamp parsing: one rule per format, and flags for assumptions."""

from datetime import UTC, datetime

import pytest

from connectors.sdk.events import Flag
from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.timestamps import (
    ParsedTime,
    from_unix_seconds,
    local_to_utc,
    parse_date_as_midnight,
    parse_rfc2822,
    parse_timestamp,
)


def utc(*fields: int) -> datetime:
    return datetime(*fields, tzinfo=UTC)  # type: ignore[arg-type, misc] # year to microsecond


def parse_error(text: str, zone: str | None = None) -> PayloadError:
    with pytest.raises(PayloadError) as caught:
        parse_timestamp(text, "created_at", zone)
    return caught.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-04T05:06:07Z", utc(2026, 3, 4, 5, 6, 7)),
        ("2026-03-04T05:06:07-06:00", utc(2026, 3, 4, 11, 6, 7)),
        ("2026-03-04 05:06:07+00:00", utc(2026, 3, 4, 5, 6, 7)),
        ("2026-03-04T05:06:07-00:00", utc(2026, 3, 4, 5, 6, 7)),
        ("2026-03-04T05:06:07.123456789Z", utc(2026, 3, 4, 5, 6, 7, 123456)),
        ("2026-03-04T23:59:60Z", utc(2026, 3, 5)),
        ("2026-12-31T24:00:00Z", utc(2027, 1, 1)),
        ("2026-12-31T24:00:00+02:00", utc(2026, 12, 31, 22)),
    ],
)
def test_a_time_with_an_offset_is_converted_to_utc(text: str, expected: datetime) -> None:
    assert parse_timestamp(text, "created_at") == ParsedTime(expected)
    assert parse_timestamp(f" {text} ", "created_at", "America/Chicago") == ParsedTime(expected)


def test_blank_text_is_no_time() -> None:
    assert parse_timestamp("", "created_at") is None
    assert parse_timestamp("  ", "created_at", "UTC") is None


@pytest.mark.parametrize(
    "text",
    ["0", "1970-01-01", "1970-01-01T00:00:00", "1970-01-01T00:00:00Z", "1970-01-01T01:00:00+01:00"],
)
def test_the_unix_epoch_means_unset(text: str) -> None:
    assert parse_timestamp(text, "created_at") is None
    assert parse_timestamp(text, "created_at", "Europe/Berlin") is None


def test_a_time_without_an_offset_needs_a_zone() -> None:
    assert parse_error("2026-03-04T05:06:07").reason is ParkReason.TIMESTAMP
    parsed = parse_timestamp("2026-03-04T05:06:07", "created_at", "America/Chicago")
    assert parsed == ParsedTime(utc(2026, 3, 4, 11, 6, 7), (Flag.ZONE_ASSUMED,))


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "", "UTC\0"])
def test_an_unknown_zone_is_an_error(zone: str) -> None:
    assert parse_error("2026-03-04T05:06:07", zone).reason is ParkReason.TIMESTAMP


def test_a_repeated_local_time_is_the_earlier_time() -> None:
    parsed = local_to_utc(datetime(2026, 11, 1, 1, 30), "America/Chicago", "created_at")  # noqa: DTZ001
    assert parsed == ParsedTime(utc(2026, 11, 1, 6, 30), (Flag.LOCAL_REPEATED,))


def test_a_skipped_local_time_moves_on_by_the_gap() -> None:
    parsed = local_to_utc(datetime(2026, 3, 8, 2, 30), "America/Chicago", "created_at")  # noqa: DTZ001
    assert parsed == ParsedTime(utc(2026, 3, 8, 8, 30), (Flag.LOCAL_SKIPPED,))


@pytest.mark.parametrize(
    "text",
    [
        "1999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00", "9500-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-13-01",
        "2026-02-30", "yesterday", "04/03/2026", "1772600000", "2026-03-04T25:00:00Z", "T" * 5_000,
    ],
)  # fmt: skip
def test_implausible_times_are_rejected_with_their_path(text: str) -> None:
    error = parse_error(text, "UTC")
    assert (error.reason, error.path) == (ParkReason.TIMESTAMP, "created_at")


@pytest.mark.parametrize("text", ["2026-03-04", "20260304"])
def test_a_date_is_midnight_in_the_zone_and_flagged(text: str) -> None:
    assert parse_date_as_midnight(text, "day") == ParsedTime(utc(2026, 3, 4), (Flag.DATE_ONLY,))
    assert parse_date_as_midnight(text, "day", "America/Chicago").time == utc(2026, 3, 4, 6)


def test_a_date_is_accepted_instead_of_a_time() -> None:
    assert parse_timestamp("2026-03-04", "day") == ParsedTime(utc(2026, 3, 4), (Flag.DATE_ONLY,))


def test_unix_seconds_are_accepted_and_milliseconds_are_not() -> None:
    assert from_unix_seconds(1_772_600_767, "ts") == ParsedTime(utc(2026, 3, 4, 5, 6, 7))
    for value in (0, -1, 1_772_600_767_000, 10**20):
        with pytest.raises(PayloadError) as caught:
            from_unix_seconds(value, "ts")
        assert caught.value.reason is ParkReason.TIMESTAMP


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("9999-12-31T23:59:60-12:00", None),
        ("9999-12-31T23:59:60Z", None),
        ("9999-12-31T24:00:00Z", None),
        ("9999-12-31T23:59:60", "UTC"),
        ("9999-12-31T24:00:00", "America/Chicago"),
        ("0001-01-01T00:00:00+14:00", None),
    ],
)
def test_time_outside_the_calendar_is_a_timestamp_error(text: str, zone: str | None) -> None:
    assert parse_error(text, zone).reason is ParkReason.TIMESTAMP


def test_dates_of_rfc_2822_have_an_offset() -> None:
    expected = ParsedTime(utc(2026, 3, 5, 21, 40, 11))
    for text in ("Thu, 05 Mar 2026 21:40:11 +0000", "Thu, 05 Mar 2026 15:40:11 -0600"):
        assert parse_rfc2822(text, "at") == expected
    assert parse_rfc2822("Thu, 05 Mar 2026 21:40:11 -0000", "at") == expected
    for text in ("", " ", "Thu, 01 Jan 1970 00:00:00 +0000"):
        assert parse_rfc2822(text, "at") is None
    for text in ("2026-03-05", "soon", "Thu, 31 Feb 2026 21:40:11 +0000"):
        with pytest.raises(PayloadError) as caught:
            parse_rfc2822(text, "at")
        assert caught.value.reason is ParkReason.TIMESTAMP
