"""Endpoints of large exports of lists."""

from typing import Any

from django.http import Http404, HttpResponse, HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.models import BackgroundExport, BackgroundExportState
from visibility.screens.list_registry import LISTS
from visibility.web import background_exports
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.common_serializers import (
    EnumField,
    PermissionFilteredSerializer,
    Rfc3339Field,
    serialize,
)
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.pagination import PAGING, ApiListView, KeysetRowLoader
from visibility.web.api.problem_responses import ApiResponse, ConflictError
from visibility.web.api.request_body_serializers import EmptyBody, parse_body, read_body
from visibility.web.list_page_context import viewer_of_request
from visibility.web.master_table_downloads import MEDIA_TYPES
from visibility.web.permissions import Permission


class BackgroundExportSerializer(PermissionFilteredSerializer):
    """An export that a worker writes. Its file is at `exports/<id>/file` when it is `ready`."""

    id = serializers.IntegerField()
    list = EnumField(LISTS)
    query = serializers.CharField()
    state = EnumField(BackgroundExportState)
    detail = serializers.CharField()
    rows_written = serializers.IntegerField()
    rows_total = serializers.IntegerField(allow_null=True)
    size = serializers.IntegerField()
    requested_at = Rfc3339Field()
    finished_at = Rfc3339Field(allow_null=True)
    expires_at = Rfc3339Field(allow_null=True)


@extend_schema_view(get=extend_schema(operation_id="background_exports"))
class BackgroundExportListView(ApiListView):
    """List your exports with more than 50,000 rows, the newest first."""

    http_method_names = ["get", "head"]
    required_permissions = (Permission.EXPORT,)
    query_parameters = PAGING
    serializer_class = BackgroundExportSerializer

    def get_queryset(self) -> Any:
        """The exports of the person, loaded page by page."""
        owner = current_user(self.request)
        return KeysetRowLoader(
            lambda limit, before=None: background_exports.exports_of(
                owner, before=before, limit=limit
            ),
            lambda export: [export.pk],
        )


class BackgroundExportView(ApiView):
    """`/exports/<id>`."""

    http_method_names = ["get", "head", "delete"]
    required_permissions = (Permission.EXPORT,)

    @extend_schema(operation_id="background_export", responses=BackgroundExportSerializer)
    def get(self, request: Request, export_id: int) -> Response:
        """Retrieve one of your exports with its progress."""
        export = _own_export_or_404(request, export_id)
        return Response(serialize(BackgroundExportSerializer, export))

    @extend_schema(
        operation_id="background_export_remove",
        request=EmptyBody,
        responses=BackgroundExportSerializer,
    )
    def delete(self, request: Request, export_id: int) -> HttpResponse:
        """Remove one of your exports with its file. Returns it as it was."""
        body = read_body(request)

        def do() -> ApiResponse:
            parse_body(EmptyBody, body)
            export = _own_export_or_404(request, export_id)
            removed = serialize(BackgroundExportSerializer, export)
            background_exports.delete_export(export)
            return ApiResponse.with_json_body(removed)

        return run_idempotently(request, body, do)


class BackgroundExportFileView(ApiView):
    """`GET /exports/<id>/file`."""

    required_permissions = (Permission.EXPORT,)
    http_method_names = ["get", "head"]

    @extend_schema(
        operation_id="background_export_file",
        responses={(200, MEDIA_TYPES["csv"]): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, export_id: int) -> HttpResponseBase:
        """Download the file of one of your exports. Returns 409 if it is not ready.

        403 if you may see less than when it was written.
        """
        export = _own_export_or_404(request, export_id)
        if export.state != BackgroundExportState.READY:
            raise ConflictError("The export is not ready.")
        try:
            return background_exports.export_file_response(
                request._request, export, viewer_of_request(request._request)
            )
        except background_exports.DownloadRefused as error:
            raise exceptions.PermissionDenied(str(error)) from error


def _own_export_or_404(request: Request, export_id: int) -> BackgroundExport:
    export = background_exports.find_own_export(current_user(request), export_id)
    if export is None:
        raise Http404
    return export
