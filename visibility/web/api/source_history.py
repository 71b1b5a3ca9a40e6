"""Endpoints of what happened to a source: its polls, their requests, its fields, its changes."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.database_time import database_now
from visibility.models import FieldChangeKind
from visibility.screens.sources import polls_requests_and_changes as history
from visibility.screens.sources.field_drift import load_field_drift, load_open_field_changes
from visibility.web.api.audit import AuditEntryListView
from visibility.web.api.base import ApiView
from visibility.web.api.common_serializers import (
    PermissionFilteredSerializer,
    Rfc3339Field,
    serialize,
)
from visibility.web.api.pagination import PAGING, ApiListView
from visibility.web.permissions import Permission
from visibility.web.source_lookup import source_or_404


class PollSerializer(PermissionFilteredSerializer):
    """How a poll ended. `error`: empty if it succeeded. Null: an older version stored it."""

    id = serializers.CharField(source="pk")
    started_at = Rfc3339Field(allow_null=True)
    ended_at = Rfc3339Field()
    is_throttled = serializers.BooleanField(help_text="The system asked to wait.")
    error = serializers.CharField(allow_blank=True)
    new_count = serializers.IntegerField(allow_null=True, help_text="New messages.")
    page_count = serializers.IntegerField(allow_null=True)


class OutgoingRequestSerializer(PermissionFilteredSerializer):
    """A request of a poll. `address` has no secret and no value of its query."""

    id = serializers.CharField(source="pk")
    sent_at = Rfc3339Field()
    method = serializers.CharField()
    address = serializers.CharField()
    status = serializers.IntegerField(allow_null=True, help_text="Null: no response; see `error`.")
    milliseconds = serializers.IntegerField()
    error = serializers.CharField(allow_blank=True)
    retry_at = Rfc3339Field(allow_null=True, help_text="When the system asked to be called next.")


class FieldChangeSerializer(PermissionFilteredSerializer):
    """A field of the messages. `before`: its other types, if the type changed."""

    path = serializers.CharField()
    kind = serializers.CharField()
    at = Rfc3339Field()
    before = serializers.CharField(allow_blank=True)


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


class OpenFieldChangeSerializer(PermissionFilteredSerializer):
    """A change that no person accepted yet, with the first message that shows it."""

    id = serializers.IntegerField()
    event_type = serializers.CharField(allow_blank=True)
    path = serializers.CharField()
    change = serializers.ChoiceField(choices=FieldChangeKind.values)
    kind = serializers.CharField(allow_blank=True)
    kind_before = serializers.CharField(allow_blank=True)
    message = serializers.IntegerField(source="message_id")
    seen_at = Rfc3339Field()


class FieldDriftListSerializer(PermissionFilteredSerializer):
    """The types of events of a source, those with changes first, and the open changes."""

    items = FieldDriftSerializer(many=True)
    open_changes = OpenFieldChangeSerializer(many=True)


@extend_schema_view(get=extend_schema(operation_id="source_polls"))
class SourcePollListView(ApiListView):
    """List the polls of a source, newest first."""

    http_method_names = ["get", "head"]
    required_permissions = (Permission.SOURCES_SEE,)
    query_parameters = PAGING
    serializer_class = PollSerializer

    def get_queryset(self) -> Any:
        """The polls that ended."""
        return history.polls_of_source(source_or_404(self.kwargs["slug"]))


@extend_schema_view(get=extend_schema(operation_id="source_outgoing_requests"))
class OutgoingRequestListView(ApiListView):
    """List the stored requests of the polls of a source, newest first."""

    http_method_names = ["get", "head"]
    required_permissions = (Permission.SOURCES_SEE,)
    query_parameters = PAGING
    serializer_class = OutgoingRequestSerializer

    def get_queryset(self) -> Any:
        """The stored requests."""
        return history.outgoing_requests_of_source(source_or_404(self.kwargs["slug"]))


@extend_schema_view(get=extend_schema(operation_id="source_changes"))
class SourceChangeListView(AuditEntryListView):
    """List who added or changed a source, replaced its secret or tested it, newest first."""

    http_method_names = ["get", "head"]
    required_permissions = (Permission.SOURCES_EDIT,)
    query_parameters = PAGING

    def get_queryset(self) -> Any:
        """The entries of the audit log about the source."""
        return history.changes_of_source(source_or_404(self.kwargs["slug"]))


class SourceDriftView(ApiView):
    """`/sources/<slug>/drift`."""

    http_method_names = ["get", "head"]
    required_permissions = (Permission.SOURCES_SEE,)

    @extend_schema(operation_id="source_drift", responses=FieldDriftListSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """List the fields of its JSON messages that appeared, are missing or changed their type."""
        source = source_or_404(slug)
        drift = {
            "items": load_field_drift(source, database_now()),
            "open_changes": load_open_field_changes(source),
        }
        return Response(serialize(FieldDriftListSerializer, drift))
