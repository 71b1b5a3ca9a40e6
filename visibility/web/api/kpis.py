"""Endpoints of the KPIs: definitions, values and the orders behind a value."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.database_time import database_now
from visibility.formatting import in_zone
from visibility.kpi import drilldown, query
from visibility.kpi.contributions import load_segments
from visibility.kpi.kpi import KpiFamily
from visibility.kpi.periods import PeriodLength, split_into_periods
from visibility.kpi.query import NO_FILTERS, DaySpan
from visibility.kpi.registry import kpi_registry
from visibility.kpi.targets import KpiTargets, load_kpi_targets
from visibility.screens.kpis.provisional import ProvisionalRule, load_provisional_rule
from visibility.storage.organization import organization_time_zone
from visibility.web.api.base import ApiView
from visibility.web.api.common_serializers import serialize_all
from visibility.web.api.kpi_query import (
    AND_PARAMETER,
    BY_PARAMETER,
    FILTER_PARAMETERS,
    KPI_PARAMETERS,
    RANGE_PARAMETERS,
    KpiQuery,
    parse_kpi_query,
    reraise_too_many_facts_as_invalid,
    serialize_kpi_summary,
    serialize_segment,
    serialize_target,
)
from visibility.web.api.kpi_serializers import (
    KpiDefinitionListSerializer,
    KpiDefinitionSerializer,
    KpiOrderSerializer,
    KpiValueSerializer,
)
from visibility.web.api.pagination import PAGING, ApiListView, KeysetRowLoader
from visibility.web.api.query_params import QueryParameter
from visibility.web.permissions import Permission

# A breakdown returns at most this many slices and counts the others.
MAX_SLICES = 1_000
OUTCOME_PARAMETER = QueryParameter(
    "outcome",
    "Which orders or events. Default: `missed`; for the family `stock`, `counted`: the open ones.",
    choices=(*drilldown.ORDER_GROUPS, drilldown.UNCOUNTABLE),
)
REASON_PARAMETER = QueryParameter(
    "reason", "Only orders excluded, or with uncountable lines, for this reason."
)
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
        kpis = list(kpi_registry().values())
        today = in_zone(database_now(), organization_time_zone()).date()
        targets = load_kpi_targets(kpis, DaySpan(today, today))
        items = serialize_all(KpiDefinitionSerializer, kpis)
        for kpi, item in zip(kpis, items, strict=True):
            item["target"] = serialize_target(targets.target_for(kpi, NO_FILTERS, today))
        return Response({"items": items})


class KpiValueView(ApiView):
    """`GET /kpis/<code>`."""

    required_permissions = (Permission.KPIS,)
    query_parameters = KPI_PARAMETERS

    @extend_schema(operation_id="kpi", responses=KpiValueSerializer)
    def get(self, request: Request, code: str) -> Response:
        """Retrieve a KPI value with its numerator, denominator and exclusions by reason."""
        kpi_query, by = parse_kpi_query(code, self.params), self.params.get(BY_PARAMETER.name)
        with reraise_too_many_facts_as_invalid():
            now = database_now() if kpi_query.kpi.family is KpiFamily.STOCK else None
            total = query.summary(kpi_query.kpi, kpi_query.span, kpi_query.filters, now=now)
            compared = kpi_query.compared
            before = query.summary(kpi_query.kpi, compared, kpi_query.filters) if compared else None
            targets = load_kpi_targets([kpi_query.kpi], kpi_query.span)
            rule = load_provisional_rule(database_now(), kpi_query.filters)
            slices = _load_slices(kpi_query, by, targets, rule) if by else []
        target = targets.target_for(kpi_query.kpi, kpi_query.filters, kpi_query.span.end)
        return Response(
            {
                "kpi": code,
                "version": kpi_query.kpi.version,
                "unit": kpi_query.kpi.unit.value,
                "from": kpi_query.span.start.isoformat(),
                "to": kpi_query.span.end.isoformat(),
                "provisional": list(rule.reasons(kpi_query.kpi, kpi_query.span)),
                "target": serialize_target(target),
                "total": serialize_kpi_summary(total)
                | {"excluded": dict(total.excluded), "uncountable": dict(total.uncountable)},
                "compared": {
                    "from": compared.start.isoformat(),
                    "to": compared.end.isoformat(),
                }
                | serialize_kpi_summary(before)
                if compared and before
                else None,
                "by": by,
                "and": self.params.get(AND_PARAMETER.name),
                "slices": slices[:MAX_SLICES],
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
        kpi_query = parse_kpi_query(self.kwargs["code"], self.params)
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


def _load_order_page(
    kpi_query: KpiQuery, limit: int, after: str, outcome: str, reason: str
) -> list[drilldown.KpiOrderLineOrEvent]:
    group = next(g for g in (*drilldown.ORDER_GROUPS, drilldown.UNCOUNTABLE) if g == outcome)
    with reraise_too_many_facts_as_invalid():
        return drilldown.load_order_page(
            kpi_query.kpi,
            kpi_query.span,
            kpi_query.filters,
            group=group,
            reason=reason,
            after=after,
            limit=limit,
        )


def _load_slices(
    kpi_query: KpiQuery, by: str, targets: KpiTargets, rule: ProvisionalRule
) -> list[dict[str, Any]]:
    kpi, span, filters = kpi_query.kpi, kpi_query.span, kpi_query.filters
    if by in set(PeriodLength):
        values = query.summaries_by_period([kpi], span, PeriodLength(by), filters)[kpi.code]
        ends = {p.start: p.span.end for p in split_into_periods(span, PeriodLength(by), span.end)}
        return [
            {
                "name": start.isoformat(),
                "and_name": None,
                "compared": None,
                "contribution": None,
                "provisional": list(rule.reasons(kpi, DaySpan(start, ends[start]))),
                "target": serialize_target(targets.target_for(kpi, filters, ends[start])),
            }
            | serialize_kpi_summary(summary)
            for start, summary in values
        ]
    segments = load_segments(kpi, span, kpi_query.compared, kpi_query.dimensions, filters)
    return [
        {
            "name": segment.names[0],
            "and_name": segment.names[1] if len(segment.names) > 1 else None,
            "provisional": list(rule.reasons(kpi, span)),
        }
        | serialize_segment(
            segment,
            targets.target_of_slice(kpi, filters, segment.dimensions, segment.names, span.end),
        )
        for segment in segments
    ]
