"""Send the filtered rows of a list as a file, and record the export in the audit log."""

from collections.abc import Mapping, Sequence

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponseBase

from visibility.export.list_files import ListExport, ListFileFormat, write_list_file
from visibility.web.master_table_downloads import MEDIA_TYPES
from visibility.web.send_files import audited_file_response


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
    detail = {
        "format": file_format.value,
        "list": export.definition.code,
        "rows": written.rows,
        "columns": [column.code for column in export.columns],
        "asked": {name: list(values)[:20] for name, values in parameters.items()},
    }
    return audited_file_response(
        request,
        written.file,
        f"{export.definition.code}-{export.now:%Y%m%d-%H%M%S}.{file_format.value}",
        MEDIA_TYPES[file_format.value],
        object=f"{written.rows} {export.definition.nouns[1]}",
        detail=detail,
        by=by,
        now=export.now,
    )
