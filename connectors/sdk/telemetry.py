"""Telemetry: sampled calls of services, runs of integrations, and depths of queues.

A telemetry record is no event: it is counted and sampled, and no order is derived from it.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from connectors.sdk.events import ObjectReference

MAX_NAME = 80
MAX_OPERATION = 120
MAX_TEXT = 500
MAX_URL = 500
MAX_RUN_ID = 120


class TelemetryKind(StrEnum):
    """What a record observed. The values are its CloudEvents types."""

    CALL = "call.observed"
    RUN = "run.observed"
    QUEUE = "queue.observed"


class TelemetryResult(StrEnum):
    """How a call or a run ended. A reading of a queue has none."""

    OK = "ok"
    ERROR = "error"
    TIMEOUT = "timeout"
    RUNNING = "running"
    NONE = ""


@dataclass(frozen=True, slots=True)
class TelemetryRecord:
    """One observation. `name`: the service, the flow or the queue. `key` identifies the record.

    `weight`: how many calls a sampled call represents. `at`: when the call or the run ended, or
    when the queue was read; None: when the message was received. `text`: what the service answered
    or why it failed.
    """

    kind: TelemetryKind
    key: str
    name: str
    at: datetime | None = None
    operation: str = ""
    result: TelemetryResult = TelemetryResult.NONE
    weight: int = 1
    milliseconds: int | None = None
    http_status: int | None = None
    text: str = ""
    trace_id: str = ""
    run_id: str = ""
    url: str = ""
    started_at: datetime | None = None
    records_read: int | None = None
    records_written: int | None = None
    records_failed: int | None = None
    depth: int | None = None
    oldest_seconds: int | None = None
    objects: tuple[ObjectReference, ...] = ()
