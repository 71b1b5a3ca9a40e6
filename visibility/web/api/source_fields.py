"""Endpoints of the fields and versions of the messages of a source, and of their changes."""

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from connectors.sdk.sender_versions import VersionStatus
from visibility.db.database_time import database_now
from visibility.ingest.accept_field_changes import accept_field_changes
from visibility.models import FieldChangeKind
from visibility.screens.sources.field_drift import load_field_drift, load_open_field_changes
from visibility.storage.sent_versions import load_versions_in_use
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.common_serializers import (
    EnumField,
    PermissionFilteredSerializer,
    Rfc3339Field,
    serialize,
)
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


class FieldChangeSerializer(PermissionFilteredSerializer):
    """A field of the messages. `before`: its other types, if the type changed."""

    path = serializers.CharField()
    kind = serializers.CharField()
    at = Rfc3339Field()
    before = serializers.CharField(allow_blank=True)
    is_read = serializers.BooleanField(
        allow_null=True, help_text="The connector reads it. Null: not known, as in EDI."
    )


class FieldDriftSerializer(PermissionFilteredSerializer):
    """The changes in the messages with one type of events; empty if no event could be read."""

    event_type = serializers.CharField(allow_blank=True)
    sampled_since = Rfc3339Field()
    last_sampled_at = Rfc3339Field()
    messages = serializers.IntegerField()
    fields_known = serializers.IntegerField(source="fields")
    appeared = FieldChangeSerializer(many=True)
    retyped = FieldChangeSerializer(many=True)
    missing = FieldChangeSerializer(many=True)
    read_count = serializers.IntegerField(help_text="How many paths the connector reads.")
    read_and_absent = serializers.ListField(
        child=serializers.CharField(), help_text="Paths that are read and that no message has had."
    )


class OpenFieldChangeSerializer(PermissionFilteredSerializer):
    """A change that no person accepted yet, with the first message that shows it."""

    id = serializers.IntegerField()
    event_type = serializers.CharField(allow_blank=True)
    path = serializers.CharField()
    change = serializers.ChoiceField(choices=FieldChangeKind.values)
    kind = serializers.CharField(allow_blank=True)
    kind_before = serializers.CharField(allow_blank=True)
    is_read = serializers.BooleanField(allow_null=True)
    message = serializers.IntegerField(source="message_id")
    seen_at = Rfc3339Field()


class SentVersionSerializer(PermissionFilteredSerializer):
    """A version that its messages name. `ends_on`: when the vendor ends it, if that is known."""

    name = serializers.CharField(source="sent.name")
    version = serializers.CharField(source="sent.version")
    status = EnumField(VersionStatus)
    ends_on = serializers.DateField(allow_null=True)
    is_parked = serializers.BooleanField(help_text="Its messages are not read, but parked.")
    message_count = serializers.IntegerField(source="sent.message_count")
    first_seen_at = Rfc3339Field(source="sent.first_seen_at")
    last_seen_at = Rfc3339Field(source="sent.last_seen_at")
    first_message = serializers.IntegerField(source="sent.first_message_id")
    last_message = serializers.IntegerField(source="sent.last_message_id")


class FieldDriftListSerializer(PermissionFilteredSerializer):
    """The types of events of a source, those with changes first, open changes and versions."""

    items = FieldDriftSerializer(many=True)
    open_changes = OpenFieldChangeSerializer(many=True)
    versions = SentVersionSerializer(many=True)


class SourceDriftView(ApiView):
    """`/sources/<slug>/drift`."""

    http_method_names = ["get", "head"]
    required_permissions = (Permission.SOURCES_SEE,)

    @extend_schema(operation_id="source_drift", responses=FieldDriftListSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """List the fields of its messages that changed, and the versions of its messages."""
        source, now = source_or_404(slug), database_now()
        drift = {
            "items": load_field_drift(source, now),
            "open_changes": load_open_field_changes(source),
            "versions": load_versions_in_use([source], now).get(source.pk, []),
        }
        return Response(serialize(FieldDriftListSerializer, drift))


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
