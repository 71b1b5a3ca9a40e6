"""The base class of KPI definitions: what a KPI measures and how one order counts."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

from visibility.timeline import Timeline


class KpiUnit(StrEnum):
    """The unit of a KPI: a fraction of one, or a duration in seconds per order."""

    PERCENT = "percent"
    DURATION = "duration"


@dataclass(frozen=True, slots=True)
class KpiMeasurement:
    """How one order counts: the day, numerator and denominator, or the reason for its exclusion.

    `uncountable` is the number of excluded lines by reason.
    """

    day: date
    numerator: Decimal | None
    denominator: Decimal | None
    excluded: str = ""
    uncountable: Mapping[str, int] = field(default_factory=dict)


class Kpi(ABC):
    """A KPI over a date range.

    `measure` must be a pure function of one order's timeline. The value of a date range is the sum
    of the numerators divided by the sum of the denominators; for a duration, the median and P90 of
    the orders. Without a denominator there is no value. Increase `version` when a definition
    changes.
    """

    code: ClassVar[str]
    title: ClassVar[str]
    unit: ClassVar[KpiUnit]
    version: ClassVar[int]
    # Unit of count, population, the day an order counts on, and exclusions, in business terms.
    definition: ClassVar[str]
    # The counted noun, as in "941 of 1,000 lines" and "312 orders".
    counted: ClassVar[str]
    # A fraction of 0..1, or seconds.
    target: ClassVar[Decimal | None] = None
    higher_is_better: ClassVar[bool]
    # Why there is no value if no order counts: "no orders were delivered".
    no_value_reason: ClassVar[str] = "no orders count yet"
    # A phrase for each exclusion reason that `measure` may return.
    reasons: ClassVar[Mapping[str, str]] = {}

    @abstractmethod
    def measure(self, timeline: Timeline, zone: str) -> KpiMeasurement | None:
        """How the order counts, with days in time zone `zone`; None while it is too early."""
