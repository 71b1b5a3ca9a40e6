"""Endpoints of telemetry: calls and runs of an order; services, flows and queues of a source."""

from datetime import datetime
from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from connectors.sdk.telemetry import TelemetryKind, TelemetryResult
from visibility.db.database_time import database_now
from visibility.models import TelemetrySeries
from visibility.screens.telemetry import order_calls, source_figures
from visibility.web.api.base import ApiView
from visibility.web.api.common_serializers import (
    EnumField,
    PermissionFilteredSerializer,
    Rfc3339Field,
    serialize,
)
from visibility.web.api.orders import surviving_order_or_404
from visibility.web.api.pagination import PAGING, ApiListView, KeysetRowLoader
from visibility.web.api.query_params import QueryParameter
from visibility.web.permissions import Permission
from visibility.web.source_lookup import source_or_404

ONLY_FAILED = QueryParameter("failed", "1: only those that failed.", choices=("1",))


class TelemetrySampleSerializer(PermissionFilteredSerializer):
    """A stored call or run. `weight`: how many calls it represents."""

    id = serializers.CharField()
    at = Rfc3339Field()
    result = EnumField(TelemetryResult)
    is_failed = serializers.BooleanField(help_text="It failed, or records of the run did.")
    weight = serializers.IntegerField()
    milliseconds = serializers.IntegerField(allow_null=True)
    http_status = serializers.IntegerField(allow_null=True)
    text = serializers.CharField(allow_blank=True, help_text="The answer, or why it failed.")
    trace_id = serializers.CharField(allow_blank=True)
    run_id = serializers.CharField(allow_blank=True)
    url = serializers.CharField(allow_blank=True, help_text="The page of the run.")
    started_at = Rfc3339Field(allow_null=True)
    records_read = serializers.IntegerField(allow_null=True)
    records_written = serializers.IntegerField(allow_null=True)
    records_failed = serializers.IntegerField(allow_null=True)


class OrderCallSerializer(TelemetrySampleSerializer):
    """A call or a run of an order. `is_named`: it names a number, not only the trace."""

    kind = EnumField(TelemetryKind)
    name = serializers.CharField(help_text="The service or the flow.")
    operation = serializers.CharField(allow_blank=True)
    source = serializers.CharField()  # type: ignore[assignment]  # not DRF's `source`
    series = serializers.IntegerField(source="series_id")
    is_named = serializers.BooleanField()


class CallFiguresSerializer(PermissionFilteredSerializer):
    """A service with an operation, or a flow: its calls or runs of the last 24 hours."""

    series = serializers.IntegerField(source="series_id")
    kind = EnumField(TelemetryKind)
    name = serializers.CharField()
    operation = serializers.CharField(allow_blank=True)
    calls = serializers.IntegerField(help_text="Weighted by the sample rate.")
    records = serializers.IntegerField(help_text="How many were received.")
    failed = serializers.IntegerField(help_text="Weighted by the sample rate.")
    error_share = serializers.FloatField(allow_null=True)
    p50_ms = serializers.IntegerField(allow_null=True, help_text="Exact within 25%.")
    p95_ms = serializers.IntegerField(allow_null=True, help_text="Exact within 25%.")
    slowest_ms = serializers.IntegerField(allow_null=True)


class QueueFiguresSerializer(PermissionFilteredSerializer):
    """A queue: its last reading, and the greatest values of the last 24 hours."""

    series = serializers.IntegerField(source="series_id")
    name = serializers.CharField()
    last_at = Rfc3339Field()
    depth = serializers.IntegerField()
    oldest_seconds = serializers.IntegerField(allow_null=True)
    greatest_depth = serializers.IntegerField(allow_null=True)
    greatest_oldest_seconds = serializers.IntegerField(allow_null=True)


class SourceTelemetrySerializer(PermissionFilteredSerializer):
    """The services, flows and queues of a source."""

    calls = CallFiguresSerializer(many=True)
    queues = QueueFiguresSerializer(many=True)


class QueueHourSerializer(PermissionFilteredSerializer):
    """The readings of a queue in one hour: the last one and the greatest values."""

    hour = Rfc3339Field()
    readings = serializers.IntegerField()
    last_at = Rfc3339Field()
    last_depth = serializers.IntegerField()
    last_oldest_seconds = serializers.IntegerField(allow_null=True)
    greatest_depth = serializers.IntegerField()
    greatest_oldest_seconds = serializers.IntegerField(allow_null=True)


@extend_schema_view(get=extend_schema(operation_id="order_calls"))
class OrderCallListView(ApiListView):
    """List the stored calls and runs of an order, latest first."""

    http_method_names = ["get", "head"]
    required_permissions = (Permission.ORDERS,)
    query_parameters = PAGING
    serializer_class = OrderCallSerializer

    def get_queryset(self) -> Any:
        """Those that name a number of the order, or a trace of its messages."""
        order = surviving_order_or_404(self.kwargs["order_id"])

        def load(limit: int, *after: Any) -> Any:
            key = (datetime.fromisoformat(after[0]), int(after[1])) if after else None
            return order_calls.load_order_calls(order.pk, after=key, limit=limit)

        return KeysetRowLoader(load, lambda call: [call.at, call.id])


class SourceTelemetryView(ApiView):
    """`/sources/<slug>/telemetry`."""

    http_method_names = ["get", "head"]
    required_permissions = (Permission.SOURCES_SEE,)

    @extend_schema(operation_id="source_telemetry", responses=SourceTelemetrySerializer)
    def get(self, request: Request, slug: str) -> Response:
        """List the services, flows and queues of a source with their figures of 24 hours."""
        source, now = source_or_404(slug), database_now()
        figures = {
            "calls": source_figures.load_call_figures(source, now),
            "queues": source_figures.load_queue_figures(source, now),
        }
        return Response(serialize(SourceTelemetrySerializer, figures))


@extend_schema_view(get=extend_schema(operation_id="source_telemetry_samples"))
class TelemetrySampleListView(ApiListView):
    """List the stored calls of a service or runs of a flow, latest first."""

    http_method_names = ["get", "head"]
    required_permissions = (Permission.SOURCES_SEE,)
    query_parameters = (ONLY_FAILED, *PAGING)
    serializer_class = TelemetrySampleSerializer

    def get_queryset(self) -> Any:
        """The samples."""
        series = series_or_404(self.kwargs["slug"], self.kwargs["series_id"])
        return source_figures.samples_of_series(
            series, only_failed=bool(self.params.get(ONLY_FAILED.name))
        )


@extend_schema_view(get=extend_schema(operation_id="source_queue_hours"))
class QueueHourListView(ApiListView):
    """List the readings of a queue by hour, latest first."""

    http_method_names = ["get", "head"]
    required_permissions = (Permission.SOURCES_SEE,)
    query_parameters = PAGING
    serializer_class = QueueHourSerializer

    def get_queryset(self) -> Any:
        """The hours."""
        series = series_or_404(self.kwargs["slug"], self.kwargs["series_id"])
        return source_figures.hours_of_queue(series)


def series_or_404(slug: str, series_id: int) -> TelemetrySeries:
    """The series of the source. Raises Http404."""
    series = source_figures.find_series(source_or_404(slug), series_id)
    if series is None:
        raise Http404(series_id)
    return series
