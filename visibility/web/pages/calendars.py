"""Pages of calendars: the list, one calendar with its form, and what follows a change."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from visibility.alerts import change_calendars
from visibility.alerts.change_calendars import CalendarChangeResult, CalendarConflict
from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import parse_day, parse_row_version
from visibility.formatting import count_with_noun
from visibility.pipeline import job_functions
from visibility.screens.calendars import queries
from visibility.screens.calendars.form_texts import (
    CalendarForm,
    entered_form,
    form_of_version,
    values_by_label,
    values_of_form,
)
from visibility.screens.calendars.queries import CalendarSummary
from visibility.screens.orders.order_filter_values import load_filter_values
from visibility.screens.orders.order_filters import ORDER_FILTERS
from visibility.screens.relative_and_absolute_time import displayed_time
from visibility.screens.save_conflicts import SaveConflict, conflict_with_latest_entry
from visibility.sla.calendar_versions import CalendarVersion, version_on
from visibility.sla.check_calendar import MAX_TITLE_LENGTH, InvalidCalendarValues
from visibility.storage.organization import organization_time_zone
from visibility.web.permissions import (
    Permission,
    has_permission,
    require_permission,
    signed_in_user,
)

LIST_URL = "/calendars"
MAX_CODE_LENGTH = 50


@require_GET
@require_permission(Permission.RULES_SEE)
def calendar_list(request: HttpRequest) -> HttpResponse:
    """`/calendars`: all calendars with their hours, and what uses them."""
    after = request.GET.get("after", "")[:MAX_CODE_LENGTH].replace("\0", "")
    rows = queries.list_calendars(database_now(), after=after, limit=queries.PAGE_SIZE + 1)
    shown = rows[: queries.PAGE_SIZE]
    context = {
        "calendars": shown,
        "next": shown[-1].calendar.code if len(rows) > len(shown) else "",
        "is_first": not after,
        "may_edit": has_permission(request.user, Permission.RULES_EDIT),
    }
    return render(request, "calendars/list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(Permission.RULES_EDIT)
def new_calendar(request: HttpRequest) -> HttpResponse:
    """`/calendars/new`: the empty form; POST creates the calendar."""
    if request.method != "POST":
        empty = CalendarVersion(zone=organization_time_zone())
        return _render_new(request, form_of_version(empty, ""))
    try:
        created = change_calendars.create_calendar(
            _form_values(request), by=signed_in_user(request), now=database_now()
        )
    except InvalidCalendarValues as error:
        return _render_new(request, entered_form(request.POST.dict(), error.errors))
    messages.success(request, "Calendar created. Choose it on the page of a rule.")
    return HttpResponseRedirect(f"{LIST_URL}/{created.code}")


@require_http_methods(["GET", "HEAD"])
@require_permission(Permission.RULES_SEE)
def calendar_detail(request: HttpRequest, code: str) -> HttpResponse:
    """`/calendars/<code>`: one calendar; `from`: the form of the version of that date."""
    summary = _summary_or_404(code)
    day = parse_day(request.GET.get("from", "")) or summary.today
    version = version_on(summary.versions, max(day, summary.today))
    form = form_of_version(version, summary.calendar.title)
    if version.starts_on is None or version.starts_on <= summary.today:
        form = replace(form, effective_from="")
    return _render_calendar(request, summary, form)


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(Permission.RULES_EDIT)
def save_calendar(request: HttpRequest, code: str) -> HttpResponse:
    """`POST /calendars/<code>/save`: change it, or show the form again with the errors."""
    summary = _summary_or_404(code)
    if request.method != "POST":
        return HttpResponseRedirect(f"{LIST_URL}/{code}")
    try:
        result = change_calendars.change_calendar(
            code,
            _form_values(request),
            effective_from=request.POST.get("effective_from", "").strip(),
            version=parse_row_version(request.POST.get("version", "")),
            by=signed_in_user(request),
            now=database_now(),
        )
    except InvalidCalendarValues as error:
        form = entered_form(request.POST.dict(), error.errors)
        return _render_calendar(request, summary, form)
    except CalendarConflict:
        return _render_conflict(request, _summary_or_404(code))
    _report_change(request, result)
    return HttpResponseRedirect(f"{LIST_URL}/{code}")


def _render_conflict(request: HttpRequest, summary: CalendarSummary) -> HttpResponse:
    """The stored calendar and the entered values, which were made from an older version."""
    calendar = summary.calendar
    mine = entered_form(request.POST.dict(), {})
    latest = next(iter(queries.calendar_history(calendar.code)), None)
    conflict = conflict_with_latest_entry(
        values_by_label(form_of_version(summary.current, calendar.title)),
        values_by_label(mine),
        latest,
        now=database_now(),
        form_id="calendar-form",
        reload_url=f"{LIST_URL}/{calendar.code}",
    )
    return _render_calendar(request, summary, mine, conflict=conflict)


@require_POST
@require_permission(Permission.RULES_EDIT)
def remove_version(request: HttpRequest, code: str, day: str) -> HttpResponse:
    """`POST /calendars/<code>/versions/<date>/remove`."""
    starts_on = parse_day(day)
    if starts_on is None:
        raise Http404(day)
    try:
        result = change_calendars.remove_calendar_version(
            code,
            starts_on,
            version=parse_row_version(request.POST.get("version", "")),
            by=signed_in_user(request),
            now=database_now(),
        )
    except change_calendars.UnknownCalendar as error:
        raise Http404(code) from error
    except CalendarConflict as error:
        messages.error(request, str(error))
    else:
        _report_change(request, result)
    return HttpResponseRedirect(f"{LIST_URL}/{code}")


@require_POST
@require_permission(Permission.RULES_EDIT)
def copy_calendar(request: HttpRequest, code: str) -> HttpResponse:
    """`POST /calendars/<code>/copy`: create a calendar with the same hours."""
    summary = _summary_or_404(code)
    try:
        created = change_calendars.create_calendar(
            {"title": request.POST.get("title", "").strip()},
            by=signed_in_user(request),
            now=database_now(),
            copy_of=summary.calendar,
        )
    except InvalidCalendarValues as error:
        messages.error(request, f"Not copied. {error}")
        return HttpResponseRedirect(f"{LIST_URL}/{code}")
    messages.success(
        request, "Calendar copied, without its cut-offs: a pair has one cut-off in all calendars."
    )
    return HttpResponseRedirect(f"{LIST_URL}/{created.code}")


@require_POST
@require_permission(Permission.RULES_EDIT)
def delete_calendar(request: HttpRequest, code: str) -> HttpResponse:
    """`POST /calendars/<code>/delete`: delete a calendar that nothing uses."""
    _summary_or_404(code)
    try:
        change_calendars.delete_calendar(code, by=signed_in_user(request), now=database_now())
    except CalendarConflict as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(f"{LIST_URL}/{code}")
    messages.success(request, "Calendar deleted.")
    return HttpResponseRedirect(LIST_URL)


def _report_change(request: HttpRequest, result: CalendarChangeResult) -> None:
    if not result.is_changed:
        messages.success(request, "Nothing was changed.")
        return
    text = f"Saved as version {result.calendar.version}."
    if result.rechecked_orders:
        job_functions.ask_worker_to_run_job_now("refold")
        text += f" {count_with_noun(result.rechecked_orders, 'order')} will be checked again."
    messages.success(request, text)


def _form_values(request: HttpRequest) -> dict[str, Any]:
    form = request.POST.dict()
    return {"title": form.get("title", ""), **values_of_form(form)}


def _choices(request: HttpRequest) -> Mapping[str, Any]:
    if not has_permission(request.user, Permission.RULES_EDIT):
        return {}
    names = load_filter_values(ORDER_FILTERS, viewer_sees_names=False)
    return {
        "may_edit": True,
        "countries": queries.country_choices(),
        "zones": queries.known_zones(),
        "warehouses": [value for value, _ in names.get("warehouse", ())],
        "carriers": [value for value, _ in names.get("carrier", ())],
        "max_title_length": MAX_TITLE_LENGTH,
    }


def _render_new(request: HttpRequest, form: CalendarForm) -> HttpResponse:
    context = {"form": form, **_choices(request)}
    return render(request, "calendars/new.html", context, status=422 if form.errors else 200)


def _render_calendar(
    request: HttpRequest,
    summary: CalendarSummary,
    form: CalendarForm,
    *,
    conflict: SaveConflict | None = None,
) -> HttpResponse:
    now = database_now()
    context = {
        "summary": summary,
        "calendar": summary.calendar,
        "use": queries.load_calendar_use(summary.calendar),
        "special_days": queries.special_days(summary),
        "form": form,
        "conflict": conflict,
        "history": [
            (entry, displayed_time(entry.at, now))
            for entry in queries.calendar_history(summary.calendar.code)
        ],
        **_choices(request),
    }
    status = 409 if conflict else 422 if form.errors else 200
    return render(request, "calendars/calendar.html", context, status=status)


def _summary_or_404(code: str) -> CalendarSummary:
    summary = queries.load_calendar_summary(code, database_now())
    if summary is None:
        raise Http404(code)
    return summary


urlpatterns = [
    path("calendars", calendar_list),
    path("calendars/new", new_calendar),
    path("calendars/<slug:code>", calendar_detail),
    path("calendars/<slug:code>/save", save_calendar),
    path("calendars/<slug:code>/copy", copy_calendar),
    path("calendars/<slug:code>/delete", delete_calendar),
    path("calendars/<slug:code>/versions/<str:day>/remove", remove_version),
]
