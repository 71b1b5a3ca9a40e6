"""Pages of the audit log: its entries, a file of them, and the check of the chain."""

import tempfile
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_POST, require_safe

from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import parse_day, parse_row_id
from visibility.export.table_files import TableOfFile, write_csv_table
from visibility.formatting import count_with_noun, in_zone
from visibility.models.audit import find_audit_violations
from visibility.screens.audit.entries import (
    AREAS,
    EXPORT_COLUMNS,
    MAX_EXPORTED,
    PAGE_SIZE,
    AuditFilter,
    action_title,
    describe_detail,
    export_rows,
    filter_entries,
)
from visibility.screens.relative_and_absolute_time import displayed_time
from visibility.storage.organization import organization_time_zone
from visibility.web.audit_subject_links import subject_urls
from visibility.web.master_table_downloads import MEDIA_TYPES
from visibility.web.permissions import Permission, require_permission, signed_in_user
from visibility.web.send_files import audited_file_response

URL = "/audit"
TEXT_FILTERS = ("text", "username", "area")
DAY_FILTERS = ("since", "until")
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2200, 1, 1)


@require_safe
@require_permission(Permission.ADMINISTER)
def audit_page(request: HttpRequest) -> HttpResponse:
    """`/audit?text=&username=&area=&since=&until=&before=`: the entries, newest first."""
    asked, errors = read_filter(request)
    entries = filter_entries(asked, organization_time_zone())
    before = parse_row_id(request.GET.get("before", ""))
    rows = list((entries.filter(pk__lt=before) if before else entries)[: PAGE_SIZE + 1])
    shown, now = rows[:PAGE_SIZE], database_now()
    urls = subject_urls(shown, signed_in_user(request))
    query = {
        name: request.GET[name] for name in (*TEXT_FILTERS, *DAY_FILTERS) if request.GET.get(name)
    }
    context: dict[str, Any] = {
        "entries": [
            (
                entry,
                action_title(entry.action),
                describe_detail(entry.detail),
                displayed_time(entry.at, now),
                urls.get(entry.pk, ""),
            )
            for entry in shown
        ],
        "count": entries.count(),
        "asked": asked,
        "entered": {name: request.GET.get(name, "") for name in DAY_FILTERS},
        "errors": errors,
        "areas": sorted(AREAS.items(), key=lambda item: item[1]),
        "query": urlencode(query),
        "next": urlencode({**query, "before": shown[-1].pk}) if len(rows) > PAGE_SIZE else "",
        "is_first": before is None,
        "is_filtered": bool(query),
    }
    return render(request, "audit/list.html", context, status=422 if errors else 200)


@require_safe
@require_permission(Permission.ADMINISTER)
def export_audit(request: HttpRequest) -> HttpResponseBase:
    """`/audit/export` with the filters of `/audit`: a CSV file, which is audited itself."""
    asked, errors = read_filter(request)
    if errors:
        return HttpResponseRedirect(f"{URL}?{request.GET.urlencode()}")
    zone, now, user = organization_time_zone(), database_now(), signed_in_user(request)
    entries = filter_entries(asked, zone)
    total = entries.count()
    file = tempfile.TemporaryFile()  # noqa: SIM115  # the response closes it
    heading: list[tuple[str, str | int]] = [
        ("List", "Audit log"),
        ("Filters", "; ".join(asked.describe()) or "None"),
        ("As of", f"{in_zone(now, zone):%Y-%m-%d %H:%M} ({zone})"),
        ("Exported by", user.get_full_name() or user.get_username()),
        ("Rows", min(total, MAX_EXPORTED)),
        *([("Left out", total - MAX_EXPORTED)] if total > MAX_EXPORTED else []),
    ]
    rows = export_rows(entries[:MAX_EXPORTED].iterator(chunk_size=2000))
    try:
        write_csv_table(TableOfFile("Audit log", heading, EXPORT_COLUMNS, rows), file)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return audited_file_response(
        request,
        file,
        f"audit-{now:%Y%m%d-%H%M%S}.csv",
        MEDIA_TYPES["csv"],
        object="Audit log",
        detail={
            "format": "csv",
            "rows": min(total, MAX_EXPORTED),
            "asked": request.GET.dict(),
        },
        by=user,
        now=now,
    )


@require_POST
@require_permission(Permission.ADMINISTER)
def check_audit(request: HttpRequest) -> HttpResponse:
    """`POST /audit/check`: read all entries, and say whether the chain and its seal hold."""
    violations = find_audit_violations()
    if violations:
        more = f" And {len(violations) - 3} more." if len(violations) > 3 else ""
        messages.error(request, f"The audit log was changed: {'; '.join(violations[:3])}.{more}")
    else:
        count = filter_entries(AuditFilter(), organization_time_zone()).count()
        messages.success(
            request,
            f"The chain of {count_with_noun(count, 'entry', 'entries')} is complete, and its end "
            "is sealed.",
        )
    return HttpResponseRedirect(URL)


def read_filter(request: HttpRequest) -> tuple[AuditFilter, dict[str, str]]:
    """The filter in the query string, and a sentence for each day that is none."""
    texts = {
        name: request.GET.get(name, "").replace("\0", "").strip()[:150] for name in TEXT_FILTERS
    }
    days: dict[str, date | None] = {}
    errors = {}
    for name in DAY_FILTERS:
        entered = request.GET.get(name, "")
        days[name] = day = parse_day(entered)
        if entered and day is None:
            errors[name] = "Enter a day such as 2026-03-31."
        elif day and not FIRST_DAY <= day < LAST_DAY:
            days[name], errors[name] = None, "Enter a day from 2000 to 2199."
    asked = AuditFilter(
        texts["text"], texts["username"], texts["area"], days["since"], days["until"]
    )
    return asked, errors


urlpatterns = [
    path("audit", audit_page, name="audit"),
    path("audit/export", export_audit),
    path("audit/check", check_audit),
]
