"""`/organization`: what holds for everybody in the organization, for administrators."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_http_methods

from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import parse_row_version
from visibility.formatting import count_with_noun
from visibility.models import AuditEntry
from visibility.models.organization import MAX_NAME_LENGTH
from visibility.pipeline import job_functions
from visibility.preferences.change_organization import (
    InvalidOrganization,
    OrganizationChangeResult,
    OrganizationConflict,
    change_organization,
    current_organization,
    known_time_zones,
)
from visibility.screens.organization import queries
from visibility.screens.save_conflicts import conflict_with_latest_entry
from visibility.web.permissions import Permission, require_permission, signed_in_user

FORM_FIELDS = ("name", "time_zone", "currency", "week_start", "fiscal_year_start")


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(Permission.ADMINISTER)
def organization_page(request: HttpRequest) -> HttpResponse:
    """`/organization`: the form; POST saves it, or shows it again with the errors."""
    if request.method != "POST":
        return _render_page(request, queries.field_values(current_organization()), {})
    values = {name: request.POST.get(name, "") for name in (*FORM_FIELDS, "calendar")}
    try:
        result = change_organization(
            values,
            version=parse_row_version(request.POST.get("version", "")),
            by=signed_in_user(request),
            now=database_now(),
        )
    except InvalidOrganization as error:
        return _render_page(request, displayed_values(values), error.errors)
    except OrganizationConflict:
        return _render_page(request, displayed_values(values), {}, is_conflict=True)
    messages.success(request, _change_sentence(result))
    return HttpResponseRedirect("/organization")


def organization_choices() -> dict[str, Any]:
    """The context of the fields of the organization, here and in the set-up."""
    return {
        "zones": known_time_zones(),
        "week_starts": queries.WEEK_STARTS,
        "months": queries.MONTHS,
        "max_name_length": MAX_NAME_LENGTH,
    }


def displayed_values(entered: Mapping[str, str]) -> dict[str, Any]:
    """Entered values as the form shows them: the month as a number, to mark its option."""
    month = entered.get("fiscal_year_start", "")
    is_month = month.isascii() and month.isdecimal() and len(month) < 3
    return {**entered, "fiscal_year_start": int(month) if is_month else month}


def _change_sentence(result: OrganizationChangeResult) -> str:
    if not result.changed:
        return "Nothing was changed."
    if not result.refolded_orders:
        return "Organization saved."
    job_functions.ask_worker_to_run_job_now("refold")
    orders = count_with_noun(result.refolded_orders, "order")
    return f"Organization saved. {orders} will be checked again with the new time zone."


def _render_page(
    request: HttpRequest,
    values: Mapping[str, Any],
    errors: Mapping[str, str],
    *,
    is_conflict: bool = False,
) -> HttpResponse:
    stored = current_organization()
    conflict = None
    if is_conflict:
        entries = AuditEntry.objects.filter(action="organization.changed").select_related("user")
        conflict = conflict_with_latest_entry(
            _values_by_label(queries.field_values(stored)),
            _values_by_label(values),
            entries.order_by("-pk").first(),
            now=database_now(),
            form_id="organization-form",
            reload_url="/organization",
        )
    context = {
        "organization": stored,
        "conflict": conflict,
        "values": values,
        "errors": errors,
        "calendars": queries.calendar_choices(),
        "history": queries.list_latest_changes(database_now()),
        **organization_choices(),
    }
    status = 409 if is_conflict else 422 if errors else 200
    return render(request, "organization/page.html", context, status=status)


def _values_by_label(values: Mapping[str, Any]) -> dict[str, str]:
    return {name.replace("_", " ").capitalize(): str(value) for name, value in values.items()}


urlpatterns = [path("organization", organization_page)]
