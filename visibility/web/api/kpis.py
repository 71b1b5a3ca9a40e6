"""Endpoints of the KPIs: definitions, values and the orders behind a value."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from connectors.sdk.event_codec import format_decimal
from visibility.db.database_time import database_now
from visibility.formatting import in_zone
from visibility.kpi import drilldown, query
from visibility.kpi.dimensions import DIMENSIONS, Dimension
from visibility.kpi.kpi import Kpi, KpiFamily
from visibility.kpi.periods import Comparison, PeriodLength, compared_span
from visibility.kpi.query import DaySpan, KpiDimensionFilters, KpiSummary, TooManyFacts
from visibility.kpi.registry import kpi_registry
from visibility.storage.organization import organization_time_zone
from visibility.web.api.base import ApiView
from visibility.web.api.common_serializers import serialize_all
from visibility.web.api.kpi_serializers import (
    KpiDefinitionListSerializer,
    KpiDefinitionSerializer,
    KpiOrderSerializer,
    KpiValueSerializer,
)
from visibility.web.api.pagination import PAGING, ApiListView, KeysetRowLoader
from visibility.web.api.problem_responses import InvalidInput
from visibility.web.api.query_params import QueryParameter, enum_param, parse_day
from visibility.web.permissions import Permission

DEFAULT_RANGE = timedelta(days=29)
MAX_RANGE = timedelta(days=400)
# A breakdown returns at most this many slices and counts the others.
MAX_SLICES = 1_000
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
OUTCOME_PARAMETER = QueryParameter(
    "outcome",
    "Which orders or events. Default: `missed`; for the family `stock`, `counted`: the open ones.",
    choices=(*drilldown.ORDER_GROUPS, drilldown.UNCOUNTABLE),
)
REASON_PARAMETER = QueryParameter(
    "reason", "Only orders excluded, or with uncountable lines, for this reason."
)
KPI_PARAMETERS = (*RANGE_PARAMETERS, BY_PARAMETER, COMPARE_PARAMETER, *FILTER_PARAMETERS)
ORDER_PARAMETERS = (
    *RANGE_PARAMETERS,
    OUTCOME_PARAMETER,
    REASON_PARAMETER,
    *FILTER_PARAMETERS,
    *PAGING,
)


class KpiDefinitionListView(ApiView):
    """`GET /kpis`."""

    required_permissions = (Permission.KPIS,)

    @extend_schema(operation_id="kpis", responses=KpiDefinitionListSerializer)
    def get(self, request: Request) -> Response:
        """List the KPI definitions."""
        return Response({"items": serialize_all(KpiDefinitionSerializer, kpi_registry().values())})


@dataclass(frozen=True, slots=True)
class KpiQuery:
    """A KPI with a date range and filters."""

    kpi: Kpi
    span: DaySpan
    filters: KpiDimensionFilters


class KpiValueView(ApiView):
    """`GET /kpis/<code>`."""

    required_permissions = (Permission.KPIS,)
    query_parameters = KPI_PARAMETERS

    @extend_schema(operation_id="kpi", responses=KpiValueSerializer)
    def get(self, request: Request, code: str) -> Response:
        """Retrieve a KPI value with its numerator, denominator and exclusions by reason."""
        kpi_query, by = _parse_kpi_query(code, self.params), self.params.get(BY_PARAMETER.name)
        with _reraise_too_many_facts_as_invalid():
            now = database_now() if kpi_query.kpi.family is KpiFamily.STOCK else None
            total = query.summary(kpi_query.kpi, kpi_query.span, kpi_query.filters, now=now)
            compared = compared_span(
                kpi_query.span,
                Comparison(self.params.get(COMPARE_PARAMETER.name, Comparison.PREVIOUS)),
            )
            before = query.summary(kpi_query.kpi, compared, kpi_query.filters) if compared else None
            slices = _query_summaries_by_period_or_dimension(kpi_query, by) if by else []
        return Response(
            {
                "kpi": code,
                "version": kpi_query.kpi.version,
                "unit": kpi_query.kpi.unit.value,
                "from": kpi_query.span.start.isoformat(),
                "to": kpi_query.span.end.isoformat(),
                "total": _serialize_kpi_summary(total)
                | {"excluded": dict(total.excluded), "uncountable": dict(total.uncountable)},
                "compared": {
                    "from": compared.start.isoformat(),
                    "to": compared.end.isoformat(),
                }
                | _serialize_kpi_summary(before)
                if compared and before
                else None,
                "by": by,
                "slices": [
                    {"name": name} | _serialize_kpi_summary(summary)
                    for name, summary in slices[:MAX_SLICES]
                ],
                "slices_omitted": max(len(slices) - MAX_SLICES, 0),
            }
        )


@extend_schema_view(get=extend_schema(operation_id="kpi_orders"))
class KpiOrderListView(ApiListView):
    """List the orders behind a KPI value, latest day first."""

    required_permissions = (Permission.KPIS, Permission.ORDERS)
    query_parameters = ORDER_PARAMETERS
    serializer_class = KpiOrderSerializer

    def get_queryset(self) -> Any:
        """The orders of one group. Raises Http404, InvalidInput."""
        kpi_query = _parse_kpi_query(self.kwargs["code"], self.params)
        return KeysetRowLoader(
            lambda limit, after="": _load_order_page(
                kpi_query,
                limit,
                after,
                self.params.get(
                    OUTCOME_PARAMETER.name,
                    drilldown.selectable_order_groups_of_kpi(kpi_query.kpi)[0],
                ),
                self.params.get(REASON_PARAMETER.name, ""),
            ),
            lambda order: [order.cursor],
        )


def _parse_kpi_query(code: str, params: Mapping[str, Any]) -> KpiQuery:
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
    asked: dict[str, str] = {name: name for name in filters.filtered_values_by_dimension()}
    if params.get(BY_PARAMETER.name, PeriodLength.DAY) not in set(PeriodLength):
        asked[params[BY_PARAMETER.name]] = BY_PARAMETER.name
    for dimension, parameter in asked.items():
        if dimension not in kpi.dimensions:
            raise InvalidInput(
                parameter, f"{code} has the dimensions {', '.join(sorted(kpi.dimensions))}"
            )
    return KpiQuery(kpi, DaySpan(start, end), filters)


@contextmanager
def _reraise_too_many_facts_as_invalid() -> Iterator[None]:
    """Raises InvalidInput instead of TooManyFacts."""
    try:
        yield
    except TooManyFacts as error:
        raise InvalidInput(
            "from", f"choose a shorter range or fewer filters: the combination has {error}"
        ) from error


def _load_order_page(
    kpi_query: KpiQuery, limit: int, after: str, outcome: str, reason: str
) -> list[drilldown.KpiOrderLineOrEvent]:
    group = next(g for g in (*drilldown.ORDER_GROUPS, drilldown.UNCOUNTABLE) if g == outcome)
    with _reraise_too_many_facts_as_invalid():
        return drilldown.load_order_page(
            kpi_query.kpi,
            kpi_query.span,
            kpi_query.filters,
            group=group,
            reason=reason,
            after=after,
            limit=limit,
        )


def _query_summaries_by_period_or_dimension(
    kpi_query: KpiQuery, by: str
) -> list[tuple[str, KpiSummary]]:
    kpi, span, filters = kpi_query.kpi, kpi_query.span, kpi_query.filters
    if by in set(PeriodLength):
        values = query.summaries_by_period([kpi], span, PeriodLength(by), filters)[kpi.code]
        return [(start.isoformat(), summary) for start, summary in values]
    dimension: Dimension = next(name for name in DIMENSIONS if name == by)
    return [
        (row.names[0], row.summary)
        for row in query.summaries_by_dimensions(kpi, span, [dimension], filters)
    ]


def _serialize_kpi_summary(summary: KpiSummary) -> dict[str, Any]:
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
