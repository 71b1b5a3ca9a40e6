"""The value axes of KPI charts: they do not exaggerate small differences.

A ratio has an axis of at least 10 points, from and to a multiple of 5 points, at most 100%. A
duration or a number has an axis that starts at 0.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from visibility.formatting import format_percent
from visibility.kpi.query import KpiSummary
from visibility.screens.charts import ValueAxisFormat

SECONDS_PER_DAY = 86_400

# All of these in percentage points.
SHORTEST_AXIS, STEP, HUNDRED = 10, 5, 100


@dataclass(frozen=True, slots=True)
class RatioAxis:
    """The ends of the axis of a ratio, as fractions."""

    low: float
    high: float

    @property
    def note(self) -> str:
        """A sentence for an axis that does not show all of 0% to 100%; else ""."""
        if (self.low, self.high) == (0, 1):
            return ""
        low, high = (format_percent(end).replace(".0%", "%") for end in (self.low, self.high))
        return f"Axis from {low} to {high}."


def ratio_axis(values: Iterable[float | None]) -> RatioAxis:
    """The axis for these fractions; pass the target, too."""
    known = [Decimal(str(value)) * HUNDRED for value in values if value is not None]
    if not known:
        return RatioAxis(0, 1)
    low = int((min(known) / STEP).to_integral_value(ROUND_FLOOR)) * STEP
    high = int((max(known) / STEP).to_integral_value(ROUND_CEILING)) * STEP
    while high - low < SHORTEST_AXIS:
        is_above_free = high < HUNDRED
        high, low = (high + STEP, low) if is_above_free else (high, low - STEP)
        if high - low < SHORTEST_AXIS and low > 0:
            low -= STEP
    return RatioAxis(max(low, 0) / HUNDRED, max(high, 0) / HUNDRED)


def axis_of_ratio(ratio: RatioAxis) -> ValueAxisFormat:
    return ValueAxisFormat(".1%", maximum=max(1.0005, ratio.high), ends=(ratio.low, ratio.high))


def choose_axis_and_divisor(total: KpiSummary) -> tuple[ValueAxisFormat, float]:
    """The axis of durations, and the divisor that converts seconds to its unit."""
    if (total.p90 or SECONDS_PER_DAY * 2) >= SECONDS_PER_DAY * 2:
        return ValueAxisFormat(".1f", " d"), SECONDS_PER_DAY
    if (total.p90 or 0) >= 2 * 3_600:
        return ValueAxisFormat(".1f", " h"), 3_600
    return (
        (ValueAxisFormat(".0f", " min"), 60)
        if (total.p90 or 0) >= 120
        else (ValueAxisFormat(".0f", " s"), 1)
    )


def convert_to_axis_unit(value: float | Decimal | None, scale: float) -> float | None:
    return None if value is None else round(float(value) / scale, 4)
