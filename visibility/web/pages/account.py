"""`/account`: who you are, your password, your second factors, and where you are signed in."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import PasswordChangeForm
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_POST, require_safe

from visibility.db.database_time import database_now
from visibility.notify.account_links import end_account_links
from visibility.web.context_processors import user_summary
from visibility.web.pages.sign_in_and_out import client_address
from visibility.web.people.allauth_adapters import audit_account
from visibility.web.people.sessions import record_session
from visibility.web.people.throttle import forgive_attempt, take_attempt, wait_sentence
from visibility.web.permissions import signed_in_user

ACCOUNT_URL = "/account"


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


def _render_page(
    request: HttpRequest, form: Any = None, *, problem: str = "", status: int = 200
) -> HttpResponse:
    user = signed_in_user(request)
    context = {
        "account": user,
        "summary": user_summary(user),
        "form": form,
        "problem": problem,
        "has_password": user.has_usable_password(),
    }
    return render(request, "account/page.html", context, status=status)


urlpatterns = [
    path("account", account_page, name="account"),
    path("account/password", change_password),
]
