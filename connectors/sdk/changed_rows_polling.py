"""Poll rows by their time of change, for systems that are asked by filter, order and limit.

No page depends on the position of a row, so rows that change while they are read are not missed:
each page begins at the newest second of the page before. If more rows than a page changed in one
second, as by one bulk change, they are read in the order of their ids.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from connectors.sdk.encode_json import encode_json
from connectors.sdk.payload import PayloadError
from connectors.sdk.timestamps import parse_timestamp
from connectors.sdk.webhook_and_poll_types import PolledPage, PolledRecord, PollError

SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class ChangeRange:
    """Rows to ask for. Times are whole seconds of the clock of the system, without a zone.

    Rows changed from `start` on (None: all), ordered by the time of change. With `after_id`: rows
    changed from `start` on and before `end`, with a higher id, ordered by id; "" is before all ids.
    """

    start: datetime | None
    end: datetime | None = None
    after_id: str | None = None


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """One row: its id, its time of change by the clock of the system, and what is stored."""

    id: str
    changed_at: datetime
    record: PolledRecord


# The rows of a stream in a range: at most a page of them, all if fewer remain.
ReadRows = Callable[[str, ChangeRange], Sequence[ChangedRow]]


def poll_changed_rows(
    streams: Sequence[str],
    cursor: str,
    read_rows: ReadRows,
    *,
    page_size: int,
    overlap: timedelta,
    since: datetime | None = None,
) -> Iterator[PolledPage]:
    """Yield the pages of every stream, with the cursor to store in the same transaction.

    The cursor holds the newest time of change of each stream. Only rows advance it. `since`: where
    the first poll starts. Raises PollError.
    """
    cursors = _parse_cursor(cursor)
    for stream in streams:
        newest = cursors.get(stream)
        start = newest - overlap if newest else since
        for rows in _pages(stream, start, read_rows, page_size):
            times = [row.changed_at.replace(microsecond=0) for row in rows]
            newest = max([*times, *([newest] if newest else [])], default=None)
            if newest:
                cursors[stream] = newest
            yield PolledPage(
                tuple(row.record for row in rows),
                json.dumps({name: at.isoformat() for name, at in sorted(cursors.items())}),
            )


def _pages(
    stream: str, start: datetime | None, read_rows: ReadRows, size: int
) -> Iterator[Sequence[ChangedRow]]:
    while True:
        rows = read_rows(stream, ChangeRange(start))
        if start and any(row.changed_at < start for row in rows):
            raise PollError(f"a row of {stream} is older than what was asked for")
        yield rows
        if len(rows) < size:
            return
        newest = max(row.changed_at for row in rows).replace(microsecond=0)
        if start is None or newest > start:
            start = newest
            continue
        yield from _pages_of_a_second(stream, start, read_rows, size)
        start += SECOND


def _pages_of_a_second(
    stream: str, start: datetime, read_rows: ReadRows, size: int
) -> Iterator[Sequence[ChangedRow]]:
    after = ""
    while True:
        rows = read_rows(stream, ChangeRange(start, start + SECOND, after))
        yield rows
        if len(rows) < size:
            return
        if rows[-1].id == after:
            raise PollError(f"the next page of {stream} repeats the previous page")
        after = rows[-1].id


def _parse_cursor(cursor: str) -> dict[str, datetime]:
    if not cursor:
        return {}
    try:
        return {str(k): datetime.fromisoformat(at) for k, at in json.loads(cursor).items()}
    except (ValueError, AttributeError, TypeError):
        raise PollError("the stored cursor is invalid") from None


def parse_since(text: str) -> datetime | None:
    """Return a date or time setting as a time without a zone. Raises PollError."""
    try:
        parsed = parse_timestamp(text, "since", "UTC")
    except PayloadError as error:
        raise PollError(str(error)) from None
    return parsed.time.replace(tzinfo=None, microsecond=0) if parsed else None


def record_with_content_key(
    stream: str, row_id: str, document: Any, headers: Mapping[str, str] | None = None
) -> PolledRecord:
    """Return a record whose key changes with its content.

    Documents are read with their lines, which can change while the time of the document stays.
    """
    body = encode_json(document)
    digest = sha256(body).hexdigest()[:32]
    return PolledRecord(f"{stream} {row_id} {digest}", body, headers or {})
