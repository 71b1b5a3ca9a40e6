"""`/account`: who you are, your password, your second factors, and where you are signed in."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import PasswordChangeForm
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_POST, require_safe

from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import parse_row_id
from visibility.notify.account_links import end_account_links
from visibility.screens.relative_and_absolute_time import displayed_time
from visibility.web.context_processors import user_summary
from visibility.web.pages.sign_in_and_out import client_address
from visibility.web.people.allauth_adapters import audit_account
from visibility.web.people.people_list import load_person
from visibility.web.people.sessions import (
    end_session,
    end_sessions,
    list_sessions,
    record_session,
)
from visibility.web.people.throttle import forgive_attempt, take_attempt, wait_sentence
from visibility.web.permissions import signed_in_user

ACCOUNT_URL = "/account"
SESSIONS_SHOWN = 20
# The first that fits counts: others are in the header, too.
BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


@require_safe
@login_required
def account_page(request: HttpRequest) -> HttpResponse:
    """`GET /account`."""
    return _render_page(request)


@require_POST
@login_required
def change_password(request: HttpRequest) -> HttpResponse:
    """`POST /account/password`: the other sessions of the user end."""
    user, now = signed_in_user(request), database_now()
    form = PasswordChangeForm(user, request.POST)
    wait = take_attempt(user.get_username(), client_address(request), now)
    if wait is not None:
        return _render_page(request, form, problem=wait_sentence(wait), status=429)
    if not form.is_valid():
        if "old_password" not in form.errors:
            forgive_attempt(user.get_username(), client_address(request), now)
        return _render_page(request, form, status=422)
    forgive_attempt(user.get_username(), client_address(request), now)
    with transaction.atomic():
        form.save()
        end_account_links(user, now)
        audit_account("account.password_changed", user)
    update_session_auth_hash(request, user)
    record_session(request)
    messages.success(request, "Your password is changed. Your other sessions are signed out.")
    return HttpResponseRedirect(ACCOUNT_URL)


@require_POST
@login_required
def end_own_session(request: HttpRequest, number: int) -> HttpResponse:
    """`POST /account/sessions/<id>/end`."""
    if end_session(signed_in_user(request), number) is None:
        raise Http404
    messages.success(request, "The session is signed out.")
    return HttpResponseRedirect(ACCOUNT_URL)


@require_POST
@login_required
def end_other_sessions(request: HttpRequest) -> HttpResponse:
    """`POST /account/sessions/end-others`."""
    user = signed_in_user(request)
    count = end_sessions(user, except_key=request.session.session_key or "")
    audit_account("session.others_ended", user, sessions_ended=count)
    messages.success(request, f"{count} other session{'' if count == 1 else 's'} signed out.")
    return HttpResponseRedirect(ACCOUNT_URL)


def browser_name(user_agent: str) -> str:
    """The browser and the system in a User-Agent header, such as "Firefox on Windows"."""
    browser = next((title for key, title in BROWSERS if key in user_agent), "Other program")
    system = next((title for key, title in SYSTEMS if key in user_agent), "")
    return f"{browser} on {system}" if system else browser


def _render_page(
    request: HttpRequest, form: Any = None, *, problem: str = "", status: int = 200
) -> HttpResponse:
    user, now = signed_in_user(request), database_now()
    before = parse_row_id(request.GET.get("before", ""))
    rows = list_sessions(user, before=before, limit=SESSIONS_SHOWN + 1)
    shown = rows[:SESSIONS_SHOWN]
    context = {
        "sessions": [
            (row, displayed_time(row.created_at, now), browser_name(row.user_agent))
            for row in shown
        ],
        "current_key": request.session.session_key,
        "is_first": before is None,
        "next": shown[-1].pk if len(rows) > len(shown) else "",
        "account": user,
        "summary": user_summary(user),
        "form": form,
        "problem": problem,
        "has_password": user.has_usable_password(),
        "factors": person.factor_titles if (person := load_person(user.pk)) else "",
    }
    return render(request, "account/page.html", context, status=status)


urlpatterns = [
    path("account", account_page, name="account"),
    path("account/password", change_password),
    path("account/sessions/end-others", end_other_sessions),
    path("account/sessions/<int:number>/end", end_own_session),
]
