"""The base classes of KPI definitions: the three families, and how orders and events count."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar
from zoneinfo import ZoneInfo

from visibility.kpi.dimensions import ORDER_DIMENSIONS, Dimension
from visibility.timeline import RecordedEvent, Timeline, TimelineLine
from visibility.timeline.events_counted_by_order import current_events_counted_for_order


class KpiUnit(StrEnum):
    """The unit of a KPI: a fraction of one, or a duration in seconds of an order or event."""

    PERCENT = "percent"
    DURATION = "duration"


class KpiFamily(StrEnum):
    """What a KPI counts: orders or lines that reached something, open orders, or events and other
    records."""

    FLOW = "flow"
    STOCK = "stock"
    MEASURE = "measure"


@dataclass(frozen=True, slots=True)
class KpiMeasurement:
    """One fact: the day, numerator and denominator, or the reason for its exclusion.

    `uncountable`: the number of excluded lines by reason. `subject_key`: what of the order counts:
    "" for the order itself, the key of a line, or the ID of an event. `dimensions`: the values that
    differ from those of the order. `started_at`, `ended_at`: the times that a stock or measure KPI
    counts.
    """

    day: date
    numerator: Decimal | None
    denominator: Decimal | None
    excluded: str = ""
    uncountable: Mapping[str, int] = field(default_factory=dict)
    subject_key: str = ""
    dimensions: Mapping[Dimension, str] = field(default_factory=dict)
    started_at: datetime | None = None
    ended_at: datetime | None = None


class Kpi(ABC):
    """A KPI. Definitions subclass `FlowKpi`, `LineFlowKpi`, `StockKpi` or `MeasureKpi`, or a class
    of `measured_records`.

    The facts of an order must be a pure function of its timeline. Increase `version` when a
    definition changes.
    """

    family: ClassVar[KpiFamily]
    code: ClassVar[str]
    title: ClassVar[str]
    unit: ClassVar[KpiUnit]
    version: ClassVar[int]
    # Unit of count, population, the day an order counts on, and exclusions, in business terms.
    definition: ClassVar[str]
    # The counted noun, as in "941 of 1,000 lines", "312 orders" and "90 events".
    counted: ClassVar[str]
    # What one fact is about, as in "4 orders excluded": order, line or event.
    subject: ClassVar[str] = "order"
    # What the KPI can be filtered and broken down by.
    dimensions: ClassVar[tuple[Dimension, ...]] = ORDER_DIMENSIONS
    # A fraction of 0..1, or seconds.
    target: ClassVar[Decimal | None] = None
    higher_is_better: ClassVar[bool]
    # Why there is no value if no order counts: "no orders were delivered".
    no_value_reason: ClassVar[str] = "no orders count yet"
    # What the drill-down calls one that reaches the KPI, and one that misses it.
    outcome_labels: ClassVar[tuple[str, str]] = ("Met", "Missed")
    # A phrase for each exclusion reason that a measurement may have.
    reasons: ClassVar[Mapping[str, str]] = {}

    @abstractmethod
    def measurements(self, timeline: Timeline, zone: str) -> Iterable[KpiMeasurement]:
        """The facts of one order, each with another `subject_key`; days are those in `zone`."""


class FlowKpi(Kpi):
    """A KPI of orders or their lines, each on the day when it reached something.

    The value of a date range is the sum of the numerators divided by the sum of the denominators;
    for a duration, the median and P90. Without a denominator there is no value.
    """

    family = KpiFamily.FLOW

    def measurements(self, timeline: Timeline, zone: str) -> Iterator[KpiMeasurement]:
        """The fact of the order, if it is not too early."""
        measured = self.measure(timeline, zone)
        if measured is not None:
            yield measured

    @abstractmethod
    def measure(self, timeline: Timeline, zone: str) -> KpiMeasurement | None:
        """How the order counts, with days in time zone `zone`; None while it is too early."""


class LineFlowKpi(Kpi):
    """A KPI of order lines, each on the day when it reached something, with its item.

    Its values are those of a `FlowKpi`. Lines of orders that it does not count yet have no fact.
    """

    family = KpiFamily.FLOW
    counted = "lines"
    subject = "line"
    dimensions: ClassVar[tuple[Dimension, ...]] = (*ORDER_DIMENSIONS, "item")

    def measurements(self, timeline: Timeline, zone: str) -> Iterator[KpiMeasurement]:
        """The facts of the lines that customers ordered, except those for which it is too early."""
        for line in timeline.lines:
            if line.is_counted:
                measured = self.measure_line(timeline, line, zone)
                if measured is not None:
                    dimensions: dict[Dimension, str] = {"item": line.sku, **measured.dimensions}
                    yield replace(measured, subject_key=line.key[:300], dimensions=dimensions)

    @abstractmethod
    def measure_line(
        self, timeline: Timeline, line: TimelineLine, zone: str
    ) -> KpiMeasurement | None:
        """How one line counts, with days in time zone `zone`; None while it is too early."""


@dataclass(frozen=True, slots=True)
class OpenInterval:
    """When an order is open in a stock KPI; `ended_at` is None while it is open.

    `excluded`: why it does not count, although it started.
    """

    started_at: datetime
    ended_at: datetime | None = None
    excluded: str = ""


class StockKpi(Kpi):
    """A KPI of the orders that are open at an instant: their number and their age.

    The value of a date range is the median and P90 of the ages at its end. An order is open at the
    end of a day if its interval started by then and did not end by then. Its fact has the day of
    the start, and as numerator the days until the day of the end: null while it is open.
    """

    family = KpiFamily.STOCK
    unit = KpiUnit.DURATION

    def measurements(self, timeline: Timeline, zone: str) -> Iterator[KpiMeasurement]:
        """The fact of the order, from the start of its interval on."""
        interval = self.open_interval(timeline)
        if interval is None:
            return
        start, end, info = interval.started_at, interval.ended_at, ZoneInfo(zone)
        day = start.astimezone(info).date()
        if interval.excluded:
            yield KpiMeasurement(day, None, None, interval.excluded)
            return
        days = None if end is None else Decimal((end.astimezone(info).date() - day).days)
        yield KpiMeasurement(day, days, Decimal(1), started_at=start, ended_at=end)

    @abstractmethod
    def open_interval(self, timeline: Timeline) -> OpenInterval | None:
        """When the order is open; None if it never was."""


class MeasureKpi(Kpi):
    """A KPI of events, each on the day when it occurred.

    The value of a date range is the sum of the numerators divided by the sum of the denominators;
    for a duration, the median and P90 of the events. Each event of an order counts once, also if it
    concerns several orders.
    """

    family = KpiFamily.MEASURE
    counted = "events"
    subject = "event"
    no_value_reason = "no events occurred"
    dimensions: ClassVar[tuple[Dimension, ...]] = (
        "source",
        "channel",
        "warehouse",
        "customer_group",
    )

    def measurements(self, timeline: Timeline, zone: str) -> Iterator[KpiMeasurement]:
        """The facts of the events that count for this order."""
        info = ZoneInfo(zone)
        for recorded in current_events_counted_for_order(timeline):
            measured = self.measure_event(recorded)
            if measured is not None:
                yield KpiMeasurement(
                    recorded.occurred_at.astimezone(info).date(),
                    measured.numerator,
                    measured.denominator,
                    measured.excluded,
                    subject_key=str(recorded.event_id),
                    dimensions={"source": recorded.source},
                    started_at=recorded.occurred_at,
                    ended_at=recorded.received_at,
                )

    @abstractmethod
    def measure_event(self, recorded: RecordedEvent) -> "EventMeasurement | None":
        """How one event counts; None if it does not count."""


@dataclass(frozen=True, slots=True)
class EventMeasurement:
    """How one event counts: numerator and denominator, or the reason for its exclusion.

    For a duration, the numerator is in seconds and the denominator is 1.
    """

    numerator: Decimal | None = None
    denominator: Decimal | None = None
    excluded: str = ""
