"""Endpoints of unmapped source values: the list and its export."""

from typing import Any

from django.http import HttpResponseBase
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request

from visibility.screens.mappings.unmapped_columns import UNMAPPED_LIST
from visibility.web.api.base import ApiView
from visibility.web.api.declared_lists import export_parameters, page_parameters, requested_rows
from visibility.web.api.list_export import LIST_FILE_RESPONSES, list_export_response
from visibility.web.api.master_data_serializers import UnmappedTermWithSuggestionsSerializer
from visibility.web.api.pagination import ApiListView
from visibility.web.permissions import Permission


@extend_schema_view(get=extend_schema(operation_id="master_unmapped"))
class UnmappedTermListView(ApiListView):
    """List source values that require a mapping and have none, most affected orders first."""

    required_permissions = (Permission.MAPPINGS_SEE,)
    query_parameters = page_parameters(UNMAPPED_LIST)
    serializer_class = UnmappedTermWithSuggestionsSerializer

    def get_queryset(self) -> Any:
        """The values that match the filters, in the requested order. Raises InvalidInput."""
        return requested_rows(UNMAPPED_LIST, self.request, self.params)


class UnmappedTermExportView(ApiView):
    """`GET /master/unmapped/export`."""

    required_permissions = (Permission.MAPPINGS_SEE, Permission.EXPORT)
    query_parameters = export_parameters(UNMAPPED_LIST)

    @extend_schema(operation_id="master_unmapped_export", responses=LIST_FILE_RESPONSES)
    def get(self, request: Request) -> HttpResponseBase:
        """Export the unmapped source values as CSV, or as XLSX with at most 50,000 rows."""
        return list_export_response(request, UNMAPPED_LIST, self.params)
