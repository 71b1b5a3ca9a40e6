"""Pages for people who cannot sign in: ask for a link by email, and set a password with a link."""

from typing import Any

from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from django.contrib.auth import logout
from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_http_methods

from visibility.db.database_time import database_now
from visibility.models import AccountLink, AccountLinkPurpose
from visibility.notify.account_links import (
    create_account_link,
    end_account_links,
    find_account_link,
)
from visibility.notify.mail import has_mail_server
from visibility.pipeline.job_functions import ask_worker_to_run_job_now
from visibility.web.pages.sign_in_and_out import client_address
from visibility.web.people.allauth_adapters import audit_account
from visibility.web.people.throttle import forgive_attempt
from visibility.web.request_limit import RequestLimit

# Requests per minute of one address, and links for one person.
requests_per_address = RequestLimit(10)
invalid_links_per_address = RequestLimit(30)
MAX_ACCOUNTS = 3  # with the same email address
MAX_WAITING_LINKS = 3
TOO_MANY = "Too many requests from your network address. Try again in one minute."


@require_http_methods(["GET", "HEAD", "POST"])
def forgot_password(request: HttpRequest) -> HttpResponse:
    """`/signin/forgot`: ask for a link by email. The answer does not tell whether a user exists."""
    context = {"sends_mail": has_mail_server()}
    if request.method != "POST" or not has_mail_server():
        return render(request, "account/forgot.html", context)
    if not requests_per_address.take_address(client_address(request)):
        return render(request, "account/forgot.html", context | {"problem": TOO_MANY}, status=429)
    typed = request.POST.get("account", "").replace("\0", "").strip()[:254]
    if not typed:
        problem = {"problem": "Enter your username or email address.", "is_missing": True}
        return render(request, "account/forgot.html", context | problem, status=422)
    for user in _accounts_of(typed):
        _send_reset_link(user)
    return render(request, "account/forgot.html", context | {"asked_for": typed})


def _accounts_of(typed: str) -> list[User]:
    rows = User.objects.filter(Q(username=typed) | Q(email__iexact=typed), is_active=True)
    return list(rows.exclude(email="").order_by("pk")[:MAX_ACCOUNTS])


def _send_reset_link(user: User) -> None:
    """Create a link, unless several of the last half hour were not used."""
    now = database_now()
    recent = AccountLink.objects.filter(user=user, created_by=None, expires_at__gt=now)
    if recent.count() >= MAX_WAITING_LINKS:
        return
    with transaction.atomic():
        create_account_link(user, AccountLinkPurpose.RESET, by=None, now=now, send_mail=True)
        audit_account("account.reset_requested", user)
        transaction.on_commit(lambda: ask_worker_to_run_job_now("send_account_mails"))


@require_http_methods(["GET", "HEAD", "POST"])
def set_password_with_link(request: HttpRequest, token: str) -> HttpResponse:
    """`/account/link/<token>`: set a password once. Unknown, used and expired links look alike."""
    now = database_now()
    link = find_account_link(token, now)
    if link is None:
        is_allowed = invalid_links_per_address.take_address(client_address(request))
        return _render_not_valid(request, "" if is_allowed else TOO_MANY)
    form = SetPasswordForm(link.user, request.POST or None)
    if request.method != "POST" or not form.is_valid():
        status = 422 if request.method == "POST" else 200
        return _render_link_page(request, link, form, status=status)
    with transaction.atomic():
        locked = find_account_link(token, database_now(), lock=True)
        if locked is None:
            return _render_not_valid(request)
        form.user = locked.user
        form.save()
        end_account_links(locked.user, now)
        audit_account("account.password_set", locked.user, purpose=link.purpose)
    # The session of another person must not go on under this account.
    logout(request)
    forgive_attempt(locked.user.get_username(), client_address(request), now)
    response: HttpResponse = perform_password_login(request, {}, Login(user=locked.user))
    return response


def _render_not_valid(request: HttpRequest, problem: str = "") -> HttpResponse:
    context = {"problem": problem, "nav": None}
    status = 429 if problem else 404
    return render(request, "account/link_not_valid.html", context, status=status)


def _render_link_page(
    request: HttpRequest, link: AccountLink, form: Any, *, status: int
) -> HttpResponse:
    is_invitation = link.purpose == AccountLinkPurpose.INVITATION
    # Without the frame of the person who is signed in.
    context = {"form": form, "owner": link.user, "is_invitation": is_invitation, "nav": None}
    # The Referrer-Policy stays "same-origin", so that the address, a secret, is sent nowhere else.
    # With "no-referrer", browsers send `Origin: null`, and Django refuses the form.
    return render(request, "account/set_password.html", context, status=status)


urlpatterns = [
    path("signin/forgot", forgot_password, name="forgot_password"),
    path("account/link/<str:token>", set_password_with_link),
]
