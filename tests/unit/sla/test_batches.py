"""The five findings about batches are a function of the batches, whatever the order of loading."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from visibility.sla.batch_finding import BatchFindingKind, RepeatedFile
from visibility.sla.batch_findings import BatchHistory
from visibility.sla.batch_schedule import (
    ArrivedBatch,
    BatchExpectation,
    expectation_of_settings,
    next_expected_time,
)
from visibility.sla.calendar import Calendar

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
WEEK = dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), (("08:00", "17:00"),))
US = Calendar("America/Chicago", WEEK, country="US")


def expectation(**settings: str) -> BatchExpectation:
    calendar = US if "calendar" in settings else None
    named = {f"batch_{name}": text for name, text in settings.items()}
    result = expectation_of_settings(named, calendar, "America/Chicago", LONG_AGO)
    assert result is not None
    return result


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def batch(message_id: int, at: str, number: str = "", **fields: object) -> ArrivedBatch:
    values = {"file_name": f"SHIP_{message_id}.csv", "records": 10, "number": number} | fields
    return ArrivedBatch(message_id, utc(at), **values)  # type: ignore[arg-type] # by name


def titles(
    kind: BatchFindingKind,
    expected: BatchExpectation,
    *batches: ArrivedBatch,
    now: str = "2026-03-05T12:00",
    repeats: tuple[RepeatedFile, ...] = (),
) -> list[str]:
    shuffled = random.Random(7).sample(batches, len(batches))
    history = BatchHistory(expected, utc(now), shuffled, repeats)
    return [finding.title("WMS") for finding in history.findings(kind)]


def late(expected: BatchExpectation, *batches: ArrivedBatch, now: str) -> list[str]:
    history = BatchHistory(expected, utc(now), batches)
    return [finding.key for finding in history.findings(BatchFindingKind.LATE)]


def daily(*batches: ArrivedBatch, now: str, **settings: str) -> list[str]:
    """The late batches of the last two days, of a source that sends a file at 06:00."""
    keys = late(expectation(at="06:00", **settings), *batches, now=now)
    return [key for key in keys if utc(now) - datetime.fromisoformat(key) < timedelta(days=2)]


def test_a_batch_is_late_after_its_tolerance_and_until_it_arrives() -> None:
    yesterday = batch(1, "2026-03-03T11:58")
    assert daily(yesterday, now="2026-03-04T12:30") == []
    assert daily(yesterday, now="2026-03-04T12:31") == ["2026-03-04T12:00:00+00:00"]
    assert daily(yesterday, batch(2, "2026-03-04T15:00"), now="2026-03-04T15:01") == []
    assert daily(yesterday, now="2026-03-04T13:59", tolerance="2 h") == []


def test_a_batch_that_comes_early_is_for_the_next_time() -> None:
    early = batch(1, "2026-03-04T02:00")
    assert daily(batch(0, "2026-03-03T12:00"), early, now="2026-03-04T13:00") == []
    assert daily(batch(0, "2026-03-03T12:00"), batch(1, "2026-03-03T23:00"), now="2026-03-04T13:00")


def test_two_files_of_the_next_morning_are_for_both_days() -> None:
    both = batch(1, "2026-03-04T11:50"), batch(2, "2026-03-04T11:51")
    assert daily(both[0], now="2026-03-04T14:00") == ["2026-03-03T12:00:00+00:00"]
    assert daily(*both, now="2026-03-04T14:00") == []


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        # March 8, 2026: 02:00 becomes 03:00. 06:00 is 12:00 UTC before and 11:00 UTC after.
        ("2026-03-07T13:00", "2026-03-07T12:00:00+00:00"),
        ("2026-03-08T12:00", "2026-03-08T11:00:00+00:00"),
        # November 1, 2026: 02:00 becomes 01:00.
        ("2026-10-31T12:00", "2026-10-31T11:00:00+00:00"),
        ("2026-11-01T13:00", "2026-11-01T12:00:00+00:00"),
    ],
)
def test_local_times_follow_daylight_saving_time(now: str, expected: str) -> None:
    assert daily(now=now)[0] == expected


def test_a_skipped_time_is_the_end_of_the_gap_and_a_repeated_time_counts_once() -> None:
    night = expectation(at="02:30, 01:30")
    spring = night.expected_times(utc("2026-03-08T00:00"), utc("2026-03-08T23:00"))
    assert spring == [utc("2026-03-08T07:30"), utc("2026-03-08T08:00")]
    autumn = night.expected_times(utc("2026-11-01T05:00"), utc("2026-11-02T05:00"))
    assert autumn == [utc("2026-11-01T06:30"), utc("2026-11-01T08:30")]


def test_no_batch_is_expected_on_other_days_and_holidays() -> None:
    assert daily(now="2026-03-08T20:00", days="mon-fri") == []
    # Thanksgiving: November 26, 2026 is a Thursday. The Friday after it is no public holiday.
    assert daily(now="2026-11-26T20:00", days="thu, fri", calendar="us") == []
    assert daily(now="2026-11-26T20:00", days="thu, fri") == ["2026-11-26T12:00:00+00:00"]
    assert daily(now="2026-11-27T20:00", calendar="us") == ["2026-11-27T12:00:00+00:00"]
    assert daily(now="2026-11-29T20:00", calendar="us") == []


def test_an_interval_counts_from_the_latest_batch_and_in_working_hours_of_a_calendar() -> None:
    friday = batch(1, "2026-03-06T22:00")  # 16:00 in Chicago
    every = expectation(every="4 h")
    assert late(every, friday, now="2026-03-07T02:29") == []
    assert late(every, friday, now="2026-03-07T02:31") == ["2026-03-07T02:00:00+00:00"]
    assert late(every, friday, batch(2, "2026-03-07T05:00"), now="2026-03-07T06:00") == []
    working = expectation(every="4 h", calendar="us")
    assert late(working, friday, now="2026-03-09T16:00") == []
    assert late(working, friday, now="2026-03-09T16:31") == ["2026-03-09T16:00:00+00:00"]
    assert next_expected_time(working, [friday], utc("2026-03-07T00:00")) == utc("2026-03-09T16:00")
    assert late(every, friday, now="2026-03-20T00:00") == ["2026-03-07T02:00:00+00:00"]


def test_nothing_is_late_during_maintenance_nor_before_all_messages_are_recorded() -> None:
    expected, now = expectation(at="06:00"), utc("2026-03-04T14:00")
    for fields in ({"is_in_maintenance": True}, {"is_complete": False}):
        history = BatchHistory(expected, now, **fields)  # type: ignore[arg-type] # by name
        assert history.findings(BatchFindingKind.LATE) == []
    ended = BatchHistory(expected, now, maintenance_ended_at=utc("2026-03-04T13:45"))
    keys = [finding.key for finding in ended.findings(BatchFindingKind.LATE)]
    assert "2026-03-04T12:00:00+00:00" not in keys


def test_a_batch_without_records_is_empty_and_not_short() -> None:
    expected = expectation(at="06:00", least_rows="5")
    nothing = batch(2, "2026-03-05T06:00", records=0)
    assert titles(BatchFindingKind.EMPTY, expected, nothing) == [
        "SHIP_2.csv from WMS has no records"
    ]
    assert titles(BatchFindingKind.SHORT, expected, nothing) == []
    unreadable = batch(3, "2026-03-05T06:00", records=None)
    assert titles(BatchFindingKind.EMPTY, expected, unreadable) == []


def test_a_batch_is_short_of_a_number_of_the_usual_or_of_its_declared_count() -> None:
    few = batch(9, "2026-03-05T09:00", records=3)
    least = expectation(at="06:00", least_rows="1200")
    assert titles(BatchFindingKind.SHORT, least, few) == [
        "SHIP_9.csv from WMS has 3 records, at least 1,200 are expected"
    ]
    usual = [batch(n, f"2026-03-05T0{n}:00", records=100) for n in range(1, 4)]
    share = expectation(at="06:00", least_share="50")
    assert titles(BatchFindingKind.SHORT, share, *usual, few) == [
        "SHIP_9.csv from WMS has 3 records, less than 50% of the usual 100"
    ]
    assert titles(BatchFindingKind.SHORT, share, *usual[:2], few) == []
    cut = batch(9, "2026-03-05T09:00", mismatch="it declares 120 records and has 10")
    assert titles(BatchFindingKind.SHORT, expectation(at="06:00"), cut) == [
        "SHIP_9.csv from WMS is incomplete: it declares 120 records and has 10"
    ]


def test_a_doubled_batch_names_the_earlier_one() -> None:
    expected = expectation(at="06:00")
    first, second = batch(1, "2026-03-05T01:00", "0017"), batch(2, "2026-03-05T02:00", "17")
    other = batch(3, "2026-03-05T03:00", "17", series="B > US")
    repeat = RepeatedFile(5, 1, utc("2026-03-05T04:00"), "SHIP_copy.csv")
    twice = RepeatedFile(6, 1, utc("2026-03-05T03:30"), "SHIP_1.csv")
    assert titles(
        BatchFindingKind.DOUBLED, expected, first, second, other, repeats=(repeat, twice)
    ) == [
        "SHIP_copy.csv from WMS has the same content as SHIP_1.csv: it was not read a second time",
        "SHIP_1.csv from WMS came twice with the same content: it was not read a second time",
        "SHIP_2.csv from WMS has the batch number 17 of an earlier one (SHIP_1.csv)",
    ]


def test_a_doubled_number_is_not_the_batch_that_is_awaited() -> None:
    yesterday = batch(1, "2026-03-03T11:58", "7")
    repeated = batch(2, "2026-03-04T11:58", "7")
    assert daily(yesterday, repeated, now="2026-03-04T13:00") == ["2026-03-04T12:00:00+00:00"]


def test_a_gap_names_the_missing_numbers_until_they_arrive() -> None:
    expected, kind = expectation(at="06:00"), BatchFindingKind.OUT_OF_ORDER
    four, nine = batch(1, "2026-03-05T01:00", "4"), batch(2, "2026-03-05T02:00", "9")
    assert titles(kind, expected, four, nine) == [
        "Batches 5 to 8 from WMS are missing: 9 came after 4"
    ]
    six = batch(3, "2026-03-05T03:00", "6")
    assert titles(kind, expected, four, nine, six) == [
        "Batch 6 from WMS came after batch 9",
        "Batches 5, 7 to 8 from WMS are missing: 9 came after 4",
    ]
    others = [batch(n, f"2026-03-05T0{n}:00", str(n)) for n in (5, 7, 8)]
    assert "missing" not in " ".join(titles(kind, expected, four, nine, six, *others))
    increasing = expectation(at="06:00", numbering="increasing")
    assert titles(kind, increasing, four, nine) == []


def test_interchange_numbers_start_again_after_the_largest() -> None:
    kind, expected = BatchFindingKind.OUT_OF_ORDER, expectation(at="06:00")
    last = batch(1, "2026-03-05T01:00", "999999999", series="A > B")
    first = batch(2, "2026-03-05T02:00", "000000001", series="A > B")
    third = batch(3, "2026-03-05T03:00", "000000003", series="A > B")
    assert titles(kind, expected, last, first) == []
    assert titles(kind, expected, last, first, third) == [
        "Batch 2 from WMS is missing: 000000003 came after 000000001"
    ]
