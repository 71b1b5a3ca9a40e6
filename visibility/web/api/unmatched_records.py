"""Endpoints of unmatched records: the list and its export."""

from typing import Any

from django.http import HttpResponseBase
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request

from visibility.screens.identity.unmatched_columns import UNMATCHED_LIST
from visibility.web.api.base import ApiView
from visibility.web.api.declared_lists import (
    export_parameters,
    page_parameters,
    requested_rows,
)
from visibility.web.api.list_export import LIST_FILE_RESPONSES, list_export_response
from visibility.web.api.matching_serializers import UnmatchedRecordSerializer
from visibility.web.api.pagination import ApiListView
from visibility.web.permissions import Permission


@extend_schema_view(get=extend_schema(operation_id="matching_unmatched"))
class UnmatchedRecordListView(ApiListView):
    """List shipments, packages, invoices and returns without an order, oldest first."""

    required_permissions = (Permission.MATCHING_SEE,)
    query_parameters = page_parameters(UNMATCHED_LIST)
    serializer_class = UnmatchedRecordSerializer

    def get_queryset(self) -> Any:
        """The records that match the filters, in the requested order. Raises InvalidInput."""
        return requested_rows(UNMATCHED_LIST, self.request, self.params)


class UnmatchedRecordExportView(ApiView):
    """`GET /matching/unmatched/export`."""

    required_permissions = (Permission.MATCHING_SEE, Permission.EXPORT)
    query_parameters = export_parameters(UNMATCHED_LIST)

    @extend_schema(operation_id="matching_unmatched_export", responses=LIST_FILE_RESPONSES)
    def get(self, request: Request) -> HttpResponseBase:
        """Export the unmatched records as CSV, or as XLSX with at most 50,000 rows."""
        return list_export_response(request, UNMATCHED_LIST, self.params)
