"""The stages of the pipeline: what waits in each, since when, and when the queue is empty."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from visibility.formatting import count_with_noun, format_duration, format_number

HOUR = timedelta(hours=1)
# Over this time, the pace is measured.
PACE = timedelta(minutes=5)
# The times are those of the newest messages only, so that their cost does not grow with the volume.
NEWEST = 20_000
MESSAGES = """
WITH newest AS MATERIALIZED (
    SELECT state, received_at, processed_at FROM visibility_inbound_message
    ORDER BY id DESC LIMIT %(newest)s
)
SELECT waiting.count, waiting.oldest,
    (SELECT count(*) FROM visibility_inbound_message WHERE state = 'parked'),
    received.hour, received.pace, read.hour, read.pace, read.p50, read.p95
FROM (
    SELECT count(*), min(received_at) AS oldest FROM visibility_inbound_message
    WHERE state = 'waiting'
) waiting, (
    SELECT count(*) FILTER (WHERE received_at > %(hour)s) AS hour,
        count(*) FILTER (WHERE received_at > %(pace)s) AS pace FROM newest
) received, (
    SELECT count(*) AS hour, count(*) FILTER (WHERE processed_at > %(pace)s) AS pace,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY processed_at - received_at) AS p50,
        percentile_cont(0.95) WITHIN GROUP (ORDER BY processed_at - received_at) AS p95
    FROM newest WHERE state <> 'waiting' AND processed_at > %(hour)s AND received_at > %(hour)s
) read
"""
AFTER_MESSAGES = """
SELECT refolds.count, refolds.oldest, timers.count, timers.oldest,
    (SELECT count(*) FROM visibility_kpirecordchange)
FROM (
    SELECT count(DISTINCT object_id), min(due_at) AS oldest FROM visibility_refoldrequest
    WHERE due_at <= %(now)s
) refolds, (
    SELECT count(*), min(due_at) AS oldest FROM visibility_slaclock
    WHERE state = 'running' AND stopped_at IS NULL AND due_at < %(now)s
) timers
"""


@dataclass(frozen=True, slots=True)
class PipelineStage:
    """One stage. `facts`: what else is known about it, in words. `url`: the list of what waits.

    `waiting` is None for a stage in which nothing can wait.
    """

    code: str
    title: str
    waiting: int | None
    unit: str
    oldest_at: datetime | None
    facts: Sequence[str]
    url: str = ""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The stages in the order of the data, and the number of parked messages."""

    stages: Sequence[PipelineStage]
    parked: int


def load_pipeline(now: datetime) -> Pipeline:
    """The pipeline now. Two statements."""
    values: dict[str, Any] = {"newest": NEWEST, "hour": now - HOUR, "pace": now - PACE, "now": now}
    with connection.cursor() as cursor:
        cursor.execute(MESSAGES, values)
        waiting, oldest, parked, received, received_pace, read, read_pace, p50, p95 = (
            cursor.fetchone()
        )
        cursor.execute(AFTER_MESSAGES, {"now": now})
        refolds, refold_oldest, timers, timer_oldest, records = cursor.fetchone()
    hour = f"{_counted(read)} in the last hour"
    if p50 is not None:
        hour += f", half within {_short(p50)} of receipt, 95% within {_short(p95)}"
    reading = [hour]
    if waiting:
        reading.append(describe_drain(waiting, received=received_pace, read=read_pace))
    rules = []
    if records:
        rules.append(f"{count_with_noun(records, 'record')} to be counted in KPIs")
    return Pipeline(
        (
            PipelineStage(
                "received",
                "Received",
                None,
                "",
                None,
                [f"{_counted(received)} in the last hour"],
                "/messages",
            ),
            PipelineStage(
                "read", "Read", waiting, "waiting", oldest, reading, "/messages?state=waiting"
            ),
            PipelineStage("timeline", "On a timeline", refolds, "waiting", refold_oldest, []),
            PipelineStage("rules", "Rules and KPIs", timers, "timers due", timer_oldest, rules),
        ),
        parked,
    )


def describe_drain(waiting: int, *, received: int, read: int) -> str:
    """When the queue is empty at the pace of the last minutes, in words."""
    minutes = PACE // timedelta(minutes=1)
    if not read:
        return f"not moving: none was read in the last {minutes} minutes"
    if read <= received:
        return "not shrinking: as many are received as are read"
    left = PACE * (waiting / (read - received))
    return f"empty in about {format_duration(left)} at this pace"


def _counted(count: int) -> str:
    """`312`; `20,000 or more` if all of the newest messages count, so that earlier ones may."""
    return f"{format_number(count)}{' or more' if count >= NEWEST else ''}"


def _short(length: timedelta) -> str:
    """`85 ms`, `1.2 s`, `3 min`."""
    seconds = max(length.total_seconds(), 0)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 10 else format_duration(length)
