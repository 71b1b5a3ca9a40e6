"""Send the filtered rows of a list as a file, and record the export in the audit log."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.auth.models import User
from django.core.handlers.asgi import ASGIRequest
from django.http import FileResponse, HttpRequest, HttpResponseBase, StreamingHttpResponse

from visibility.export.list_files import (
    CsvFile,
    ListExport,
    ListFileFormat,
    OpenedListExport,
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
    try:
        _audit(opened, file_format, by=by, parameters=parameters)
        response = _file_response(request, opened, file_format)
    except BaseException:
        opened.close()
        raise
    response.headers["Cache-Control"] = "no-store"
    return response


class CsvResponse(StreamingHttpResponse):
    """A CSV file as a stream. Closing it closes the export, also if nobody has read it."""

    def __init__(self, request: HttpRequest, file: CsvFile, **options: Any) -> None:
        # Under ASGI, Django reads a synchronous iterator completely before sending.
        chunks = to_async_iterator(file) if isinstance(request, ASGIRequest) else file
        super().__init__(chunks, **options)
        self.file = file

    def close(self) -> None:
        """Close the export while the request still has its database connection."""
        self.file.close()
        super().close()


def _audit(
    opened: OpenedListExport,
    file_format: ListFileFormat,
    *,
    by: User,
    parameters: Mapping[str, Sequence[str]],
) -> None:
    export = opened.export
    detail: dict[str, Any] = {
        "format": file_format.value,
        "list": export.definition.code,
        "rows": opened.total,
        "columns": [column.code for column in export.columns],
        "asked": {name: list(values)[:20] for name, values in parameters.items()},
    }
    append_audit_entry(
        "export",
        user=by,
        object=f"{opened.total} {export.definition.nouns[1]}",
        detail=detail,
        now=export.now,
    )


def _file_response(
    request: HttpRequest, opened: OpenedListExport, file_format: ListFileFormat
) -> HttpResponseBase:
    export = opened.export
    name = f"{export.definition.code}-{export.now:%Y%m%d-%H%M%S}.{file_format.value}"
    media_type = MEDIA_TYPES[file_format.value]
    if file_format is ListFileFormat.XLSX:
        return FileResponse(
            xlsx_file(opened), as_attachment=True, filename=name, content_type=media_type
        )
    return CsvResponse(
        request,
        CsvFile(opened),
        content_type=media_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
