"""Endpoints of orders: search and list, detail, timeline."""

from datetime import datetime

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from connectors.sdk.event_codec import format_rfc3339
from visibility.db.database_time import database_now
from visibility.models import Milestone, Order, Shipment
from visibility.models.orders import URGENCY
from visibility.screens.lists.list_definition import SORT_PARAMETER
from visibility.screens.lists.list_filters import combined_condition
from visibility.screens.orders.order_columns import ORDER_LIST
from visibility.screens.orders.order_filters import ORDER_FILTERS
from visibility.screens.orders.suppress_conflicts_if_silent import split_suppressed_conflicts
from visibility.storage.organization import organization_time_zone
from visibility.timeline import Timeline
from visibility.timeline.model import MilestoneCode
from visibility.timeline.status_answer import status_answer
from visibility.web.api import find_orders_and_identifiers as queries
from visibility.web.api.base import is_integrator_only, user_permissions
from visibility.web.api.common_serializers import serialize, serialize_all
from visibility.web.api.list_export import SortableApiListView, sort_parameter
from visibility.web.api.list_filter_parameters import filter_parameters, requested_filters
from visibility.web.api.order_serializers import (
    ClaimSerializer,
    ConflictSerializer,
    IdentifierSerializer,
    MilestoneSerializer,
    OrderDetailSerializer,
    OrderLineSerializer,
    OrderSerializer,
    PromiseSerializer,
    ShipmentSerializer,
)
from visibility.web.api.pagination import (
    PAGING,
    KeysetRowLoader,
    PaginatedView,
    decode_cursor,
)
from visibility.web.api.problem_responses import InvalidInput
from visibility.web.api.query_params import (
    QueryParameter,
    parse_rfc3339_time,
)
from visibility.web.api.request_body_serializers import MAX_ID
from visibility.web.api.timeline_event_serializers import (
    TimelineEventSerializer,
    TimelineSerializer,
)
from visibility.web.list_page_context import viewer_of_request
from visibility.web.permissions import Permission

LIST_PARAMETERS = (
    QueryParameter(
        "q", "Any number of the order or of its shipments, packages, invoices or returns."
    ),
    *filter_parameters(ORDER_LIST),
    sort_parameter(ORDER_LIST),
    *PAGING,
)
KNOWN_AT = QueryParameter(
    "as_known_at",
    "Show the timeline as it was known at this time.",
    parse_rfc3339_time,
    openapi_format="date-time",
)
MILESTONE_ORDER = list(MilestoneCode)


@extend_schema_view(get=extend_schema(operation_id="orders"))
class OrderListView(SortableApiListView):
    """Search or list orders, latest event first by default."""

    list_definition = ORDER_LIST

    required_permissions = (Permission.ORDERS,)
    query_parameters = LIST_PARAMETERS
    serializer_class = OrderSerializer

    def get_queryset(self) -> QuerySet[Order]:
        """The orders that match the filters, or of these the ones with the number `q`."""
        viewer = viewer_of_request(self.request._request)
        filters = requested_filters(ORDER_LIST, self.params, viewer)
        orders = Order.objects.order_by("-last_event_at", "-object_id")
        if filters.values:
            orders = orders.filter(combined_condition(ORDER_FILTERS, filters, database_now()))
        if SORT_PARAMETER in self.params:
            orders = orders.filter(last_event_at__isnull=False).annotate(**URGENCY)
        if "q" in self.params:
            return orders.filter(object_id__in=_object_ids_by_number(self.params["q"]))
        if is_integrator_only(self.request):
            raise exceptions.PermissionDenied(
                "Your role can only search orders by number: `q` is required."
            )
        return orders


class CurrentOrderWithLinesView(PaginatedView):
    """`GET /orders/<id>`."""

    required_permissions = (Permission.ORDERS,)
    query_parameters = PAGING

    @extend_schema(operation_id="order", responses=OrderDetailSerializer)
    def get(self, request: Request, order_id: int) -> Response:
        """Retrieve an order with its lines, claims, shipments, identifiers and milestones.

        `cursor` and `page_size` paginate the lines. The id of a merged order returns the order it
        was merged into.
        """
        order, permissions = surviving_order_or_404(order_id), user_permissions(request)
        lines = self.paginate_queryset(queries.order_lines(order))
        now = database_now()
        order_timeline, has_suppressed = split_suppressed_conflicts(
            queries.fold_order_timeline(order.object_id, as_of=now), now=now
        )
        shipments = Shipment.objects.filter(order=order).order_by("shipped_at", "key")
        milestones = sorted(
            Milestone.objects.filter(order=order),
            key=lambda m: MILESTONE_ORDER.index(MilestoneCode(m.code)),
        )
        return Response(
            serialize(OrderSerializer, order, permissions=permissions)
            | (_conflict_count_states_and_status_answer(order_timeline) if has_suppressed else {})
            | {
                "lines": self.get_paginated_response(
                    serialize_all(OrderLineSerializer, lines, permissions=permissions)
                ).data,
                "claims": serialize_all(ClaimSerializer, order_timeline.claims),
                "conflicts": ConflictSerializer.serialize_visible_conflicts(
                    order_timeline, permissions
                ),
                "promises": serialize_all(PromiseSerializer, order_timeline.promises),
                "shipments": serialize_all(ShipmentSerializer, shipments[: queries.MAX_DETAILS]),
                "identifiers": serialize_all(
                    IdentifierSerializer, queries.order_and_child_identifiers(order.object_id)
                ),
                "milestones": serialize_all(MilestoneSerializer, milestones),
            }
        )


class OrderTimelineView(PaginatedView):
    """`GET /orders/<id>/timeline`."""

    required_permissions = (Permission.ORDERS,)
    query_parameters = (KNOWN_AT, *PAGING)

    @extend_schema(
        operation_id="order_timeline",
        responses=TimelineSerializer,
    )
    def get(self, request: Request, order_id: int) -> Response:
        """List the events of an order, earliest first, optionally as known at an earlier time."""
        now = database_now()
        known_at: datetime | None = self.params.get(KNOWN_AT.name)
        if known_at and known_at > now:
            raise InvalidInput(KNOWN_AT.name, "must not be in the future")
        order, permissions = surviving_order_or_404(order_id), user_permissions(request)
        # Later pages use the instant of the first page, so that a walk is consistent.
        _, first_instant = decode_cursor(request, self.params) or (0, None)
        instant = known_at or (datetime.fromisoformat(first_instant) if first_instant else now)
        order_timeline = queries.fold_order_timeline(
            order.object_id, as_of=instant, known_at=instant
        )
        if known_at is None:
            order_timeline, _ = split_suppressed_conflicts(order_timeline, now=now)
        entries = list(enumerate(order_timeline.entries, start=1))
        page = self.paginate_queryset(
            KeysetRowLoader(
                lambda limit, start=0, _="": entries[start : start + limit],
                lambda row: (row[0], instant),
            )
        )
        current_answer = status_answer(order_timeline, zone=organization_time_zone())
        milestones = sorted(
            order_timeline.milestones.values(), key=lambda m: MILESTONE_ORDER.index(m.code)
        )
        return Response(
            {
                "order": order.object_id,
                "number": order.number,
                "as_known_at": format_rfc3339(instant),
                "status": order_timeline.status.value,
                "status_since": format_rfc3339(order_timeline.status_since)
                if order_timeline.status_since
                else None,
                "status_answer": current_answer.text,
                "next_step": current_answer.next_step,
                "waiting_since": format_rfc3339(current_answer.since)
                if current_answer.since
                else None,
                "next_step_due_at": format_rfc3339(current_answer.due)
                if current_answer.due
                else None,
                "customer_answer": current_answer.customer,
                "states": [state.value for state in order_timeline.states],
                "conflicts": ConflictSerializer.serialize_visible_conflicts(
                    order_timeline, permissions
                ),
                "promises": serialize_all(PromiseSerializer, order_timeline.promises),
                "milestones": serialize_all(MilestoneSerializer, milestones),
                "entries": self.get_paginated_response(
                    [
                        TimelineEventSerializer.serialize_entry(entry, order_timeline, permissions)
                        for _, entry in page
                    ]
                ).data,
            }
        )


def _conflict_count_states_and_status_answer(folded: Timeline) -> dict[str, object]:
    """Values that replace those of the row while a silent feed suppresses conflicts."""
    return {
        "conflict_count": len(folded.conflicts),
        "states": [state.value for state in folded.states],
        "status_answer": status_answer(folded, zone=organization_time_zone()).text,
    }


def _object_ids_by_number(number: str) -> list[int]:
    try:
        return queries.find_object_and_ancestor_ids_by_number(number)
    except queries.NumberTooCommon:
        raise InvalidInput(
            "q", f"more than {queries.MAX_OBJECTS:,} records match; use a longer number"
        ) from None


def surviving_order_or_404(order_id: int) -> Order:
    """The order, or the order it was merged into. Raises Http404."""
    order = queries.find_surviving_order(order_id) if order_id <= MAX_ID else None
    if order is None:
        raise Http404
    return order
