"""What is known about one source at one moment: the input of the rules about sources."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from connectors.sdk.connector import SourceRole
from visibility.sla.batch_findings import BatchHistory
from visibility.sla.observed_telemetry import FinishedRun, ObservedCalls, ObservedQueue
from visibility.sla.secret_end import SecretEnd
from visibility.sla.source_evidence import EventTypeActivity

MAX_COUNTED = 1000
# Why a status needs no mapping any more; also the resolution of its alert.
MAPPED = "The status is mapped."
IGNORED = "The status is ignored."


@dataclass(frozen=True, slots=True)
class UnmappedStatusWithSettlement:
    """A status text that the connector could not map.

    `settled`: why it needs no mapping any more; empty if it needs one. `is_pending`: it is mapped,
    but orders with its messages are not processed again yet.
    """

    text: str
    settled: str = ""
    is_pending: bool = False


@dataclass(frozen=True, slots=True)
class ChangedFields:
    """There are changes of the fields of messages of one type that no person accepted yet.

    `since`: when the first of them was seen. `concerns_read_fields`: whether the connector reads
    one of them.
    """

    event_type: str
    since: datetime
    concerns_read_fields: bool = False


@dataclass(frozen=True, slots=True)
class OutdatedVersion:
    """A version of messages that a source sends and that is deprecated or not supported.

    `ends_on`: when the vendor ends it, if it is known.
    """

    name: str
    version: str
    is_deprecated: bool
    ends_on: date | None
    first_seen_at: datetime
    last_seen_at: datetime

    @property
    def key(self) -> str:
        """What identifies it among the versions of the source."""
        return f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True)
class SourceSnapshot:
    """The state of one source `as_of` a moment.

    `expected_interval`: after this long without data the source counts as silent; None: never.
    `last_message_at`: of any message. `last_data_at`: of an applied message, or of a poll that
    found nothing new. `event_types`: those with a limit of their own.
    `is_in_maintenance`: its planned maintenance runs; `maintenance_ended_at`: the latest one ended.
    `pending_count` and `parked_count` are counted up to `MAX_COUNTED`. `batches`: None without a
    schedule of batches.
    """

    slug: str
    title: str
    role: SourceRole
    as_of: datetime
    watched_since: datetime
    last_message_at: datetime | None = None
    last_data_at: datetime | None = None
    expected_interval: timedelta | None = None
    event_types: tuple[EventTypeActivity, ...] = ()
    is_in_maintenance: bool = False
    maintenance_ended_at: datetime | None = None
    pending_count: int = 0
    parked_count: int = 0
    statuses: tuple[UnmappedStatusWithSettlement, ...] = ()
    secret_ends: tuple[SecretEnd, ...] = ()
    changed_fields: tuple[ChangedFields, ...] = ()
    calls: tuple[ObservedCalls, ...] = ()
    queues: tuple[ObservedQueue, ...] = ()
    last_runs: tuple[FinishedRun, ...] = ()
    outdated_versions: tuple[OutdatedVersion, ...] = ()
    batches: BatchHistory | None = None
