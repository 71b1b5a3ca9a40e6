"""Ids, versions and times from text: only those that PostgreSQL can compare."""

from datetime import UTC, date, datetime

import pytest

from visibility.db.parse_id_and_time import (
    MAX_ID,
    MAX_PAGE,
    parse_day,
    parse_page_number,
    parse_plausible_time,
    parse_row_id,
    parse_row_version,
)

NOT_A_NUMBER = (
    "",
    "0x1",
    "-1",
    "+1",
    " 1",
    "1.0",
    "\u0663",
    "\u00b2",
    "1\0",
    "9" * 20,
    "9" * 5_000,
)


@pytest.mark.parametrize("text", [*NOT_A_NUMBER, "0", str(MAX_ID + 1)])
def test_text_that_is_no_row_id_is_none(text: str) -> None:
    assert parse_row_id(text) is None


@pytest.mark.parametrize("text", [*NOT_A_NUMBER, str(2**31)])
def test_text_that_is_no_version_is_none(text: str) -> None:
    assert parse_row_version(text) is None


def test_id_and_version_of_a_row_are_parsed() -> None:
    assert [parse_row_id("1"), parse_row_id("007"), parse_row_id(str(MAX_ID))] == [1, 7, MAX_ID]
    assert [parse_row_version("0"), parse_row_version("12")] == [0, 12]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-03-04",
        "2026-03-04T05:06:07",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "1999-12-31T23:59:59Z",
        "2201-01-01T00:00:00Z",
    ],
)
def test_time_that_is_implausible_or_has_no_zone_is_none(text: str) -> None:
    assert parse_plausible_time(text) is None


def test_plausible_time_is_in_utc() -> None:
    assert parse_plausible_time("2026-03-04T05:06:07+01:00") == datetime(
        2026, 3, 4, 4, 6, 7, tzinfo=UTC
    )


def test_number_of_a_page_is_1_without_one() -> None:
    for text in (*NOT_A_NUMBER, "0", "123456", "\u00b2"):
        assert parse_page_number(text) == 1, text
    assert [parse_page_number("2"), parse_page_number(str(MAX_PAGE))] == [2, MAX_PAGE]


@pytest.mark.parametrize(
    "text", ["", "2026-02-30", "20260304", "2026-W01-1", "2026-03-04T00", "now"]
)
def test_text_that_is_no_day_is_none(text: str) -> None:
    assert parse_day(text) is None


def test_day() -> None:
    assert parse_day("2026-03-04") == date(2026, 3, 4)
