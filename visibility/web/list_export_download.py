"""Send the filtered rows of a list as a file, and record the export in the audit log."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponseBase

from visibility.export.list_files import ListExport, ListFileFormat, write_list_file
from visibility.models.audit import append_audit_entry
from visibility.web.master_table_downloads import MEDIA_TYPES
from visibility.web.send_files import temporary_file_response


def audited_list_export_response(
    request: HttpRequest,
    export: ListExport,
    *,
    file_format: ListFileFormat,
    by: User,
    parameters: Mapping[str, Sequence[str]],
) -> HttpResponseBase:
    """The file of an export. Raises TooManyExports, TooManyRowsForXlsx."""
    written = write_list_file(export, file_format)
    try:
        _audit(export, written.rows, file_format, by=by, parameters=parameters)
    except BaseException:
        written.file.close()
        raise
    name = f"{export.definition.code}-{export.now:%Y%m%d-%H%M%S}.{file_format.value}"
    return temporary_file_response(request, written.file, name, MEDIA_TYPES[file_format.value])


def _audit(
    export: ListExport,
    rows: int,
    file_format: ListFileFormat,
    *,
    by: User,
    parameters: Mapping[str, Sequence[str]],
) -> None:
    detail: dict[str, Any] = {
        "format": file_format.value,
        "list": export.definition.code,
        "rows": rows,
        "columns": [column.code for column in export.columns],
        "asked": {name: list(values)[:20] for name, values in parameters.items()},
    }
    append_audit_entry(
        "export",
        user=by,
        object=f"{rows} {export.definition.nouns[1]}",
        detail=detail,
        now=export.now,
    )
