"""The query string of the KPI pages: parse date range and filters, and build that of links."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.http import HttpRequest

from visibility.kpi.dimensions import DIMENSIONS, Dimension
from visibility.kpi.periods import Comparison, PeriodLength, default_period_length
from visibility.kpi.query import DaySpan, KpiDimensionFilters
from visibility.screens.kpis.overview_matrix import KpiMatrixByTwoDimensions
from visibility.screens.kpis.selection import KpiSelection
from visibility.screens.kpis.value_and_comparison_texts import dimension_value_label
from visibility.storage.organization import organization_time_zone
from visibility.web.date_range import (
    DEFAULT,
    default_range,
    parse_range_from_preset_or_dates,
    parse_single_day_range,
)

# The query parameter value for an unknown value of a dimension.
UNKNOWN_PARAM = "none"
# The dimension of each query parameter.
FILTER_PARAMS: Mapping[str, Dimension] = {
    "channel": "channel",
    "warehouse": "warehouse",
    "group": "customer_group",
    "customer": "customer",
    "carrier": "carrier",
    "item": "item",
    "supplier": "supplier",
    "source": "source",
}
# The dimensions of a breakdown: rows, and columns.
BREAKDOWN_PARAMS = ("rows", "columns")
# The query parameters that the order list has, too.
ORDER_LIST_PARAMS = ("channel", "warehouse", "group")


@dataclass(frozen=True, slots=True)
class KpiRequest:
    """The parsed query string. `problem` is the error if the date range is invalid."""

    span: DaySpan
    today: date
    filters: KpiDimensionFilters
    range_label: str
    preset: str
    problem: str
    query: Mapping[str, str]
    length: PeriodLength
    comparison: Comparison
    by: tuple[Dimension, ...]

    @property
    def selection(self) -> KpiSelection:
        """What the page shows."""
        return KpiSelection(
            self.span,
            self.filters,
            self.today,
            self.range_label,
            self.length,
            self.comparison,
            self.by,
        )

    def query_string_with(self, **changes: str) -> str:
        """The query string with some parameters changed; empty ones are omitted."""
        params = {**self.query, **changes}
        return urlencode({name: value for name, value in params.items() if value})

    def query_string_of_range(self, span: DaySpan) -> str:
        """The query string for another date range, which ends today at the latest."""
        dates = {"from": span.start.isoformat(), "to": min(span.end, self.today).isoformat()}
        return self.query_string_with(**dates, day="")


def parse_kpi_query_string(request: HttpRequest, now: datetime) -> KpiRequest:
    """Parse date range and filters. An invalid range becomes the last 28 days with a `problem`."""
    today = now.astimezone(ZoneInfo(organization_time_zone())).date()
    given = {name: request.GET.get(name, "").replace("\0", "")[:200] for name in request.GET}
    get = {name: given[name] for name in ("from", "to", *FILTER_PARAMS) if given.get(name)}
    other = {name: given[name] for name in ("kpi", "part", "reason") if given.get(name)}
    if (period := given.get("period", "")) in set(PeriodLength):
        other["period"] = period
    if (compare := given.get("compare", "")) in set(Comparison):
        other["compare"] = compare
    by = _parse_breakdown(given)
    other |= dict(zip(BREAKDOWN_PARAMS, by, strict=False))
    problem = ""
    try:
        chosen = parse_range_from_preset_or_dates(
            get.get("from", DEFAULT.code), get.get("to", "now"), today
        )
    except ValueError as error:
        chosen, problem = default_range(today), str(error)
        get.pop("from", None)
        get.pop("to", None)
    day = request.GET.get("day", "")
    if day:
        try:
            chosen = parse_single_day_range(day, today)
            other["day"] = day
        except ValueError:
            chosen, problem = default_range(today), "Invalid date"
    filters = KpiDimensionFilters(
        **{
            field: "" if get[name] == UNKNOWN_PARAM else get[name]
            for name, field in FILTER_PARAMS.items()
            if name in get
        }
    )
    return KpiRequest(
        chosen.span,
        today,
        filters,
        chosen.label,
        chosen.preset,
        problem,
        {**get, **other},
        PeriodLength(other["period"]) if "period" in other else default_period_length(chosen.span),
        Comparison(other.get("compare", Comparison.PREVIOUS)),
        by,
    )


def _parse_breakdown(given: Mapping[str, str]) -> tuple[Dimension, ...]:
    """The dimensions of `rows` and `columns`; unknown and repeated ones are ignored."""
    wanted = dict.fromkeys(given.get(name, "") for name in BREAKDOWN_PARAMS)
    return tuple(dimension for text in wanted for dimension in DIMENSIONS if dimension == text)


def slice_query_string(asked: KpiRequest, filters: Mapping[str, str]) -> str:
    """The query string for the orders of a slice."""
    slices = {name: value or UNKNOWN_PARAM for name, value in filters.items()}
    return asked.query_string_with(kpi="", **slices)


def undelivered_orders_query_string(asked: KpiRequest) -> str:
    """The query string for undelivered orders; "" if the order list lacks such a filter."""
    chosen = {name: asked.query[name] for name in FILTER_PARAMS if name in asked.query}
    has_other_filters = UNKNOWN_PARAM in chosen.values() or not chosen.keys() <= set(
        ORDER_LIST_PARAMS
    )
    return "" if has_other_filters else urlencode({**chosen, "undelivered": "1"})


def link_matrix_cells(asked: KpiRequest, matrix: KpiMatrixByTwoDimensions) -> dict[str, Any]:
    """The labels of the columns, and by row each cell with the query string of its orders."""
    return {
        "columns": [dimension_value_label(column) for column in matrix.columns],
        "rows": [
            (
                dimension_value_label(row),
                [
                    (
                        cell,
                        slice_query_string(asked, {"channel": cell.row, "warehouse": cell.column}),
                    )
                    if cell
                    else None
                    for cell in cells
                ],
            )
            for row, cells in matrix.rows
        ],
    }
