"""Accept the changes of the fields of a source's messages over the API."""

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from visibility.db.database_time import database_now
from visibility.ingest.accept_field_changes import accept_field_changes
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.common_serializers import PermissionFilteredSerializer, serialize
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.problem_responses import ApiResponse
from visibility.web.api.request_body_serializers import (
    MAX_ID,
    RequestBody,
    parse_body,
    read_body,
)
from visibility.web.permissions import Permission
from visibility.web.source_lookup import source_or_404


class AcceptFieldChangesBody(RequestBody):
    """`up_to`: the id of the newest change that was seen. Later ones stay open."""

    up_to = serializers.IntegerField(min_value=1, max_value=MAX_ID)


class AcceptedFieldChangesSerializer(PermissionFilteredSerializer):
    """How many changes were accepted."""

    accepted = serializers.IntegerField()


class AcceptFieldChangesView(ApiView):
    """`POST /sources/<slug>/drift/accept`."""

    http_method_names = ["post"]
    required_permissions = (Permission.SOURCES_EDIT,)

    @extend_schema(
        operation_id="accept_field_changes",
        request=AcceptFieldChangesBody,
        responses=AcceptedFieldChangesSerializer,
    )
    def post(self, request: Request, slug: str) -> HttpResponse:
        """Accept the open changes of the fields of its messages. Their alerts then close."""
        body = read_body(request)

        def do() -> ApiResponse:
            count = accept_field_changes(
                source_or_404(slug),
                up_to=parse_body(AcceptFieldChangesBody, body)["up_to"],
                by=current_user(request),
                now=database_now(),
            )
            return ApiResponse.with_json_body(
                serialize(AcceptedFieldChangesSerializer, {"accepted": count})
            )

        return run_idempotently(request, body, do)
