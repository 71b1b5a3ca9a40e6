"""Endpoints that import master data files in the background and export tables as files."""

import hashlib
import tempfile
from collections.abc import Iterator
from typing import IO

from django.http import Http404, HttpResponse, HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.database_time import database_now
from visibility.master_data import imports
from visibility.master_data.export import TooManyRows
from visibility.master_data.file_reader import FILE_FORMATS, MAX_FILE_SIZES
from visibility.master_data.tables import MasterTable
from visibility.master_data.xlsx_reader import InvalidFile
from visibility.models import ImportRow, ImportState, MasterImport
from visibility.pipeline import job_functions
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.common_serializers import (
    EnumField,
    PermissionFilteredSerializer,
    Rfc3339Field,
    serialize,
    serialize_all,
)
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.master_rows import (
    MasterDataSeeOrEditPermissionView,
    set_no_store_header,
    table_or_404,
)
from visibility.web.api.problem_responses import (
    ApiResponse,
    BodyTooLarge,
    ConflictError,
    InvalidInput,
    UnprocessableError,
)
from visibility.web.api.query_params import QueryParameter
from visibility.web.api.request_body_serializers import (
    MAX_ID,
    EmptyBody,
    UnsupportedMediaType,
    parse_body,
    read_body,
)
from visibility.web.master_table_downloads import MEDIA_TYPES, table_response
from visibility.web.permissions import Permission

FORMAT_PARAMETER = QueryParameter("format", "File format. Default: `csv`.", choices=FILE_FORMATS)
DRY_RUN_PARAMETER = QueryParameter(
    "dry_run", "Validate the file without writing any rows.", choices=("true", "false")
)
NAME_PARAMETER = QueryParameter("name", "File name, shown in the import history.")
MAX_PROBLEMS = 100
CHUNK_SIZE = 65_536


class InvalidRowSerializer(PermissionFilteredSerializer):
    """An invalid row of an imported file."""

    row = serializers.IntegerField(source="number")
    reason = serializers.CharField()


class MasterImportSerializer(PermissionFilteredSerializer):
    """An import and its progress in rows."""

    id = serializers.CharField(source="pk")
    table = serializers.CharField()
    name = serializers.CharField()
    state = EnumField(ImportState)
    detail = serializers.CharField()
    done = serializers.IntegerField()
    total = serializers.IntegerField(allow_null=True)
    added = serializers.IntegerField()
    changed = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    invalid = serializers.IntegerField()
    created_at = Rfc3339Field()
    finished_at = Rfc3339Field(allow_null=True)


class MasterImportWithInvalidRowsSerializer(MasterImportSerializer):
    """An import with its first 100 invalid rows."""

    problems = InvalidRowSerializer(many=True)


class UploadImportView(MasterDataSeeOrEditPermissionView):
    """`POST /master/<table>/import`."""

    query_parameters = (FORMAT_PARAMETER, DRY_RUN_PARAMETER, NAME_PARAMETER)

    http_method_names = ["post"]

    @extend_schema(
        operation_id="master_import",
        request={media.split(";")[0]: OpenApiTypes.BINARY for media in MEDIA_TYPES.values()},
        responses={202: MasterImportSerializer},
    )
    def post(self, request: Request, table: str) -> HttpResponse:
        """Upload a file. It is validated and written in the background, all rows or none."""
        master_table = table_or_404(table)
        media = request.headers.get("Content-Type", "").split(";")[0].strip().lower()
        if media not in {
            "",
            "application/octet-stream",
            *(m.split(";")[0] for m in MEDIA_TYPES.values()),
        }:
            raise UnsupportedMediaType("Content-Type", "must be text/csv or the media type of XLSX")
        file_format = self.params.get("format") or ("xlsx" if media.endswith(".sheet") else "csv")
        with tempfile.TemporaryFile() as file:
            digest = _spool_and_hash_body(request, file, max_bytes=MAX_FILE_SIZES[file_format])

            def do() -> ApiResponse:
                stored = _create_master_import_from_file(
                    request, master_table, file, file_format=file_format, params=self.params
                )
                return ApiResponse.with_json_body(
                    serialize(MasterImportSerializer, stored), status=202
                )

            response = run_idempotently(request, digest, do)
        job_functions.ask_worker_to_run_job_now("import_master_data")
        return response


class ImportProgressView(ApiView):
    """`GET /master/imports/<id>`."""

    required_permissions = (Permission.MAPPINGS_SEE,)

    @extend_schema(
        operation_id="master_import_state", responses=MasterImportWithInvalidRowsSerializer
    )
    def get(self, request: Request, import_id: int) -> Response:
        """Retrieve an import with its progress, its counts and its invalid rows."""
        master_import = _import_with_progress_or_404(import_id)
        invalid_rows = ImportRow.objects.filter(
            master_import=master_import, verdict="invalid"
        ).order_by("number")
        problems = serialize_all(InvalidRowSerializer, invalid_rows[:MAX_PROBLEMS])
        return Response(serialize(MasterImportSerializer, master_import) | {"problems": problems})


class ConfirmValidatedImportView(MasterDataSeeOrEditPermissionView):
    """`POST /master/imports/<id>/apply`."""

    http_method_names = ["post"]

    @extend_schema(
        operation_id="master_import_apply",
        request=EmptyBody,
        responses={202: MasterImportSerializer},
    )
    def post(self, request: Request, import_id: int) -> HttpResponse:
        """Write the rows of a validated import. All rows must be valid."""
        body = read_body(request)

        def do() -> ApiResponse:
            parse_body(EmptyBody, body)
            master_import = _import_with_progress_or_404(import_id)
            if not imports.confirm_import(
                master_import.pk, user=current_user(request), now=database_now()
            ):
                raise ConflictError("This import is not waiting for confirmation.")
            return ApiResponse.with_json_body(
                serialize(MasterImportSerializer, _import_with_progress_or_404(import_id)),
                status=202,
            )

        response = run_idempotently(request, body, do)
        job_functions.ask_worker_to_run_job_now("import_master_data")
        return response


class DiscardImportView(MasterDataSeeOrEditPermissionView):
    """`POST /master/imports/<id>/discard`."""

    http_method_names = ["post"]

    @extend_schema(
        operation_id="master_import_discard", request=EmptyBody, responses=MasterImportSerializer
    )
    def post(self, request: Request, import_id: int) -> HttpResponse:
        """Discard an import that was validated or rejected."""
        body = read_body(request)

        def do() -> ApiResponse:
            parse_body(EmptyBody, body)
            if not imports.discard_import(_import_with_progress_or_404(import_id).pk):
                raise ConflictError("Only a validated or rejected import can be discarded.")
            return ApiResponse.with_json_body(
                serialize(MasterImportSerializer, _import_with_progress_or_404(import_id))
            )

        return run_idempotently(request, body, do)


class MasterExportView(ApiView):
    """`GET /master/<table>/export`."""

    required_permissions = (Permission.MAPPINGS_SEE,)
    query_parameters = (FORMAT_PARAMETER,)

    @extend_schema(
        operation_id="master_export",
        responses={
            (200, MEDIA_TYPES[file_format]): OpenApiTypes.BINARY for file_format in FILE_FORMATS
        },
    )
    def get(self, request: Request, table: str) -> HttpResponseBase:
        """Export a table as a file that can be imported again. Formulas are escaped."""
        form = self.params.get("format", "csv")
        try:
            return set_no_store_header(table_response(request._request, table_or_404(table), form))
        except TooManyRows as error:
            raise UnprocessableError(str(error)) from error


def _spool_and_hash_body(request: Request, file: IO[bytes], *, max_bytes: int) -> bytes:
    """Copy the request body to a file and return its SHA-256 digest. Raises BodyTooLarge."""
    digest, size = hashlib.sha256(), 0
    while chunk := request._request.read(CHUNK_SIZE):
        size += len(chunk)
        if size > max_bytes:
            raise BodyTooLarge(f"at most {max_bytes} bytes")
        digest.update(chunk)
        file.write(chunk)
    file.seek(0)
    return digest.digest()


def _create_master_import_from_file(
    request: Request,
    table: MasterTable,
    file: IO[bytes],
    *,
    file_format: str,
    params: dict[str, str],
) -> MasterImport:
    try:
        return imports.store_import_file(
            table,
            _file_chunks(file),
            name=params.get("name", f"{table.code}.{file_format}"),
            format=file_format,
            auto_apply=params.get("dry_run") != "true",
            user=current_user(request),
            now=database_now(),
        )
    except InvalidFile as error:
        raise InvalidInput("", str(error)) from error


def _file_chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(CHUNK_SIZE):
        yield chunk


def _import_with_progress_or_404(import_id: int) -> MasterImport:
    master_import = MasterImport.objects.filter(pk=min(import_id, MAX_ID)).first()
    if master_import is None:
        raise Http404
    if master_import.state == ImportState.WRITING:
        master_import.done = imports.rows_written_so_far(master_import)
    return master_import
