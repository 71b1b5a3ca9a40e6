"""Endpoint of a source itself: title, poll interval, owner, and whether it is enabled."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.database_time import database_now
from visibility.ingest.add_source_and_rotate_secret import InvalidSource
from visibility.ingest.change_source import SourceProperties, change_source
from visibility.models import Source
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.common_serializers import PermissionFilteredSerializer, serialize
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.problem_responses import ApiResponse, InvalidInput
from visibility.web.api.request_body_serializers import RequestBody, parse_body, read_body
from visibility.web.permissions import Permission
from visibility.web.source_lookup import source_or_404


class InvalidSourceInput(InvalidInput):
    """Values are invalid, each with its sentence."""

    def __init__(self, error: InvalidSource) -> None:
        super().__init__("", "; ".join(f"{e.name}: {e.sentence}" for e in error.errors))
        self.errors = [{"path": e.name, "detail": e.sentence} for e in error.errors]


class SourcePropertiesSerializer(PermissionFilteredSerializer):
    """A source. A disabled one is not polled, and its webhooks are refused."""

    slug = serializers.CharField()
    title = serializers.CharField()
    poll_seconds = serializers.IntegerField(help_text="The time between two polls.")
    enabled = serializers.BooleanField()
    owner = serializers.CharField(help_text="`team:<title>`, `person:<username>`, or empty.")


class SourcePropertiesBody(RequestBody):
    """What to change. Members that are not given stay."""

    title = serializers.CharField(required=False)
    poll_seconds = serializers.IntegerField(required=False)
    enabled = serializers.BooleanField(required=False)
    owner = serializers.CharField(required=False, allow_blank=True, max_length=200)


class SourcePropertiesView(ApiView):
    """`/sources/<slug>`."""

    http_method_names = ["get", "head", "patch"]
    required_permissions = (Permission.SOURCES_EDIT,)

    @extend_schema(operation_id="source", responses=SourcePropertiesSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """Retrieve the title, poll interval and owner of a source, and whether it is enabled."""
        source = source_or_404(slug)
        return Response(source_content(source, SourceProperties.of_source(source)))

    @extend_schema(
        operation_id="source_change",
        request=SourcePropertiesBody,
        responses=SourcePropertiesSerializer,
    )
    def patch(self, request: Request, slug: str) -> HttpResponse:
        """Change a source: all of the given members, or none if one is invalid."""
        body = read_body(request)

        def do() -> ApiResponse:
            values = parse_body(SourcePropertiesBody, body)
            source = source_or_404(slug)
            changes = {name: _entered_text(value) for name, value in values.items()}
            try:
                changed = change_source(
                    source, changes, now=database_now(), user=current_user(request)
                )
            except InvalidSource as error:
                raise InvalidSourceInput(error) from error
            return ApiResponse.with_json_body(source_content(source, changed))

        return run_idempotently(request, body, do)


def _entered_text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def source_content(source: Source, properties: SourceProperties) -> dict[str, Any]:
    """The response about a source."""
    return serialize(
        SourcePropertiesSerializer,
        {
            "slug": source.slug,
            "title": properties.title,
            "poll_seconds": properties.poll_seconds,
            "enabled": properties.enabled,
            "owner": properties.owner,
        },
    )
