"""Endpoints of what happened to a source: its polls, their requests, its changes."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers

from visibility.screens.sources import polls_requests_and_changes as history
from visibility.web.api.audit import AuditEntryListView
from visibility.web.api.common_serializers import (
    PermissionFilteredSerializer,
    Rfc3339Field,
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
