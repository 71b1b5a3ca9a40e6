"""Endpoint of the audit log."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers

from visibility.models import AuditEntry
from visibility.screens.audit.entries import AuditFilter, filter_entries
from visibility.storage.organization import organization_time_zone
from visibility.web.api.base import current_user
from visibility.web.api.common_serializers import (
    PermissionFilteredSerializer,
    Rfc3339Field,
    UserSerializer,
)
from visibility.web.api.pagination import PAGING, ApiListView
from visibility.web.api.query_params import QueryParameter, parse_day
from visibility.web.audit_subject_links import subject_urls
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
    url = serializers.SerializerMethodField(
        help_text="Path of the page of the record; null if it is gone, or you may not open it."
    )
    digest = serializers.CharField()

    def get_url(self, entry: AuditEntry) -> str | None:
        """From the URLs of the page that the view loaded together."""
        urls: dict[int, str] = self.context["subject_urls"]
        return urls.get(entry.pk)


class AuditEntryListView(ApiListView):
    """Base of the lists of audit entries: loads the URLs of a page together."""

    serializer_class = AuditEntrySerializer
    subject_urls: dict[int, str] = {}

    def paginate_queryset(self, queryset: Any) -> list[Any]:
        """One page, with the URLs of its entries."""
        page = super().paginate_queryset(queryset)
        self.subject_urls = subject_urls(page, current_user(self.request))
        return page

    def get_serializer_context(self) -> dict[str, Any]:
        """The context, with the URLs."""
        return {**super().get_serializer_context(), "subject_urls": self.subject_urls}


@extend_schema_view(get=extend_schema(operation_id="audit"))
class AuditListView(AuditEntryListView):
    """List the entries of the audit log, newest first."""

    http_method_names = ["get", "head"]
    required_permissions = (Permission.ADMINISTER,)
    query_parameters = (*FILTERS, *PAGING)

    def get_queryset(self) -> Any:
        """The entries that match."""
        asked = {parameter.name: self.params.get(parameter.name) for parameter in FILTERS}
        given = {name: value for name, value in asked.items() if value}
        return filter_entries(AuditFilter(**given), organization_time_zone())
