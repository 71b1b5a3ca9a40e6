"""What a KPI query asks for and returns: date range, filters, and values with their population."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from visibility.kpi.dimensions import DIMENSIONS, Dimension
from visibility.kpi.kpi import Kpi, KpiUnit

# A value of fewer orders is statistically unreliable.
SMALL_SAMPLE = 30


@dataclass(frozen=True, slots=True)
class KpiDimensionFilters:
    """The value of each dimension to filter by. None is no filter, "" is an unknown value."""

    channel: str | None = None
    warehouse: str | None = None
    customer_group: str | None = None
    customer: str | None = None
    carrier: str | None = None
    item: str | None = None
    supplier: str | None = None
    source: str | None = None

    def filtered_values_by_dimension(self) -> dict[Dimension, str]:
        """The value of each dimension that is filtered."""
        return {name: value for name in DIMENSIONS if (value := getattr(self, name)) is not None}

    def sql_condition_and_values(self, table: str = "") -> tuple[str, list[Any]]:
        """The SQL condition and its parameters, for facts; `table` is a prefix."""
        values = self.filtered_values_by_dimension()
        return "".join(f" AND {table}{name} = %s" for name in values), list(values.values())


NO_FILTERS = KpiDimensionFilters()


@dataclass(frozen=True, slots=True)
class DaySpan:
    """A range of days; `start` and `end` are included."""

    start: date
    end: date

    @property
    def day_count(self) -> int:
        """The number of days."""
        return (self.end - self.start).days + 1

    def previous(self) -> "DaySpan":
        """The previous range of the same length."""
        return DaySpan(self.start - timedelta(days=self.day_count), self.start - timedelta(days=1))

    def following(self) -> "DaySpan":
        """The next range of the same length."""
        return DaySpan(self.end + timedelta(days=1), self.end + timedelta(days=self.day_count))

    def later_half(self) -> "DaySpan":
        """The later half of the days; of an odd number, with the day in the middle."""
        return DaySpan(self.end - timedelta(days=(self.day_count + 1) // 2 - 1), self.end)

    def twice_as_long(self, most: int) -> "DaySpan":
        """As many days more before it, at most `most` days in all."""
        days = min(self.day_count * 2, most)
        return DaySpan(self.end - timedelta(days=days - 1), self.end)


@dataclass(frozen=True, slots=True)
class KpiSummary:
    """A KPI value with its population. `value` is None if no order counts.

    `orders`: the number of facts: orders, lines or events.
    """

    value: Decimal | None
    numerator: Decimal
    denominator: Decimal
    orders: int
    # Seconds.
    median: float | None = None
    p90: float | None = None
    # Only of a stock KPI.
    oldest: float | None = None
    excluded: Mapping[str, int] = field(default_factory=dict)
    # Excluded lines of counted orders, by reason.
    uncountable: Mapping[str, int] = field(default_factory=dict)

    @property
    def excluded_count(self) -> int:
        """The number of excluded orders."""
        return sum(self.excluded.values())

    @property
    def is_small_sample(self) -> bool:
        """Whether the value has too few orders to be reliable."""
        return self.orders < SMALL_SAMPLE

    def median_seconds_or_fraction(self, kpi: Kpi) -> float | None:
        """The main figure of the KPI: the fraction, or the median in seconds."""
        if kpi.unit is KpiUnit.DURATION:
            return self.median
        return None if self.value is None else float(self.value)


@dataclass(frozen=True, slots=True)
class KpiSlice:
    """One slice of a breakdown: its dimension values in the requested order, and its value."""

    names: tuple[str, ...]
    summary: KpiSummary


NO_ORDERS = KpiSummary(None, Decimal(0), Decimal(0), 0)
