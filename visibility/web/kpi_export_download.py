"""Send a page of KPIs as a file, and record the export in the audit log."""

from collections.abc import Mapping
from datetime import datetime

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponseBase

from visibility.export.kpi_files import KpiExport, write_kpi_file
from visibility.export.kpi_overview_files import KpiOverviewExport, write_kpi_overview_file
from visibility.export.list_files import ListFileFormat, WrittenListFile
from visibility.web.master_table_downloads import MEDIA_TYPES
from visibility.web.send_files import audited_file_response


def audited_kpi_export_response(
    request: HttpRequest,
    export: KpiExport,
    *,
    file_format: ListFileFormat,
    by: User,
    parameters: Mapping[str, str],
) -> HttpResponseBase:
    """The file of an export. Raises TooManyExports, TooManyFacts."""
    code = export.kpi.code
    return _audited_response(
        request,
        write_kpi_file(export, file_format),
        f"KPI {code}",
        code,
        {"kpi": code},
        file_format,
        by,
        parameters,
        now=export.now,
    )


def audited_kpi_overview_response(
    request: HttpRequest,
    export: KpiOverviewExport,
    *,
    file_format: ListFileFormat,
    by: User,
    parameters: Mapping[str, str],
) -> HttpResponseBase:
    """The file of the overview. Raises TooManyExports, TooManyFacts."""
    return _audited_response(
        request,
        write_kpi_overview_file(export, file_format),
        "KPIs",
        "kpis",
        {},
        file_format,
        by,
        parameters,
        now=export.now,
    )


def _audited_response(
    request: HttpRequest,
    written: WrittenListFile,
    title: str,
    code: str,
    detail: Mapping[str, str],
    file_format: ListFileFormat,
    by: User,
    parameters: Mapping[str, str],
    *,
    now: datetime,
) -> HttpResponseBase:
    return audited_file_response(
        request,
        written.file,
        f"{code}-{now:%Y%m%d-%H%M%S}.{file_format.value}",
        MEDIA_TYPES[file_format.value],
        object=title,
        detail={
            "format": file_format.value,
            **detail,
            "rows": written.rows,
            "asked": dict(parameters),
        },
        by=by,
        now=now,
    )
