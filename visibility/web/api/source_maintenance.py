"""Endpoints of the planned maintenance of a source: list it, plan it, end it."""

from typing import Any

from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.database_time import database_now
from visibility.ingest.source_maintenance import (
    MAX_WHY,
    InvalidMaintenance,
    end_maintenance,
    list_current_maintenance,
    plan_maintenance,
)
from visibility.models import SourceMaintenance
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.common_serializers import (
    PermissionFilteredSerializer,
    Rfc3339Field,
    UserSerializer,
    serialize,
)
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.problem_responses import ApiResponse, ConflictError, InvalidInput
from visibility.web.api.request_body_serializers import (
    MAX_ID,
    EmptyBody,
    RequestBody,
    Rfc3339InputField,
    parse_body,
    read_body,
)
from visibility.web.permissions import Permission
from visibility.web.source_lookup import source_or_404


class MaintenanceBody(RequestBody):
    """When the system is expected to be down, and why."""

    starts_at = Rfc3339InputField()
    ends_at = Rfc3339InputField()
    why = serializers.CharField(max_length=MAX_WHY)


class MaintenanceSerializer(PermissionFilteredSerializer):
    """Planned maintenance of a source. It ends by itself at `ends_at`."""

    id = serializers.CharField(source="pk")
    starts_at = Rfc3339Field()
    ends_at = Rfc3339Field()
    why = serializers.CharField()
    planned_by = UserSerializer()
    planned_at = Rfc3339Field()
    ended_at = Rfc3339Field(allow_null=True, help_text="If a person ended or canceled it.")


class MaintenanceListSerializer(PermissionFilteredSerializer):
    """What runs or is planned, the earliest first."""

    items = MaintenanceSerializer(many=True)


class MaintenanceListView(ApiView):
    """`GET` and `POST /sources/<slug>/maintenance`."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Planning needs the permission to edit sources."""
        is_write = request.method == "POST"
        needed = Permission.SOURCES_EDIT if is_write else Permission.SOURCES_SEE
        self.required_permissions = (needed,)
        super().initial(request, *args, **kwargs)

    @extend_schema(operation_id="source_maintenance", responses=MaintenanceListSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """List the maintenance of a source that runs or is planned."""
        windows = list_current_maintenance(source_or_404(slug), database_now())
        return Response(serialize(MaintenanceListSerializer, {"items": windows}))

    @extend_schema(
        operation_id="source_maintenance_plan",
        request=MaintenanceBody,
        responses={201: MaintenanceSerializer},
    )
    def post(self, request: Request, slug: str) -> HttpResponse:
        """Plan maintenance: silence of the source is then expected, and opens no alert."""
        body = read_body(request)

        def do() -> ApiResponse:
            wanted: dict[str, Any] = parse_body(MaintenanceBody, body)
            try:
                window = plan_maintenance(
                    source_or_404(slug), **wanted, by=current_user(request), now=database_now()
                )
            except InvalidMaintenance as error:
                raise InvalidInput(error.field, str(error)) from error
            return ApiResponse.with_json_body(serialize(MaintenanceSerializer, window), status=201)

        return run_idempotently(request, body, do)


class EndMaintenanceView(ApiView):
    """`POST /sources/<slug>/maintenance/<id>/end`."""

    required_permissions = (Permission.SOURCES_EDIT,)

    @extend_schema(
        operation_id="source_maintenance_end", request=EmptyBody, responses=MaintenanceSerializer
    )
    def post(self, request: Request, slug: str, window_id: int) -> HttpResponse:
        """End maintenance now, or cancel it before it starts. Returns 409 if it has ended."""
        body = read_body(request)

        def do() -> ApiResponse:
            parse_body(EmptyBody, body)
            source = source_or_404(slug)
            window = SourceMaintenance.objects.filter(pk=min(window_id, MAX_ID), source=source)
            if not window.exists():
                raise Http404
            if not end_maintenance(
                window_id, source=source, by=current_user(request), now=database_now()
            ):
                raise ConflictError("This maintenance has ended.")
            row = window.select_related("planned_by").get()
            return ApiResponse.with_json_body(serialize(MaintenanceSerializer, row))

        return run_idempotently(request, body, do)
