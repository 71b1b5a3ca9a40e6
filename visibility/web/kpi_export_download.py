"""Send a page of KPIs as a file, and record the export in the audit log."""

from collections.abc import Mapping
from datetime import datetime

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponseBase

from visibility.export.kpi_files import KpiExport, write_kpi_file
from visibility.export.kpi_overview_files import KpiOverviewExport, write_kpi_overview_file
from visibility.export.list_files import ListFileFormat, WrittenListFile
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
    _append_audit_entry(
        written, f"KPI {code}", {"kpi": code}, file_format, by, parameters, now=export.now
    )
    name = f"{code}-{export.now:%Y%m%d-%H%M%S}.{file_format.value}"
    return temporary_file_response(request, written.file, name, MEDIA_TYPES[file_format.value])


def audited_kpi_overview_response(
    request: HttpRequest,
    export: KpiOverviewExport,
    *,
    file_format: ListFileFormat,
    by: User,
    parameters: Mapping[str, str],
) -> HttpResponseBase:
    """The file of the overview. Raises TooManyExports, TooManyFacts."""
    written = write_kpi_overview_file(export, file_format)
    _append_audit_entry(written, "KPIs", {}, file_format, by, parameters, now=export.now)
    name = f"kpis-{export.now:%Y%m%d-%H%M%S}.{file_format.value}"
    return temporary_file_response(request, written.file, name, MEDIA_TYPES[file_format.value])


def _append_audit_entry(
    written: WrittenListFile,
    title: str,
    detail: Mapping[str, str],
    file_format: ListFileFormat,
    by: User,
    parameters: Mapping[str, str],
    *,
    now: datetime,
) -> None:
    """Record the export; if that fails, the file is closed and not sent."""
    try:
        append_audit_entry(
            "export",
            user=by,
            object=title,
            detail={
                "format": file_format.value,
                **detail,
                "rows": written.rows,
                "asked": dict(parameters),
            },
            now=now,
        )
    except BaseException:
        written.file.close()
        raise
