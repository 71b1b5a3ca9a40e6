"""Send the page of a KPI as a file, and record the export in the audit log."""

from collections.abc import Mapping

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponseBase

from visibility.export.kpi_files import KpiExport, write_kpi_file
from visibility.export.list_files import ListFileFormat
from visibility.models.audit import append_audit_entry
from visibility.web.master_table_downloads import MEDIA_TYPES
from visibility.web.send_files import temporary_file_response


def audited_kpi_export_response(
    request: HttpRequest,
    export: KpiExport,
    *,
    file_format: ListFileFormat,
    by: User,
    parameters: Mapping[str, str],
) -> HttpResponseBase:
    """The file of an export. Raises TooManyExports, TooManyFacts."""
    written, code = write_kpi_file(export, file_format), export.kpi.code
    try:
        append_audit_entry(
            "export",
            user=by,
            object=f"KPI {code}",
            detail={
                "format": file_format.value,
                "kpi": code,
                "rows": written.rows,
                "asked": dict(parameters),
            },
            now=export.now,
        )
    except BaseException:
        written.file.close()
        raise
    name = f"{code}-{export.now:%Y%m%d-%H%M%S}.{file_format.value}"
    return temporary_file_response(request, written.file, name, MEDIA_TYPES[file_format.value])
