"""Rows are polled by their time of change: none is missed, whatever changes meanwhile."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from connectors.sdk.changed_rows_polling import (
    ChangedRow,
    ChangeRange,
    parse_since,
    poll_changed_rows,
    record_with_content_key,
)
from connectors.sdk.webhook_and_poll_types import PollError

START = datetime.fromisoformat("2026-03-04T10:00:00")


class ChangingTable:
    """Rows of a system by id, with their times of change to the microsecond."""

    def __init__(self, size: int = 2) -> None:
        self.rows: dict[int, datetime] = {}
        self.size = size
        self.asked: list[ChangeRange] = []
        self.ignores: tuple[str, ...] = ()

    def read(self, stream: str, wanted: ChangeRange) -> Sequence[ChangedRow]:
        self.asked.append(wanted)
        wanted = replace(wanted, **dict.fromkeys(self.ignores))
        after = int(wanted.after_id or 0)
        matching = [
            (at, number)
            for number, at in self.rows.items()
            if (wanted.start is None or at >= wanted.start)
            and (wanted.end is None or at < wanted.end)
            and number > after
        ]
        matching.sort(key=lambda row: row if wanted.after_id is None else (row[1], row[0]))
        return [
            ChangedRow(str(number), at, record_with_content_key("t", str(number), {"n": number}))
            for at, number in matching[: self.size]
        ]

    def poll(self, cursor: str = "", since: datetime | None = None) -> tuple[set[int], str]:
        pages = list(
            poll_changed_rows(
                ["t"],
                cursor,
                self.read,
                page_size=self.size,
                overlap=timedelta(minutes=5),
                since=since,
            )
        )
        read = {json.loads(record.body)["n"] for page in pages for record in page.records}
        return read, pages[-1].cursor


def test_every_row_is_read_and_the_newest_second_is_the_cursor() -> None:
    table = ChangingTable()
    table.rows = {n: START + timedelta(milliseconds=700 * n) for n in range(1, 12)}
    assert table.poll() == (set(range(1, 12)), '{"t": "2026-03-04T10:00:07"}')


def test_many_rows_of_one_second_are_read_in_the_order_of_their_ids() -> None:
    table = ChangingTable()
    table.rows = {n: START + timedelta(microseconds=10_000 - n) for n in range(1, 10)}
    table.rows |= {20: START + timedelta(seconds=1), 21: START + timedelta(seconds=3)}
    assert table.poll()[0] == {*range(1, 10), 20, 21}


def test_the_first_poll_starts_at_a_date_and_later_ones_overlap() -> None:
    table = ChangingTable()
    table.rows = {1: START - timedelta(days=2), 2: START}
    read, cursor = table.poll(since=parse_since("2026-03-04"))
    assert read == {2}
    table.asked.clear()
    table.poll(cursor, since=parse_since("2026-03-04"))
    assert table.asked[0].start == START - timedelta(minutes=5)


def test_an_empty_answer_leaves_the_cursor_unchanged() -> None:
    table, cursor = ChangingTable(), '{"t": "2026-03-04T10:00:00"}'
    assert table.poll(cursor) == (set(), cursor)


def test_system_that_ignores_the_filter_fails_the_poll() -> None:
    table = ChangingTable()
    table.rows = {1: START - timedelta(days=30)}
    table.ignores = ("start", "after_id")
    with pytest.raises(PollError, match="older than what was asked for"):
        table.poll(since=START)


def test_system_that_repeats_a_page_fails_the_poll() -> None:
    table = ChangingTable()
    table.rows = dict.fromkeys(range(1, 6), START)
    table.ignores = ("end", "after_id")
    with pytest.raises(PollError, match="repeats the previous page"):
        table.poll()


@pytest.mark.parametrize("cursor", ["{", "[]", '{"t": "x"}', '{"t": 7}'])
def test_an_invalid_cursor_fails_the_poll(cursor: str) -> None:
    with pytest.raises(PollError, match="cursor"):
        ChangingTable().poll(cursor)


def test_the_key_of_a_record_changes_with_its_content() -> None:
    keys = {record_with_content_key("t", "1", {"n": n}).dedupe_key for n in (1, 1, 2)}
    assert len(keys) == 2
