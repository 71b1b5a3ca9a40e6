"""What a KPI page shows: date range, filters, periods of the charts, and the comparison."""

from dataclasses import dataclass
from datetime import date

from visibility.formatting import format_date
from visibility.kpi.dimensions import Dimension
from visibility.kpi.kpi import Kpi
from visibility.kpi.periods import Comparison, PeriodLength, compared_span
from visibility.kpi.query import DaySpan, KpiDimensionFilters

COMPARISON_LABELS = {
    Comparison.PREVIOUS: "Previous date range",
    Comparison.LAST_YEAR: "Same weekdays last year",
    Comparison.NONE: "No comparison",
}
# At the end of a line.
SHORT_COMPARISON_LABELS = {Comparison.PREVIOUS: "Previous", Comparison.LAST_YEAR: "Last year"}


@dataclass(frozen=True, slots=True)
class KpiSelection:
    """The selection of a KPI page. `label` names the date range."""

    span: DaySpan
    filters: KpiDimensionFilters
    today: date
    label: str
    length: PeriodLength
    comparison: Comparison = Comparison.PREVIOUS
    # Of the breakdown; at most two.
    by: tuple[Dimension, ...] = ()

    @property
    def compared(self) -> DaySpan | None:
        """The date range of the comparison."""
        return compared_span(self.span, self.comparison)

    @property
    def compared_label(self) -> str:
        """The comparison, as the menu names it."""
        return COMPARISON_LABELS[self.comparison]

    @property
    def compared_phrase(self) -> str:
        """What the value is compared with: `the previous 28 days`."""
        return comparison_phrase(self.comparison, self.span)

    @property
    def dates(self) -> str:
        """The dates of the range."""
        return format_span(self.span)

    @property
    def compared_dates(self) -> str:
        """The dates of the comparison: `Mon, Jan 5, 2026 to Sun, Jan 11, 2026`."""
        span = self.compared
        return format_span(span) if span else ""


def comparison_phrase(comparison: Comparison, span: DaySpan) -> str:
    """What a value of the range is compared with; "" without a comparison."""
    if comparison is Comparison.NONE:
        return ""
    if comparison is Comparison.LAST_YEAR:
        return "the same weekdays last year"
    days = span.day_count
    return f"the previous {days} days" if days > 1 else "the previous day"


def format_span(span: DaySpan) -> str:
    """`Mon, Jan 5, 2026 to Sun, Jan 11, 2026`, or one date."""
    first, last = (format_date(day, year=True) for day in (span.start, span.end))
    return first if first == last else f"{first} to {last}"


def breakdown_dimensions(kpi: Kpi, by: tuple[Dimension, ...]) -> tuple[Dimension, ...]:
    """The selected dimensions that the KPI has; by default channel and warehouse."""
    wanted = tuple(name for name in by if name in kpi.dimensions)
    if wanted:
        return wanted
    usual: tuple[Dimension, ...] = ("channel", "warehouse")
    return tuple(name for name in usual if name in kpi.dimensions) or kpi.dimensions[:1]
