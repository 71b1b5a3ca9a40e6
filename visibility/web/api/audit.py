"""Endpoint of the audit log."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers

from visibility.screens.audit.entries import AuditFilter, filter_entries
from visibility.storage.organization import organization_time_zone
from visibility.web.api.common_serializers import (
    PermissionFilteredSerializer,
    Rfc3339Field,
    UserSerializer,
)
from visibility.web.api.pagination import PAGING, ApiListView
from visibility.web.api.query_params import QueryParameter, parse_day
from visibility.web.permissions import Permission

FILTERS = (
    QueryParameter("text", "A part of the object or of the action."),
    QueryParameter("username", "Who did it."),
    QueryParameter("area", "The first part of the action, such as `rule`."),
    QueryParameter("since", "First day, in the organization's time zone.", parse_day),
    QueryParameter("until", "Last day, in the organization's time zone.", parse_day),
)


class AuditEntrySerializer(PermissionFilteredSerializer):
    """Who did what, and when. `digest` is the hash of this entry and the one before it."""

    id = serializers.IntegerField(source="pk")
    at = Rfc3339Field()
    user = UserSerializer(allow_null=True)
    action = serializers.CharField()
    object = serializers.CharField()
    detail = serializers.JSONField()
    digest = serializers.CharField()


@extend_schema_view(get=extend_schema(operation_id="audit"))
class AuditListView(ApiListView):
    """List the entries of the audit log, newest first."""

    http_method_names = ["get", "head"]
    required_permissions = (Permission.ADMINISTER,)
    query_parameters = (*FILTERS, *PAGING)
    serializer_class = AuditEntrySerializer

    def get_queryset(self) -> Any:
        """The entries that match."""
        asked = {parameter.name: self.params.get(parameter.name) for parameter in FILTERS}
        given = {name: value for name, value in asked.items() if value}
        return filter_entries(AuditFilter(**given), organization_time_zone())
