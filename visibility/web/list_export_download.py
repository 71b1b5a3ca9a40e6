"""Send the filtered rows of a list as a file, and record the export in the audit log."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.auth.models import User
from django.core.handlers.asgi import ASGIRequest
from django.http import FileResponse, HttpRequest, HttpResponseBase, StreamingHttpResponse

from visibility.export.list_files import (
    ListExport,
    ListFileFormat,
    csv_chunks,
    open_list_export,
    xlsx_file,
)
from visibility.models.audit import append_audit_entry
from visibility.web.master_table_downloads import MEDIA_TYPES, to_async_iterator


def audited_list_export_response(
    request: HttpRequest,
    export: ListExport,
    *,
    file_format: ListFileFormat,
    by: User,
    parameters: Mapping[str, Sequence[str]],
) -> HttpResponseBase:
    """The file of an export. Raises TooManyRowsForXlsx."""
    opened = open_list_export(export, file_format)
    definition = export.definition
    detail: dict[str, Any] = {
        "format": file_format.value,
        "list": definition.code,
        "rows": opened.total,
        "columns": [column.code for column in export.columns],
        "asked": {name: list(values)[:20] for name, values in parameters.items()},
    }
    append_audit_entry(
        "export",
        user=by,
        object=f"{opened.total} {definition.nouns[1]}",
        detail=detail,
        now=export.now,
    )
    name = f"{definition.code}-{export.now:%Y%m%d-%H%M%S}.{file_format.value}"
    media_type = MEDIA_TYPES[file_format.value]
    if file_format is ListFileFormat.XLSX:
        response: HttpResponseBase = FileResponse(
            xlsx_file(opened), as_attachment=True, filename=name, content_type=media_type
        )
    else:
        chunks = csv_chunks(opened)
        response = StreamingHttpResponse(
            # Under ASGI, Django reads a synchronous iterator completely before sending.
            to_async_iterator(chunks) if isinstance(request, ASGIRequest) else chunks,
            content_type=media_type,
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )
    response.headers["Cache-Control"] = "no-store"
    return response
