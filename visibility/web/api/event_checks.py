"""Check an event over the API, without storing anything."""

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from visibility.db.database_time import database_now
from visibility.ingest.check_event import FindingSeverity, check_event
from visibility.web.api.base import ApiView
from visibility.web.api.common_serializers import (
    EnumField,
    PermissionFilteredSerializer,
    serialize,
)
from visibility.web.api.problem_responses import ApiResponse
from visibility.web.api.request_body_serializers import RequestBody, read_body
from visibility.web.permissions import Permission


class CheckEventBody(RequestBody):
    """A CloudEvent, as a sender would send it. See `/schemas`."""

    specversion = serializers.CharField()
    id = serializers.CharField()
    type = serializers.CharField()
    dataschema = serializers.CharField(required=False)


class EventFindingSerializer(PermissionFilteredSerializer):
    """One finding. An event with an error is parked; a warning is about what has no effect."""

    severity = EnumField(FindingSeverity)
    path = serializers.CharField(allow_blank=True)
    detail = serializers.CharField()


class EventCheckSerializer(PermissionFilteredSerializer):
    """The result of a check: the version of the schemas, the findings, and the canonical event."""

    version = serializers.IntegerField()
    is_accepted = serializers.BooleanField(help_text="The event would be applied.")
    findings = EventFindingSerializer(many=True)
    events = serializers.ListField(
        child=serializers.DictField(), help_text="See the schema `canonical-event`."
    )


class CheckEventView(ApiView):
    """`POST /event-schemas/check`."""

    http_method_names = ["post"]
    required_permissions = (Permission.SOURCES_SEE,)

    @extend_schema(
        operation_id="check_event", request=CheckEventBody, responses=EventCheckSerializer
    )
    def post(self, request: Request) -> HttpResponse:
        """Check a CloudEvent: how it would be read, and what is wrong. Nothing is stored."""
        check = check_event(read_body(request), database_now())
        return ApiResponse.with_json_body(serialize(EventCheckSerializer, check)).to_http_response()
