"""Pages of release checks: request, progress, result, promotion and roll-back."""

import tempfile
from datetime import datetime, timedelta
from typing import TypeVar

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from visibility.db.change_feed import latest_change_number
from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import parse_day, parse_row_id
from visibility.formatting import start_of_day
from visibility.models import Manifest
from visibility.models.release_checks import (
    ReleaseCheck,
    ReleaseCheckMessage,
    ReleaseCheckOrder,
    ReleaseCheckState,
)
from visibility.pipeline import job_functions
from visibility.release_checks import results
from visibility.release_checks.order_differences import DifferenceKind
from visibility.release_checks.promote import why_no_roll_back
from visibility.release_checks.requests import (
    DEFAULT_PERIOD,
    CannotCheck,
    request_check,
)
from visibility.release_checks.run_checks import JOB
from visibility.release_checks.select_messages import MAX_MESSAGES
from visibility.screens.manifests.queries import sources_to_compare
from visibility.screens.relative_and_absolute_time import displayed_time
from visibility.storage.organization import organization_time_zone
from visibility.web.permissions import (
    Permission,
    has_permission,
    require_permission,
    signed_in_user,
)
from visibility.web.send_files import audited_file_response
from visibility.web.source_lookup import source_or_404

Row = TypeVar("Row", ReleaseCheckOrder, ReleaseCheckMessage)
LIST_URL = "/release-checks"
CSV_TYPE = "text/csv; charset=utf-8"


@require_GET
@require_permission(Permission.SOURCES_EDIT)
@require_permission(Permission.MESSAGE_BODIES)
def release_check_list(request: HttpRequest) -> HttpResponse:
    """`/release-checks`: the checks, newest first, and the form of a new one."""
    return _render_list(request, {"source": request.GET.get("source", "")[:60].replace("\0", "")})


@require_POST
@require_permission(Permission.SOURCES_EDIT)
@require_permission(Permission.MESSAGE_BODIES)
def start_release_check(request: HttpRequest) -> HttpResponse:
    """`POST /release-checks/start`: request a check; its page follows."""
    entered = {
        name: request.POST.get(name, "").replace("\0", "")[:60]
        for name in ("source", "manifest", "since", "until")
    }
    source = source_or_404(entered["source"])
    manifest = None
    if entered["manifest"]:
        manifest = Manifest.objects.filter(slug=entered["manifest"]).first()
        if manifest is None:
            raise Http404(entered["manifest"])
    try:
        check = request_check(
            source,
            manifest,
            since=_start_of_entered_day(entered["since"], "since"),
            until=_start_of_entered_day(entered["until"], "until", days=1),
            by=signed_in_user(request),
            now=database_now(),
        )
    except CannotCheck as error:
        return _render_list(request, entered, errors={error.field or "source": str(error)})
    job_functions.ask_worker_to_run_job_now(JOB)
    return HttpResponseRedirect(f"{LIST_URL}/{check.pk}")


@require_GET
@require_permission(Permission.SOURCES_EDIT)
@require_permission(Permission.MESSAGE_BODIES)
def release_check(request: HttpRequest, check_id: int) -> HttpResponse:
    """`/release-checks/<id>?tag=&after=`: how far a check is, and its result."""
    check, now = check_or_404(check_id), database_now()
    tag = request.GET.get("tag", "")[:120].replace("\0", "")
    rows, following = _page(request, results.check_orders(check, tag), "position")
    context = {
        "check": check,
        "now": now,
        "live_head": latest_change_number(),
        "state": results.STATE_LABELS[ReleaseCheckState(check.state)],
        "in_progress": results.is_in_progress(check),
        "is_ready": check.state == ReleaseCheckState.READY,
        "sentence": results.summary_sentence(check),
        "limits": results.limit_sentences(check),
        "since": displayed_time(check.since, now),
        "until": displayed_time(check.until, now),
        "requested": displayed_time(check.requested_at, now),
        "promoted": displayed_time(check.promoted_at, now),
        "rolled_back": displayed_time(check.rolled_back_at, now),
        "kinds": results.kind_counts(check),
        "milestones": results.change_counts(check, DifferenceKind.MILESTONE),
        "alerts": results.change_counts(check, DifferenceKind.ALERT),
        "kpis": check.summary.get("kpis", ()),
        "message_changes": [
            (change, label, check.summary.get(change, 0))
            for change, label in results.MESSAGE_CHANGES.items()
        ],
        "orders": [_order_context(row) for row in rows],
        "tag": tag,
        "next": following,
        "is_first": "after" not in request.GET,
        "no_roll_back": why_no_roll_back(check) if check.promoted_at else "",
        "may_promote": has_permission(request.user, Permission.PARKED_REPLAY),
        "uses_it": check.manifest is None or check.source.connector == check.manifest.slug,
    }
    return render(request, "release_checks/check.html", context)


@require_GET
@require_permission(Permission.SOURCES_EDIT)
@require_permission(Permission.MESSAGE_BODIES)
def release_check_messages(request: HttpRequest, check_id: int) -> HttpResponse:
    """`/release-checks/<id>/messages?change=&after=`: messages that would be parked otherwise."""
    check = check_or_404(check_id)
    change = request.GET.get("change", "")[:20].replace("\0", "")
    rows, following = _page(request, results.check_messages(check, change), "message_id")
    context = {
        "check": check,
        "rows": [(row, results.MESSAGE_CHANGES.get(row.change, row.change)) for row in rows],
        "change": change,
        "title": results.MESSAGE_CHANGES.get(change, "Messages that would be parked otherwise"),
        "next": following,
        "is_first": "after" not in request.GET,
    }
    return render(request, "release_checks/messages.html", context)


@require_GET
@require_permission(Permission.SOURCES_EDIT)
@require_permission(Permission.MESSAGE_BODIES)
@require_permission(Permission.EXPORT)
def release_check_file(request: HttpRequest, check_id: int) -> HttpResponseBase:
    """`/release-checks/<id>/file`: the differences as CSV."""
    check = check_or_404(check_id)
    file = tempfile.TemporaryFile()  # noqa: SIM115  # the response closes it
    results.write_csv(check, file)
    file.seek(0)
    return audited_file_response(
        request,
        file,
        f"release-check-{check.pk}.csv",
        CSV_TYPE,
        object=f"release check {check.pk}",
        detail={"orders": check.summary.get("orders", 0)},
        by=signed_in_user(request),
        now=database_now(),
    )


def check_or_404(check_id: int) -> ReleaseCheck:
    """The check with this id. Raises Http404."""
    check = results.find_check(check_id)
    if check is None:
        raise Http404(str(check_id))
    return check


def _page(request: HttpRequest, rows: "QuerySet[Row]", column: str) -> tuple[list[Row], int | None]:
    """One page of rows after `after`, and the value of the last one if more follow."""
    after = parse_row_id(request.GET.get("after", ""))
    if after is not None:
        rows = rows.filter(**{f"{column}__gt": after})
    loaded = list(rows[: results.PAGE_SIZE + 1])
    shown = loaded[: results.PAGE_SIZE]
    return shown, getattr(shown[-1], column) if len(loaded) > len(shown) else None


def _order_context(row: ReleaseCheckOrder) -> dict[str, object]:
    differences = results.differences_of_order(row)
    return {
        "row": row,
        "differences": [
            (results.KIND_LABELS[each.kind], each, results.CHANGE_LABELS[each.change])
            for each in differences[: results.MAX_SHOWN]
        ],
        "more": max(0, len(differences) - results.MAX_SHOWN),
        "messages": row.message_ids[: results.MAX_MESSAGES],
        "more_messages": max(0, len(row.message_ids) - results.MAX_MESSAGES),
    }


def _start_of_entered_day(text: str, field: str, *, days: int = 0) -> datetime | None:
    """The start of an entered day, or of the one that follows. Raises CannotCheck."""
    if not text:
        return None
    day = parse_day(text)
    if day is None:
        raise CannotCheck("Enter a date.", field)
    zone = organization_time_zone()
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=database_now().tzinfo)
    return start_of_day(noon + timedelta(days=days), zone)


def _render_list(
    request: HttpRequest, entered: dict[str, str], errors: dict[str, str] | None = None
) -> HttpResponse:
    before, now = parse_row_id(request.GET.get("before", "")), database_now()
    loaded = results.list_checks(before=before, limit=results.PAGE_SIZE + 1)
    shown = loaded[: results.PAGE_SIZE]
    context = {
        "checks": [
            (
                check,
                results.STATE_LABELS[ReleaseCheckState(check.state)],
                displayed_time(check.requested_at, now),
                results.summary_sentence(check),
            )
            for check in shown
        ],
        "next": shown[-1].pk if len(loaded) > len(shown) else None,
        "is_first": before is None,
        "entered": entered,
        "errors": errors or {},
        "sources": sources_to_compare(entered.get("manifest", "")),
        "manifests": Manifest.objects.order_by("slug").values_list("slug", flat=True)[:200],
        "days": DEFAULT_PERIOD.days,
        "max_messages": MAX_MESSAGES,
    }
    return render(request, "release_checks/list.html", context, status=422 if errors else 200)


urlpatterns = [
    path("release-checks", release_check_list),
    path("release-checks/start", start_release_check),
    path("release-checks/<int:check_id>", release_check),
    path("release-checks/<int:check_id>/messages", release_check_messages),
    path("release-checks/<int:check_id>/file", release_check_file),
]
