"""What a source observed lately: the input of the rules about calls, queues and runs."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class HourOfCalls:
    """The calls of one hour, weighted by the sample rate."""

    hour: datetime
    calls: int
    failed: int


@dataclass(frozen=True, slots=True)
class ObservedCalls:
    """The calls of an operation, or the finished runs of a flow, in the last day."""

    name: str
    hours: tuple[HourOfCalls, ...]


@dataclass(frozen=True, slots=True)
class ObservedQueue:
    """The last reading of a queue. `oldest`: the age of its oldest message, if reported."""

    name: str
    read_at: datetime
    depth: int
    oldest: timedelta | None = None


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """The last run of a flow that ended. `failed_records`: how many of its records failed."""

    flow: str
    run_id: str
    at: datetime
    has_failed: bool
    failed_records: int = 0
    error: str = ""
