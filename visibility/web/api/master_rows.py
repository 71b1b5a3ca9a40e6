"""Endpoints of the rows of master data tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import Http404, HttpResponse, HttpResponseBase
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.database_time import database_now
from visibility.export.list_files import ListFileFormat
from visibility.master_data import write_and_restore_rows
from visibility.master_data.cell_conversion import InvalidCell
from visibility.master_data.change_author_and_origin import ChangeContext
from visibility.master_data.tables import TABLES, MasterRowToWrite, MasterTable
from visibility.master_data.write_and_restore_rows import OverlappingRows, StaleVersion
from visibility.models.master import Versioned
from visibility.screens.lists.list_definition import SORT_PARAMETER
from visibility.screens.mappings import term_and_row_queries
from visibility.screens.mappings.master_row_columns import (
    MASTER_ROW_LISTS,
    MasterRowListDefinition,
)
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.common_serializers import serialize, serialize_all
from visibility.web.api.declared_lists import (
    requested_objects,
)
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.list_export import COLUMNS, LIST_FILE_RESPONSES, list_export_response
from visibility.web.api.list_filter_parameters import filter_parameters
from visibility.web.api.master_data_serializers import (
    MasterChangeSerializer,
    MasterRowSerializer,
    MasterRowWithHistorySerializer,
    MasterTableListSerializer,
    MasterTableSerializer,
    RowWriteCountsSerializer,
)
from visibility.web.api.pagination import PAGING, ApiListView
from visibility.web.api.problem_responses import ApiResponse, ConflictError, InvalidInput
from visibility.web.api.query_params import (
    QueryParameter,
    enum_param,
    printable_excerpt,
)
from visibility.web.api.request_body_serializers import (
    MAX_ID,
    EmptyBody,
    RequestBody,
    parse_body,
    read_body,
)
from visibility.web.permissions import Permission

# Those of mappings are all; the other tables have no `kind` and `source`.
FILTER_PARAMETERS = filter_parameters(MASTER_ROW_LISTS["mapping"])
SORT = QueryParameter(
    SORT_PARAMETER,
    "Column to sort by; `-` means descending. `GET lists/<table>-rows/columns` has the orders.",
)
LIST_PARAMETERS = (*FILTER_PARAMETERS, SORT, *PAGING)
EXPORT_PARAMETERS = (
    enum_param("format", "File format. Default: `csv`.", ListFileFormat),
    *FILTER_PARAMETERS,
    SORT,
    COLUMNS,
)


class MasterRowBody(RequestBody):
    """The values of a row: column name to text. Omitted columns are empty."""

    values = serializers.DictField(child=serializers.CharField(allow_blank=True))
    version = serializers.IntegerField(
        required=False, help_text="PUT only: fail with 409 if the row has another version."
    )


class MasterTableListView(ApiView):
    """`GET /master`."""

    required_permissions = (Permission.MAPPINGS_SEE,)

    @extend_schema(operation_id="master_tables", responses=MasterTableListSerializer)
    def get(self, request: Request) -> Response:
        """List the master data tables and their columns."""
        return Response({"items": serialize_all(MasterTableSerializer, TABLES.values())})


class MasterDataSeeOrEditPermissionView(ApiView):
    """Base of the views that need one permission to read and another one to write."""

    http_method_names = ["get", "head", "post", "put", "delete"]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        is_read = request.method in {"GET", "HEAD"}
        self.required_permissions = (
            Permission.MAPPINGS_SEE if is_read else Permission.MAPPINGS_EDIT,
        )
        super().initial(request, *args, **kwargs)


@extend_schema_view(get=extend_schema(operation_id="master_rows"))
class MasterRowListView(MasterDataSeeOrEditPermissionView, ApiListView):
    """List the rows of a table by their first column, or in another order."""

    query_parameters = LIST_PARAMETERS
    serializer_class = MasterRowSerializer

    def declared_query_parameters(self) -> Sequence[QueryParameter]:
        """Only reads have parameters."""
        return self.query_parameters if self.request.method in {"GET", "HEAD"} else ()

    def get_queryset(self) -> Any:
        """The rows that match the filters. Raises Http404, InvalidInput."""
        definition = list_of_table_or_404(self.kwargs["table"], self.params)
        return requested_objects(definition, self.request, self.params)

    @extend_schema(
        operation_id="master_add",
        request=MasterRowBody,
        responses={200: RowWriteCountsSerializer, 201: RowWriteCountsSerializer},
    )
    def post(self, request: Request, table: str) -> HttpResponse:
        """Add a row, or update the row with the same key and `valid_from`."""
        master_table = table_or_404(table)
        body = read_body(request)

        def do() -> ApiResponse:
            row, _ = parse_row_body(master_table, body)
            try:
                done = write_and_restore_rows.write_rows(
                    master_table, [row], context=build_change_context(request)
                )
            except OverlappingRows as error:
                raise ConflictError(str(error)) from error
            except InvalidCell as error:
                raise InvalidInput("values", str(error)) from error
            return ApiResponse.with_json_body(
                serialize(RowWriteCountsSerializer, done), status=201 if done.added else 200
            )

        return run_idempotently(request, body, do)


class MasterRowExportView(ApiView):
    """`GET /master/<table>/rows/export`."""

    required_permissions = (Permission.MAPPINGS_SEE, Permission.EXPORT)
    query_parameters = EXPORT_PARAMETERS

    @extend_schema(operation_id="master_rows_export", responses=LIST_FILE_RESPONSES)
    def get(self, request: Request, table: str) -> HttpResponseBase:
        """Export the rows that match the filters as CSV, or as XLSX with at most 50,000 rows.

        `GET /master/<table>/export` has files that can be imported again.
        """
        definition = list_of_table_or_404(table, self.params)
        return list_export_response(request, definition, self.params)


class MasterRowView(MasterDataSeeOrEditPermissionView):
    """`/master/<table>/<id>`."""

    @extend_schema(operation_id="master_row", responses=MasterRowWithHistorySerializer)
    def get(self, request: Request, table: str, row_id: int) -> Response:
        """Retrieve a row with its change history."""
        master_table = table_or_404(table)
        row = _row_or_404(master_table, row_id)
        history = [
            {
                **serialize(MasterChangeSerializer, change),
                "before": master_table.format_cells(change.before) if change.before else None,
                "after": master_table.format_cells(change.after) if change.after else None,
            }
            for change in term_and_row_queries.list_row_changes(master_table, row.pk)
        ]
        return Response(serialize(MasterRowSerializer, row) | {"history": history})

    @extend_schema(
        operation_id="master_change", request=MasterRowBody, responses=RowWriteCountsSerializer
    )
    def put(self, request: Request, table: str, row_id: int) -> HttpResponse:
        """Replace a row, including its key and validity. Returns 409 if validities overlap."""
        master_table = table_or_404(table)
        body = read_body(request)

        def do() -> ApiResponse:
            row, version = parse_row_body(master_table, body)
            current = _row_or_404(master_table, row_id)
            try:
                done = write_and_restore_rows.update_existing_row(
                    master_table,
                    current.pk,
                    row,
                    version=version,
                    context=build_change_context(request),
                )
            except (OverlappingRows, StaleVersion) as error:
                raise ConflictError(str(error)) from error
            except InvalidCell as error:
                raise InvalidInput("values", str(error)) from error
            return ApiResponse.with_json_body(serialize(RowWriteCountsSerializer, done))

        return run_idempotently(request, body, do)

    @extend_schema(
        operation_id="master_remove", request=EmptyBody, responses={200: RowWriteCountsSerializer}
    )
    def delete(self, request: Request, table: str, row_id: int) -> HttpResponse:
        """Delete a row. Its change history is retained."""
        master_table = table_or_404(table)
        body = read_body(request)

        def do() -> ApiResponse:
            parse_body(EmptyBody, body)
            current = _row_or_404(master_table, row_id)
            write_and_restore_rows.delete_row_and_record_history(
                master_table, current.pk, context=build_change_context(request)
            )
            return ApiResponse.with_json_body({"added": 0, "changed": 1, "unchanged": 0})

        return run_idempotently(request, body, do)


def table_or_404(code: str) -> MasterTable:
    """The table with this code. Raises Http404."""
    if code not in TABLES:
        raise Http404
    return TABLES[code]


def list_of_table_or_404(code: str, params: Mapping[str, Any]) -> MasterRowListDefinition:
    """The list of a table. Raises Http404, and InvalidInput for a filter that it does not have."""
    definition = MASTER_ROW_LISTS[table_or_404(code).code]
    for name in {parameter.name for parameter in FILTER_PARAMETERS} & params.keys():
        if name not in definition.filters:
            raise InvalidInput(name, "only `mapping` supports this filter")
    return definition


def build_change_context(request: Request) -> ChangeContext:
    """The context of a change made through the API."""
    return ChangeContext(current_user(request), "API", database_now())


def parse_row_body(table: MasterTable, body: bytes) -> tuple[MasterRowToWrite, int | None]:
    """Parse the row and the expected version from a body. Raises InvalidInput."""
    fields = parse_body(MasterRowBody, body)
    values: dict[str, str] = fields["values"]
    names = {column.name for column in table.columns}
    for name in values:
        if name not in names:
            message = f"unknown column; the columns are: {', '.join(sorted(names))}"
            raise InvalidInput(f"values.{printable_excerpt(name)}", message)
    try:
        return table.parse_row_or_raise_invalid_cell(values), fields.get("version")
    except InvalidCell as error:
        raise InvalidInput("values", str(error)) from error


def _row_or_404(table: MasterTable, row_id: int) -> Versioned:
    row = None
    if row_id <= MAX_ID:
        rows = table.model._base_manager.select_related("changed_by")
        row = rows.filter(pk=row_id).first()
    if row is None:
        raise Http404
    return row


def set_no_store_header(response: HttpResponseBase) -> HttpResponseBase:
    """Forbid caching of a response that is not JSON."""
    response["Cache-Control"] = "no-store"
    return response
