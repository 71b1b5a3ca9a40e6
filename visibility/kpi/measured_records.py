"""The base classes of KPIs that measure messages, polls, alerts, and actions of people.

A record has one fact in each of these KPIs, whose `subject_key` is the key of the record. It is
measured again whenever the record changes.
"""

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Generic, TypeVar

from visibility.kpi.dimensions import Dimension
from visibility.kpi.kpi import EventMeasurement, Kpi, KpiFamily, KpiMeasurement
from visibility.timeline import Timeline


class RecordKind(StrEnum):
    """What a KPI measures. The triggers of the four tables write these values."""

    MESSAGE = "message"
    POLL = "poll"
    ALERT = "alert"
    ACTION = "action"

    @property
    def may_be_about_order(self) -> bool:
        """Whether a record of this kind may be about an order."""
        return self in {RecordKind.ALERT, RecordKind.ACTION}


@dataclass(frozen=True, slots=True)
class MeasuredRecord:
    """What every record has: its key, its times, and the values of its dimensions.

    The record counts on the day of `started_at`.
    """

    key: str
    started_at: datetime
    ended_at: datetime | None
    dimensions: Mapping[Dimension, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MessageRecord(MeasuredRecord):
    """A processed message, from its receipt. `parking_reason` is empty if it was applied."""

    parking_reason: str = ""


@dataclass(frozen=True, slots=True)
class PollRecord(MeasuredRecord):
    """A poll of a source. `error` is empty if it succeeded.

    `is_throttled`: the system asked not to be polled for some time.
    """

    error: str = ""
    is_throttled: bool = False


@dataclass(frozen=True, slots=True)
class AlertRecord(MeasuredRecord):
    """One episode of an alert, from when it was opened or reopened for people.

    `ended_at`: when it was resolved or withdrawn. `kind` and `severity` are codes.
    """

    acknowledged_at: datetime | None = None
    kind: str = ""
    severity: str = ""


@dataclass(frozen=True, slots=True)
class ActionRecord(MeasuredRecord):
    """An action of a person on an alert: acknowledged, assigned, snoozed, resolved or noted."""

    action: str = ""


Record = TypeVar("Record", bound=MeasuredRecord)


class RecordKpi(Kpi, Generic[Record]):
    """A KPI of records. Definitions subclass one of the four classes below.

    Its value is that of other KPIs of the family: the sum of the numerators divided by the sum of
    the denominators; for a duration, the median and P90.
    """

    family = KpiFamily.MEASURE
    record_kind: ClassVar[RecordKind]
    dimensions: ClassVar[tuple[Dimension, ...]] = (
        "source",
        "channel",
        "warehouse",
        "customer_group",
    )

    def measurements(self, timeline: Timeline, zone: str) -> Iterable[KpiMeasurement]:
        """No facts: orders do not count."""
        return ()

    @abstractmethod
    def measure_record(self, record: Record) -> EventMeasurement | None:
        """How one record counts; None if it does not count, or not yet. A pure function."""


class MessageKpi(RecordKpi[MessageRecord]):
    """A KPI of processed messages, each on the day of its receipt."""

    record_kind = RecordKind.MESSAGE
    counted = "messages"
    subject = "message"
    no_value_reason = "no messages were processed"


class PollKpi(RecordKpi[PollRecord]):
    """A KPI of polls, each on the day when it ended."""

    record_kind = RecordKind.POLL
    counted = "polls"
    subject = "poll"
    no_value_reason = "no source was polled"


class AlertKpi(RecordKpi[AlertRecord]):
    """A KPI of alerts. Each time that an alert is opened or reopened counts on its day."""

    record_kind = RecordKind.ALERT
    counted = "alerts"
    subject = "alert"
    no_value_reason = "no alerts were opened"


class ActionKpi(RecordKpi[ActionRecord]):
    """A KPI of people's actions on alerts, each on its day."""

    record_kind = RecordKind.ACTION
    counted = "actions"
    subject = "action"
    no_value_reason = "no alerts were handled"
