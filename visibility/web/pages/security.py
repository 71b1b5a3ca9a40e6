"""`/people/security`: second factors, how long sessions last, and how passwords are checked."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_http_methods

from visibility.db.database_time import database_now
from visibility.db.lock_keys import LockKey, lock_until_commit
from visibility.formatting import format_duration
from visibility.models import SecuritySettings
from visibility.models.people import BREACH_CHECK_URL
from visibility.screens.save_conflicts import (
    SEEN,
    SaveConflict,
    conflict_with_latest_entry,
    fingerprint_of_values,
    has_changed_since,
    latest_change,
)
from visibility.web.author import author_of
from visibility.web.people import people_list, second_factor
from visibility.web.people.passwords.change_checks import (
    CHANGED,
    InvalidPasswordChecks,
    change_password_checks,
    current_password_checks,
    lock_password_checks,
)
from visibility.web.people.passwords.known_terms import COMMON_TERMS
from visibility.web.people.people_list import PeopleFilter
from visibility.web.people.second_factor import FixedByServer
from visibility.web.people.session_limits import (
    InvalidLimits,
    change_session_limits,
    current_limits,
)
from visibility.web.permissions import Permission, require_permission

PAGE_URL = "/people/security"
IDLE_MINUTES = (15, 30, 60, 120, 240, 480, 720, 1_440, 4_320, 10_080, 20_160)
SESSION_HOURS = (8, 12, 24, 72, 168, 336, 720, 2_160)


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(Permission.ADMINISTER)
def security_page(request: HttpRequest) -> HttpResponse:
    """All; POST changes one of the first two, after the password or a code was confirmed."""
    if request.method == "POST":
        response: HttpResponse = _change(request)
        return response
    return _render(request)


@reauthentication_required(app="allauth.mfa")  # type: ignore[untyped-decorator]  # no types
def _change(request: HttpRequest) -> HttpResponse:
    if "idle_minutes" in request.POST:
        return _change_session_limits(request)
    required = request.POST.get("required") == "yes"
    try:
        second_factor.change_requirement(required, by=author_of(request))
    except FixedByServer:
        return _render(request, status=409)
    messages.success(
        request,
        "A second factor is required from now on."
        if required
        else "A second factor is no longer required.",
    )
    return HttpResponseRedirect(PAGE_URL)


@transaction.atomic
def _change_session_limits(request: HttpRequest) -> HttpResponse:
    by = author_of(request)
    entered = {name: _integer(request, name) for name in ("idle_minutes", "session_hours")}
    lock_until_commit(LockKey.SESSION_LIMITS)
    if has_changed_since(request.POST.get(SEEN, ""), _values_by_label(current_limits())):
        return _render(request, status=409, entered=entered)
    try:
        change_session_limits(**entered, by=by)
    except InvalidLimits as error:
        return _render(request, status=422, error=str(error), entered=entered)
    messages.success(request, "The limits of sessions are saved.")
    return HttpResponseRedirect(PAGE_URL)


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(Permission.ADMINISTER)
def password_checks(request: HttpRequest) -> HttpResponse:
    """`POST /people/security/passwords`, confirmed in the same way; GET leads to the page."""
    if request.method != "POST":
        return HttpResponseRedirect(PAGE_URL)
    response: HttpResponse = _change_password_checks(request)
    return response


@reauthentication_required(app="allauth.mfa")  # type: ignore[untyped-decorator]  # no types
@transaction.atomic
def _change_password_checks(request: HttpRequest) -> HttpResponse:
    lock_password_checks()
    entered = {
        "checks_breached_passwords": request.POST.get("checks_breached_passwords") == "yes",
        "breach_check_url": request.POST.get("breach_check_url", ""),
        "refused_password_terms": request.POST.get("refused_password_terms", ""),
    }
    if has_changed_since(request.POST.get(SEEN, ""), _checks_by_label(current_password_checks())):
        return _render(request, status=409, checks=entered)
    try:
        change_password_checks(entered, by=author_of(request))
    except InvalidPasswordChecks as error:
        errors = {item.name: item.sentence for item in error.errors}
        return _render(request, status=422, checks=entered, check_errors=errors)
    messages.success(request, "The checks of passwords are saved.")
    return HttpResponseRedirect(PAGE_URL)


def _integer(request: HttpRequest, name: str) -> int:
    """The number; -1, which is out of bounds, for anything else."""
    text = request.POST.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else -1


def _render(
    request: HttpRequest,
    *,
    status: int = 200,
    error: str = "",
    entered: Mapping[str, int] | None = None,
    checks: Mapping[str, Any] | None = None,
    check_errors: Mapping[str, str] | None = None,
) -> HttpResponse:
    """The page; `entered`: limits that were not saved, with 409 because somebody changed them.

    `checks`: the same for the checks of passwords, with the errors of their fields.
    """
    limits = current_limits()
    idle, total = limits["idle_minutes"], limits["session_hours"]
    shown = {name: limits[name] if value < 0 else value for name, value in (entered or {}).items()}
    is_fixed = second_factor.is_fixed_by_server()
    conflict = _checks_conflict(checks) if checks and status == 409 else None
    if entered and status == 409:
        conflict = conflict_with_latest_entry(
            _values_by_label(limits),
            _values_by_label(shown),
            latest_change("security", "security.session_limits"),
            now=database_now(),
            form_id="limits-form",
            reload_url=PAGE_URL,
        )
    context = {
        "seen": fingerprint_of_values(_values_by_label(limits)),
        "conflict": conflict,
        "is_required": second_factor.is_required(),
        "is_fixed": is_fixed,
        "last_change": SecuritySettings.objects.select_related("changed_by").first(),
        "idle_choices": _choices(
            IDLE_MINUTES, shown.get("idle_minutes", idle), timedelta(minutes=1)
        ),
        "total_choices": _choices(
            SESSION_HOURS, shown.get("session_hours", total), timedelta(hours=1)
        ),
        "idle_text": format_duration(timedelta(minutes=idle)),
        "total_text": format_duration(timedelta(hours=total)),
        "limits_error": error,
        **_checks_context(checks, check_errors or {}),
        "without": people_list.count_people(PeopleFilter(is_active=True, lacks_factor=True)),
    }
    return render(request, "people/security.html", context, status=status)


def _values_by_label(limits: Mapping[str, int]) -> dict[str, str]:
    return {
        "Without activity": format_duration(timedelta(minutes=limits["idle_minutes"])),
        "In total": format_duration(timedelta(hours=limits["session_hours"])),
    }


def _checks_context(entered: Mapping[str, Any] | None, errors: Mapping[str, str]) -> dict[str, Any]:
    stored = current_password_checks()
    shown = {**stored, **(entered or {})}
    return {
        "checks": {**shown, "refused_password_terms": _lines(shown["refused_password_terms"])},
        "checks_seen": fingerprint_of_values(_checks_by_label(stored)),
        "checks_errors": errors,
        "checks_breaches": stored["checks_breached_passwords"],
        "default_breach_url": BREACH_CHECK_URL,
        "common_terms": ", ".join(COMMON_TERMS),
    }


def _checks_conflict(entered: Mapping[str, Any]) -> SaveConflict:
    return conflict_with_latest_entry(
        _checks_by_label(current_password_checks()),
        _checks_by_label(entered),
        latest_change("security", CHANGED),
        now=database_now(),
        form_id="passwords-form",
        reload_url=PAGE_URL,
    )


def _checks_by_label(checks: Mapping[str, Any]) -> dict[str, str]:
    return {
        "Compare with breaches": "yes" if checks["checks_breached_passwords"] else "no",
        "Address": checks["breach_check_url"],
        "Words": _lines(checks["refused_password_terms"]),
    }


def _lines(terms: str | Sequence[str]) -> str:
    return terms if isinstance(terms, str) else "\n".join(terms)


def _choices(offered: Sequence[int], current: int, unit: timedelta) -> list[tuple[int, str, bool]]:
    """(value, text, whether it is the current one), the current one included."""
    return [
        (value, format_duration(value * unit), value == current)
        for value in sorted({*offered, current})
    ]


urlpatterns = [
    path("people/security", security_page),
    path("people/security/passwords", password_checks),
]
