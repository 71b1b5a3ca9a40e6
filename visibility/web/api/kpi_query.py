"""The query parameters of the KPI endpoints, and what they select."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.http import Http404

from connectors.sdk.event_codec import format_decimal
from visibility.db.database_time import database_now
from visibility.formatting import in_zone
from visibility.kpi.contributions import KpiSegment
from visibility.kpi.dimensions import DIMENSIONS, Dimension
from visibility.kpi.kpi import Kpi
from visibility.kpi.periods import Comparison, PeriodLength, compared_span
from visibility.kpi.query import DaySpan, KpiDimensionFilters, KpiSummary, TooManyFacts
from visibility.kpi.registry import kpi_registry
from visibility.screens.kpis.selection import KpiSelection, format_span
from visibility.storage.organization import organization_time_zone
from visibility.web.api.problem_responses import InvalidInput
from visibility.web.api.query_params import QueryParameter, enum_param, parse_day

DEFAULT_RANGE = timedelta(days=29)
MAX_RANGE = timedelta(days=400)
RANGE_PARAMETERS = (
    QueryParameter(
        "from", "First day. Default: 29 days before `to`.", parse_day, openapi_format="date"
    ),
    QueryParameter("to", "Last day. Default: today.", parse_day, openapi_format="date"),
)
FILTER_PARAMETERS = tuple(
    QueryParameter(name, f"Filter by {title.lower()}.") for name, title in DIMENSIONS.items()
)
BY_PARAMETER = QueryParameter(
    "by",
    "Also return the value for each of these. A week or month has the name of its first day.",
    choices=(*DIMENSIONS, *PeriodLength),
)
COMPARE_PARAMETER = enum_param(
    "compare",
    "What the value is compared with: as many days before (default), the same weekdays of last "
    "year, or nothing.",
    Comparison,
)
AND_PARAMETER = QueryParameter(
    "and", "With `by` a dimension: break down by this one, too.", choices=tuple(DIMENSIONS)
)
KPI_PARAMETERS = (
    *RANGE_PARAMETERS,
    BY_PARAMETER,
    AND_PARAMETER,
    COMPARE_PARAMETER,
    *FILTER_PARAMETERS,
)


@dataclass(frozen=True, slots=True)
class KpiQuery:
    """A KPI with a date range, filters, comparison, and the dimensions of a breakdown."""

    kpi: Kpi
    span: DaySpan
    filters: KpiDimensionFilters
    comparison: Comparison
    dimensions: tuple[Dimension, ...]

    @property
    def compared(self) -> DaySpan | None:
        """The date range of the comparison."""
        return compared_span(self.span, self.comparison)

    def selection(self, today: date, length: PeriodLength) -> KpiSelection:
        """What the page of the KPI shows with these parameters."""
        return KpiSelection(
            self.span,
            self.filters,
            today,
            format_span(self.span),
            length,
            self.comparison,
            self.dimensions,
        )


def parse_kpi_query(code: str, params: Mapping[str, Any]) -> KpiQuery:
    """Parse the KPI, the date range and the filters. Raises Http404, InvalidInput.

    A filter or breakdown by a dimension that the KPI lacks is refused.
    """
    kpi = kpi_registry().get(code)
    if kpi is None:
        raise Http404
    end = params.get("to") or in_zone(database_now(), organization_time_zone()).date()
    start = params.get("from") or end - DEFAULT_RANGE
    if start > end:
        raise InvalidInput("from", "must not be after `to`")
    if end - start >= MAX_RANGE:
        raise InvalidInput("from", f"the range must be at most {MAX_RANGE.days} days")
    filters = KpiDimensionFilters(**{name: params.get(name) for name in DIMENSIONS})
    dimensions = _parse_dimensions(params)
    asked: dict[str, str] = {name: name for name in filters.filtered_values_by_dimension()}
    asked |= dict(zip(dimensions, (BY_PARAMETER.name, AND_PARAMETER.name), strict=False))
    for dimension, parameter in asked.items():
        if dimension not in kpi.dimensions:
            raise InvalidInput(
                parameter, f"{code} has the dimensions {', '.join(sorted(kpi.dimensions))}"
            )
    comparison = Comparison(params.get(COMPARE_PARAMETER.name, Comparison.PREVIOUS))
    return KpiQuery(kpi, DaySpan(start, end), filters, comparison, dimensions)


def _parse_dimensions(params: Mapping[str, Any]) -> tuple[Dimension, ...]:
    """The dimensions of `by` and `and`. Raises InvalidInput."""
    by, second = params.get(BY_PARAMETER.name), params.get(AND_PARAMETER.name)
    if second is not None and (by not in DIMENSIONS or by == second):
        raise InvalidInput(AND_PARAMETER.name, "needs another dimension in `by`")
    return tuple(name for wanted in (by, second) for name in DIMENSIONS if name == wanted)


@contextmanager
def reraise_too_many_facts_as_invalid() -> Iterator[None]:
    """Raises InvalidInput instead of TooManyFacts."""
    try:
        yield
    except TooManyFacts as error:
        raise InvalidInput(
            "from", f"choose a shorter range or fewer filters: the combination has {error}"
        ) from error


def serialize_kpi_summary(summary: KpiSummary) -> dict[str, Any]:
    """A value as `KpiNumeratorDenominatorSerializer` describes it."""
    value = summary.value
    return {
        "value": None if value is None else format_decimal(round(value, 6)),
        "numerator": format_decimal(Decimal(summary.numerator)),
        "denominator": format_decimal(Decimal(summary.denominator)),
        "orders": summary.orders,
        "median_seconds": summary.median,
        "p90_seconds": summary.p90,
        "oldest_seconds": summary.oldest,
    }


def serialize_target(target: Decimal | None) -> str | None:
    """A target as `KpiDefinitionSerializer` describes it."""
    return None if target is None else format_decimal(target)


def serialize_segment(segment: KpiSegment, target: Decimal | None) -> dict[str, Any]:
    """The value of a segment, its target, the value before, and its part of the change."""
    contribution = segment.contribution
    return serialize_kpi_summary(segment.summary) | {
        "target": serialize_target(target),
        "compared": serialize_kpi_summary(segment.before) if segment.before else None,
        "contribution": None if contribution is None else format_decimal(round(contribution, 6)),
    }
