"""When the batches of a source are expected, and which batch arrived for which time (pure)."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from connectors.sdk.batch_settings import (
    CONSECUTIVE,
    DAYS,
    INCREASING,
    PREFIX,
    parse_days,
    parse_times,
)
from connectors.sdk.parse_setting_values import parse_duration
from visibility.sla.calendar import Calendar, NeverOpen, local_time_to_utc

DEFAULT_TOLERANCE = timedelta(minutes=30)
# A batch may come so long before its time, but at most half way from the time before.
MAX_EARLY = timedelta(hours=12)
# Expected times, and findings, are about the latest days only.
SHOWN_FOR = timedelta(days=7)
# Two expected times are not further apart, except over long holidays.
MAX_DISTANCE = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class ArrivedBatch:
    """One batch as it was received. `records`: None if it cannot be read; `problem` says why."""

    message_id: int
    received_at: datetime
    file_name: str = ""
    records: int | None = None
    mismatch: str = ""
    series: str = ""
    number: str = ""
    problem: str = ""

    @property
    def name(self) -> str:
        """Its file, or else its number or its message, for people."""
        if self.file_name:
            return self.file_name
        return f"Batch {self.number}" if self.number else f"Message {self.message_id}"

    @property
    def order(self) -> tuple[datetime, int]:
        """The order in which batches were received."""
        return self.received_at, self.message_id


@dataclass(frozen=True, slots=True)
class BatchExpectation:
    """When batches are expected, and what they contain at least.

    `times`: local times of each day, or `every`: the longest time between two. `weekdays`: None if
    they are not set. `calendar`: None if none is set. `since`: earlier times are not expected.
    """

    times: tuple[time, ...] = ()
    every: timedelta | None = None
    weekdays: frozenset[int] | None = None
    calendar: Calendar | None = None
    zone: str = "UTC"
    tolerance: timedelta = DEFAULT_TOLERANCE
    least_records: int = 0
    least_share: int = 0
    is_consecutive: bool = True
    since: datetime = field(default=datetime.min.replace(tzinfo=UTC))

    def has_batch_on(self, day: date) -> bool:
        """Whether batches are expected on a local date."""
        if self.weekdays is not None and day.weekday() not in self.weekdays:
            return False
        if self.calendar is None:
            return True
        calendar = self.calendar.on_day(day)
        if self.weekdays is None:
            return bool(calendar.spans_on(day))
        hours = calendar.exceptions.get(day.isoformat())
        return bool(hours) if hours is not None else not calendar.is_closed_day(day)

    def expected_times(self, start: datetime, end: datetime) -> list[datetime]:
        """Return the expected instants from `start` to `end`. Not for an interval.

        A local time that daylight saving time skips is the end of the gap; if it comes twice,
        the first counts.
        """
        info = ZoneInfo(self.zone)
        day, last = start.astimezone(info).date(), end.astimezone(info).date()
        moments = []
        while day <= last:
            if self.has_batch_on(day):
                moments += [local_time_to_utc(day, f"{at:%H:%M}", info) for at in self.times]
            day += timedelta(days=1)
        return sorted({moment for moment in moments if start <= moment <= end})

    def describe(self) -> str:
        """`Batches are expected mon-fri at 06:00 (America/Chicago), at most 30 min later.`"""
        tolerance = f"at most {int(self.tolerance.total_seconds() // 60)} min later"
        if self.every is not None:
            minutes = int(self.every.total_seconds() // 60)
            length = f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"
            return f"A batch is expected every {length}, {tolerance}."
        days = "every day"
        if self.weekdays is not None:
            days = "on " + ", ".join(DAYS[n].capitalize() for n in sorted(self.weekdays))
        elif self.calendar is not None:
            days = "on working days"
        if self.weekdays is not None and self.calendar is not None:
            days += " but holidays"
        times = ", ".join(f"{at:%H:%M}" for at in self.times)
        return f"Batches are expected {days} at {times} ({self.zone}), {tolerance}."


@dataclass(frozen=True, slots=True)
class ExpectedBatch:
    """An expected time and the batch that arrived for it. After `due_at` it is late."""

    expected_at: datetime
    due_at: datetime
    batch: ArrivedBatch | None = None


def expectation_of_settings(
    config: Mapping[str, Any], calendar: Calendar | None, default_zone: str, since: datetime
) -> BatchExpectation | None:
    """Build the expectation of settings; None if no batch is expected. Raises ValueError."""
    texts = {
        name.removeprefix(PREFIX): str(value).strip()
        for name, value in config.items()
        if name.startswith(PREFIX) and str(value or "").strip()
    }
    times = parse_times(texts["at"]) if "at" in texts else ()
    every = parse_duration(texts["every"]) if "every" in texts else None
    if not times and not every:
        return None
    return BatchExpectation(
        times=times,
        every=every,
        weekdays=parse_days(texts["days"]) if "days" in texts else None,
        calendar=calendar,
        zone=texts.get("zone") or (calendar.zone if calendar else default_zone),
        tolerance=parse_duration(texts["tolerance"]) if "tolerance" in texts else DEFAULT_TOLERANCE,
        least_records=int(texts.get("least_rows", 0)),
        least_share=int(texts.get("least_share", 0)),
        is_consecutive=texts.get("numbering", CONSECUTIVE) != INCREASING,
        since=since,
    )


def match_expected_batches(
    expectation: BatchExpectation,
    arrivals: Iterable[ArrivedBatch],
    now: datetime,
    maintenance_ended_at: datetime | None = None,
) -> list[ExpectedBatch]:
    """Return the expected times of the last days until now, with what arrived for each.

    `arrivals`: without repeated ones, which are not what is awaited. A time is not due before
    planned maintenance has ended.
    """
    batches = sorted(arrivals, key=lambda batch: batch.order)
    if expectation.every is not None:
        return _match_interval(expectation, batches, now, maintenance_ended_at)
    earliest = max(now - SHOWN_FOR, expectation.since)
    moments = expectation.expected_times(now - SHOWN_FOR - MAX_DISTANCE, now + MAX_EARLY)
    begins = _window_begins(moments)
    windows: list[list[ArrivedBatch]] = [[] for _ in moments]
    for batch in batches:
        index = bisect_right(begins, batch.received_at) - 1
        if index >= 0:
            windows[index].append(batch)
    _fill_missed_windows(windows, [moment >= earliest for moment in moments])
    return [
        ExpectedBatch(
            moment,
            _due_at(moment, expectation, maintenance_ended_at),
            window[0] if window else None,
        )
        for moment, window in zip(moments, windows, strict=True)
        if earliest <= moment and (moment <= now or window)
    ]


def next_expected_time(
    expectation: BatchExpectation, arrivals: Sequence[ArrivedBatch], now: datetime
) -> datetime | None:
    """Return when the next batch is expected; None if it is not known."""
    if expectation.every is not None:
        last = max((batch.received_at for batch in arrivals), default=expectation.since)
        return _add_interval(expectation, max(last, expectation.since))
    moments = expectation.expected_times(now, now + MAX_DISTANCE)
    return next((moment for moment in moments if moment > now), None)


def _window_begins(moments: Sequence[datetime]) -> list[datetime]:
    """From when on a batch is for each time, not for the one before."""
    begins = [moments[0] - MAX_EARLY] if moments else []
    for before, moment in pairwise(moments):
        begins.append(moment - min((moment - before) / 2, MAX_EARLY))
    return begins


def _fill_missed_windows(windows: list[list[ArrivedBatch]], is_wanted: Sequence[bool]) -> None:
    """Let batches beyond the last of a window count for the latest missed times before it.

    Senders that catch up send the oldest file first.
    """
    missed: list[int] = []
    for index, window in enumerate(windows):
        if not window:
            if is_wanted[index]:
                missed.append(index)
            continue
        extra = min(len(window) - 1, len(missed))
        if extra:
            for target, batch in zip(missed[-extra:], window[:extra], strict=True):
                windows[target].append(batch)
            del missed[-extra:], window[:extra]


def _match_interval(
    expectation: BatchExpectation,
    batches: Sequence[ArrivedBatch],
    now: datetime,
    maintenance_ended_at: datetime | None,
) -> list[ExpectedBatch]:
    earliest = max(now - SHOWN_FOR, expectation.since)
    own = [batch for batch in batches if batch.received_at >= earliest]
    anchors = [earliest if earliest > now - SHOWN_FOR else None, *(b.received_at for b in own)]
    expected = []
    for anchor, batch in zip(anchors, [*own, None], strict=True):
        moment = _add_interval(expectation, anchor) if anchor else None
        if moment is not None and (batch is not None or moment <= now):
            due_at = _due_at(moment, expectation, maintenance_ended_at)
            expected.append(ExpectedBatch(moment, due_at, batch))
    if not own and expectation.since < earliest:
        # Nothing for longer than is looked at: since the latest batch, or since the beginning.
        last = max((batch.received_at for batch in batches), default=expectation.since)
        if moment := _add_interval(expectation, max(last, expectation.since)):
            due_at = _due_at(moment, expectation, maintenance_ended_at)
            expected.append(ExpectedBatch(moment, due_at))
    return expected


def _add_interval(expectation: BatchExpectation, start: datetime) -> datetime | None:
    assert expectation.every is not None
    if expectation.calendar is None:
        return start + expectation.every
    try:
        return expectation.calendar.add_working_time(start, expectation.every)
    except NeverOpen:
        return None


def _due_at(
    moment: datetime, expectation: BatchExpectation, maintenance_ended_at: datetime | None
) -> datetime:
    return max(moment, maintenance_ended_at or moment) + expectation.tolerance
