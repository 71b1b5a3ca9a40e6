"""Endpoints that trace an order to its messages, and a message to its effects."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Q
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from connectors.sdk.events import EventType, ObjectKind
from visibility.models import Alert, AlertState, ClockState, MessageState
from visibility.screens.messages import order_and_message_lineage
from visibility.timeline.model import Status
from visibility.web.api.base import ApiView, is_integrator_only, user_permissions
from visibility.web.api.common_serializers import (
    AlertSerializer,
    DecimalTextField,
    EnumField,
    PermissionFilteredSerializer,
    Rfc3339Field,
    serialize_all,
)
from visibility.web.api.orders import surviving_order_or_404
from visibility.web.api.pagination import PAGING, KeysetRowLoader, PaginatedView, page_serializer
from visibility.web.api.request_body_serializers import MAX_ID
from visibility.web.permissions import Permission, has_permission

MAX_ALERTS = 500


class W3cTraceLinkSerializer(PermissionFilteredSerializer):
    """A W3C trace that the message belongs to."""

    trace_id = serializers.CharField()
    url = serializers.CharField(
        help_text="URL of the trace in the tracing tool; empty if none is configured."
    )


class EventMessageSerializer(PermissionFilteredSerializer):
    """The message of an event; `state` is null once retention has deleted the message."""

    id = serializers.CharField(source="message_id")
    state = EnumField(MessageState, allow_null=True)
    reason = serializers.CharField(allow_null=True)
    attempts = serializers.IntegerField(allow_null=True)
    processed_at = Rfc3339Field(allow_null=True)
    traces = W3cTraceLinkSerializer(many=True)


class EventObjectSerializer(PermissionFilteredSerializer):
    """A business object that an event refers to."""

    id = serializers.IntegerField()
    kind = EnumField(ObjectKind)
    name = serializers.CharField(help_text="The canonical key of the object.")


class ClockEffectSerializer(PermissionFilteredSerializer):
    """An SLA clock that an event started or stopped, and the alert of that clock."""

    clock_action = EnumField(("started", "stopped"))
    rule = serializers.CharField()
    subject_key = serializers.CharField()
    due_at = Rfc3339Field()
    state = EnumField(ClockState)
    alert = serializers.IntegerField(source="alert_id", allow_null=True)
    alert_state = EnumField(AlertState, allow_null=True)
    alert_action = EnumField(("", "opened", "closed"))


class EventLineageSerializer(PermissionFilteredSerializer):
    """An event with its message, the objects it refers to, and its effects."""

    id = serializers.IntegerField(source="event.id")
    type = EnumField(EventType, source="event.type")
    key = serializers.CharField(source="event.key")
    source = serializers.CharField(source="event.source")  # type: ignore[assignment]  # not DRF's `source`
    occurred_at = Rfc3339Field(source="event.occurred_at")
    received_at = Rfc3339Field(source="event.received_at")
    recorded_at = Rfc3339Field(source="event.recorded_at")
    superseded = serializers.BooleanField(
        source="event.superseded", help_text="A newer version of its message replaced this event."
    )
    message = EventMessageSerializer(source="event")
    objects = EventObjectSerializer(many=True)
    effects = ClockEffectSerializer(
        many=True, help_text="Empty without permission to see the alerts of orders."
    )


class KpiFactSerializer(PermissionFilteredSerializer):
    """The contribution of an order to a KPI."""

    kpi = serializers.CharField()
    version = serializers.IntegerField()
    order = serializers.IntegerField(source="order_id")
    day = serializers.DateField()
    channel = serializers.CharField()
    warehouse = serializers.CharField()
    customer_group = serializers.CharField()
    numerator = DecimalTextField(allow_null=True)
    denominator = DecimalTextField(allow_null=True)
    excluded = serializers.CharField(help_text="Why the order does not count; empty if it counts.")
    subject_key = serializers.CharField(
        help_text="Empty for the order itself, the key of a line, or the ID of an event."
    )


class OrderLineageSerializer(PermissionFilteredSerializer):
    """The events of an order with their messages, and the order's alerts and KPI facts."""

    order = serializers.IntegerField()
    number = serializers.CharField()
    events = page_serializer("LineageEvents", EventLineageSerializer(many=True))
    alerts = AlertSerializer(many=True)
    kpis = KpiFactSerializer(many=True, help_text="Empty without permission to see KPIs.")


class AffectedOrderSerializer(PermissionFilteredSerializer):
    """An order that a message changed."""

    id = serializers.IntegerField(source="object_id")
    number = serializers.CharField()
    status = EnumField(Status)


class MessageLineageSerializer(PermissionFilteredSerializer):
    """Everything that resulted from a message."""

    id = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # not DRF's `source`
    received_at = Rfc3339Field()
    state = EnumField(MessageState)
    reason = serializers.CharField()
    traces = W3cTraceLinkSerializer(many=True)
    events = EventLineageSerializer(many=True)
    orders = AffectedOrderSerializer(many=True)
    alerts = AlertSerializer(many=True)
    kpis = KpiFactSerializer(many=True)


class OrderLineageView(PaginatedView):
    """`GET /orders/<id>/lineage`."""

    required_permissions = (Permission.ORDERS,)
    query_parameters = PAGING

    @extend_schema(
        operation_id="order_lineage",
        responses=OrderLineageSerializer,
    )
    def get(self, request: Request, order_id: int) -> Response:
        """Trace an order to its events and messages, and to its clocks, alerts and KPIs."""
        order = surviving_order_or_404(order_id)
        events = self.paginate_queryset(
            KeysetRowLoader(
                lambda limit, *after: order_and_message_lineage.load_order_events_with_messages(
                    order.object_id, after=after or None, limit=limit
                ),
                lambda event: (event.occurred_at, event.id),
            )
        )
        threads = order_and_message_lineage.add_objects_and_timer_effects_to_events(
            events, order_id=order.object_id
        )
        return Response(
            {
                "order": order.object_id,
                "number": order.number,
                "events": self.get_paginated_response(
                    _serialize_lineages_with_visible_effects(request, threads)
                ).data,
                "alerts": _serialize_visible_alerts(request, Q(order=order.object_id)),
                "kpis": _serialize_visible_kpi_facts(request, [order.object_id]),
            }
        )


class MessageLineageView(ApiView):
    """`GET /messages/<id>/lineage`."""

    required_permissions = (Permission.PARKED_SEE,)

    @extend_schema(operation_id="message_lineage", responses=MessageLineageSerializer)
    def get(self, request: Request, message_id: int) -> Response:
        """Trace a message to its events, objects, orders, alerts and KPI facts."""
        fed = (
            order_and_message_lineage.message_lineage(message_id) if message_id <= MAX_ID else None
        )
        if fed is None:
            raise Http404
        message, ids = fed.message, [order.object_id for order in fed.orders]
        return Response(
            {
                "id": str(message.id),
                "source": message.source.slug,
                "received_at": Rfc3339Field().to_representation(message.received_at),
                "state": message.state,
                "reason": message.reason,
                "traces": serialize_all(W3cTraceLinkSerializer, fed.traces),
                "events": _serialize_lineages_with_visible_effects(request, fed.events),
                "orders": serialize_all(AffectedOrderSerializer, fed.orders),
                "alerts": _serialize_visible_alerts(request, Q(order__in=ids)),
                "kpis": _serialize_visible_kpi_facts(request, ids),
            }
        )


def _may_see_order_alerts(request: Request) -> bool:
    return has_permission(request.user, Permission.ALERTS_SEE) and not is_integrator_only(request)


def _serialize_lineages_with_visible_effects(
    request: Request, threads: Iterable[order_and_message_lineage.EventLineage]
) -> list[dict[str, Any]]:
    events = serialize_all(EventLineageSerializer, threads)
    return (
        events if _may_see_order_alerts(request) else [{**event, "effects": []} for event in events]
    )


def _serialize_visible_alerts(request: Request, condition: Q) -> list[dict[str, Any]]:
    """The newest matching alerts, or none without permission to see them."""
    if not _may_see_order_alerts(request):
        return []
    alerts = Alert.objects.filter(condition).select_related(*AlertSerializer.related_fields)
    newest = alerts.order_by("-opened_at", "-pk")[:MAX_ALERTS]
    return serialize_all(AlertSerializer, newest, permissions=user_permissions(request))


def _serialize_visible_kpi_facts(request: Request, order_ids: list[int]) -> list[dict[str, Any]]:
    if not has_permission(request.user, Permission.KPIS):
        return []
    return serialize_all(
        KpiFactSerializer, order_and_message_lineage.load_kpi_facts_of_orders(order_ids)
    )
