"""Endpoints of orders: search and list, detail, timeline."""

from datetime import datetime

from django.conf import settings
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from connectors.sdk.event_codec import format_rfc3339
from visibility.db.clock import database_now
from visibility.models import Milestone, Order, Shipment
from visibility.screens.orders.suppressed_conflicts import split_suppressed_conflicts
from visibility.timeline import Timeline
from visibility.timeline.enums import OrderState
from visibility.timeline.model import MilestoneCode, Status
from visibility.timeline.status_answer import status_answer
from visibility.web.api import order_queries as queries
from visibility.web.api.base import ApiView, is_integrator_only, user_permissions
from visibility.web.api.common_serializers import serialize, serialize_all
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
    KeysetPageRequest,
    page_serializer,
    parse_cursor_time,
)
from visibility.web.api.problems import InvalidInput
from visibility.web.api.query_params import (
    QueryParameter,
    enum_param,
    parse_time,
)
from visibility.web.api.request_bodies import MAX_ID
from visibility.web.api.timeline_serializers import TimelineEventSerializer, TimelineSerializer
from visibility.web.permissions import Permission

FILTER_FIELDS = {
    "status": "status",
    "state": "states__contains",
    "channel": "channel",
    "warehouse": "warehouse",
    "customer": "customer_no",
}
LIST_PARAMETERS = (
    QueryParameter(
        "q", "Any number of the order or of its shipments, packages, invoices or returns."
    ),
    enum_param("status", "Order status.", Status),
    enum_param("state", "State that applies to the order, such as `conflict`.", OrderState),
    QueryParameter("channel", "Sales channel."),
    QueryParameter("warehouse", "Shipping warehouse."),
    QueryParameter("customer", "Customer number."),
    QueryParameter(
        "since",
        "Orders whose latest event occurred at or after this time.",
        parse_time,
        openapi_format="date-time",
    ),
    *PAGING,
)
KNOWN_AT = QueryParameter(
    "as_known_at",
    "Show the timeline as it was known at this time.",
    parse_time,
    openapi_format="date-time",
)
MILESTONE_ORDER = list(MilestoneCode)


class OrderListView(ApiView):
    """`GET /orders`."""

    required_permissions = (Permission.ORDERS,)
    query_parameters = LIST_PARAMETERS

    @extend_schema(
        operation_id="orders",
        responses=page_serializer("Orders", OrderSerializer(many=True)),
    )
    def get(self, request: Request) -> Response:
        """Search or list orders, latest event first."""
        if "q" not in self.params and is_integrator_only(request):
            raise exceptions.PermissionDenied(
                "Your role can only search orders by number: `q` is required."
            )
        page = KeysetPageRequest("orders", self.params)
        after = page.decoded_cursor
        rows = queries.order_page(
            {
                field: [self.params[name]] if name == "state" else self.params[name]
                for name, field in FILTER_FIELDS.items()
                if name in self.params
            },
            since=self.params.get("since"),
            ids=_object_ids_by_number(self.params["q"]) if "q" in self.params else None,
            after=(parse_cursor_time(after[0]), after[1]) if after else None,
            limit=page.size + 1,
        )
        shown = rows[: page.size]
        next_cursor = None
        if len(rows) > page.size:
            last = shown[-1]
            next_cursor = page.encode_cursor(
                last.last_event_at.isoformat() if last.last_event_at else None, last.object_id
            )
        items = serialize_all(OrderSerializer, shown, permissions=user_permissions(request))
        return Response(page.build_page_content(items, next_cursor))


class OrderDetailView(ApiView):
    """`GET /orders/<id>`."""

    required_permissions = (Permission.ORDERS,)
    query_parameters = PAGING

    @extend_schema(operation_id="order", responses=OrderDetailSerializer)
    def get(self, request: Request, order_id: int) -> Response:
        """Retrieve an order with its lines, claims, shipments, identifiers and milestones.

        `cursor` and `page_size` paginate the lines. The id of a merged order returns the order it
        was merged into.
        """
        page = KeysetPageRequest(f"order {order_id}", self.params)
        order, permissions = surviving_order_or_404(order_id), user_permissions(request)
        after = page.decoded_cursor
        rows = queries.line_page(order, after=after[0] if after else 0, limit=page.size + 1)
        shown = rows[: page.size]
        now = database_now()
        order_timeline, has_suppressed = split_suppressed_conflicts(
            queries.fold_order_timeline(order.object_id, as_of=now), now=now
        )
        shipments = Shipment.objects.filter(order=order).order_by("shipped_at", "key")
        milestones = sorted(
            Milestone.objects.filter(order=order),
            key=lambda m: MILESTONE_ORDER.index(MilestoneCode(m.code)),
        )
        lines = serialize_all(OrderLineSerializer, shown, permissions=permissions)
        return Response(
            serialize(OrderSerializer, order, permissions=permissions)
            | (_values_without_suppressed_conflicts(order_timeline) if has_suppressed else {})
            | {
                "lines": page.build_page_content(
                    lines, page.encode_cursor(shown[-1].position) if len(rows) > page.size else None
                ),
                "claims": serialize_all(ClaimSerializer, order_timeline.claims),
                "conflicts": ConflictSerializer.serialize_visible(order_timeline, permissions),
                "promises": serialize_all(PromiseSerializer, order_timeline.promises),
                "shipments": serialize_all(ShipmentSerializer, shipments[: queries.MAX_DETAILS]),
                "identifiers": serialize_all(
                    IdentifierSerializer, queries.order_and_child_identifiers(order.object_id)
                ),
                "milestones": serialize_all(MilestoneSerializer, milestones),
            }
        )


class OrderTimelineView(ApiView):
    """`GET /orders/<id>/timeline`."""

    required_permissions = (Permission.ORDERS,)
    query_parameters = (KNOWN_AT, *PAGING)

    @extend_schema(
        operation_id="order_timeline",
        responses=TimelineSerializer,
    )
    def get(self, request: Request, order_id: int) -> Response:
        """List the events of an order, earliest first, optionally as known at an earlier time."""
        page, now = KeysetPageRequest(f"timeline {order_id}", self.params), database_now()
        known_at: datetime | None = self.params.get(KNOWN_AT.name)
        if known_at and known_at > now:
            raise InvalidInput(KNOWN_AT.name, "must not be in the future")
        order, permissions, after = (
            surviving_order_or_404(order_id),
            user_permissions(request),
            page.decoded_cursor,
        )
        # Later pages use the instant of the first page, so that a walk is consistent.
        first_instant = parse_cursor_time(after[1]) if after else None
        instant = known_at or first_instant or now
        order_timeline = queries.fold_order_timeline(
            order.object_id, as_of=instant, known_at=instant
        )
        if known_at is None:
            order_timeline, _ = split_suppressed_conflicts(order_timeline, now=now)
        start = after[0] if after else 0
        entries = order_timeline.entries[start : start + page.size]
        has_more = start + page.size < len(order_timeline.entries)
        current_answer = status_answer(order_timeline, zone=settings.TIME_ZONE)
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
                "conflicts": ConflictSerializer.serialize_visible(order_timeline, permissions),
                "promises": serialize_all(PromiseSerializer, order_timeline.promises),
                "milestones": serialize_all(MilestoneSerializer, milestones),
                "entries": page.build_page_content(
                    [
                        TimelineEventSerializer.serialize_entry(entry, order_timeline, permissions)
                        for entry in entries
                    ],
                    page.encode_cursor(start + page.size, instant.isoformat())
                    if has_more
                    else None,
                ),
            }
        )


def _values_without_suppressed_conflicts(folded: Timeline) -> dict[str, object]:
    """Values that replace those of the row while a silent feed suppresses conflicts."""
    return {
        "conflict_count": len(folded.conflicts),
        "states": [state.value for state in folded.states],
        "status_answer": status_answer(folded, zone=settings.TIME_ZONE).text,
    }


def _object_ids_by_number(number: str) -> list[int]:
    try:
        return queries.find_object_ids_by_number(number)
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
