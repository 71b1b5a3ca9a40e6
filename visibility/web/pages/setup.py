"""The set-up link, the checklist of what an installation needs, and demo data."""

from collections.abc import Callable
from typing import Any

from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import Resolver404, path, resolve
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from visibility.db.database_time import database_now
from visibility.models.organization import WeekStart
from visibility.pipeline.job_functions import ask_worker_to_go_on_with_demo_data
from visibility.preferences.change_demo_data import (
    DemoDataConflict,
    load_progress,
    request_demo_data,
    request_removal_of_demo_data,
)
from visibility.preferences.change_organization import change_organization
from visibility.screens.calendars.queries import country_choices
from visibility.screens.rules.starter_rules import load_starter_rules
from visibility.screens.setup.checklist import PROMISE_URL, is_own_promise_watched, load_checklist
from visibility.storage.organization import (
    DEFAULT_CURRENCY,
    is_checklist_closed,
    organization_name,
    organization_time_zone,
)
from visibility.web.pages.organization import displayed_values, organization_choices
from visibility.web.pages.sign_in_and_out import client_address
from visibility.web.people.set_up_installation import SetUpForm
from visibility.web.people.setup_link import is_valid_setup_link
from visibility.web.permissions import Permission, require_permission, signed_in_user
from visibility.web.request_limit import RequestLimit

CHECKLIST_URL = "/setup"
# Requests per minute of one address.
invalid_links_per_address = RequestLimit(30)
forms_per_address = RequestLimit(20)
TOO_MANY = "Too many requests from your network address. Try again in one minute."


@require_http_methods(["GET", "HEAD", "POST"])
def set_up_with_link(request: HttpRequest, token: str) -> HttpResponse:
    """`/setup/<token>`: create the first administrator and the organization, once."""
    if not is_valid_setup_link(token):
        is_allowed = invalid_links_per_address.take_address(client_address(request))
        return _render_not_valid(request, "" if is_allowed else TOO_MANY)
    if request.method != "POST":
        return _render_form(request, {"values": _first_values(), "errors": {}}, status=200)
    if not forms_per_address.take_address(client_address(request)):
        context = {"values": displayed_values(request.POST.dict()), "errors": {}}
        return _render_form(request, context | {"problem": TOO_MANY}, status=429)
    form = SetUpForm(request.POST.dict())
    if not form.is_valid():
        context = {"values": displayed_values(form.entered), "errors": form.errors}
        return _render_form(request, context | {"form": form.passwords}, status=422)
    user = form.create(token, database_now())
    if user is None:
        return _render_not_valid(request)
    logout(request)
    response: HttpResponse = perform_password_login(
        request, {}, Login(user=user, redirect_url=CHECKLIST_URL)
    )
    return response


def _first_values() -> dict[str, Any]:
    return {
        "time_zone": organization_time_zone(),
        "currency": DEFAULT_CURRENCY,
        "week_start": WeekStart.MONDAY.value,
        "fiscal_year_start": 1,
    }


def _render_form(request: HttpRequest, context: dict[str, Any], *, status: int) -> HttpResponse:
    choices = {**organization_choices(), "countries": country_choices(), "nav": None}
    response = render(request, "setup/form.html", context | choices, status=status)
    # The address is a secret: it must not be sent on. With "no-referrer", browsers send the form
    # with `Origin: null`, which the check of the CSRF token refuses.
    response.headers["Referrer-Policy"] = "same-origin"
    return response


def _render_not_valid(request: HttpRequest, problem: str = "") -> HttpResponse:
    context = {"problem": problem, "nav": None}
    return render(request, "setup/not_valid.html", context, status=429 if problem else 404)


@require_safe
@require_permission(Permission.ADMINISTER)
def checklist_page(request: HttpRequest) -> HttpResponse:
    """`/setup`: what is done, and the next step."""
    context = {
        "demo_progress": None if settings.DEMO else load_progress(),
        "checklist": load_checklist(_has_page),
        "starters": [] if is_own_promise_watched() else load_starter_rules(),
        "may_edit": True,
        "promise_url": PROMISE_URL,
        # Without an organization there is nowhere to record it, and much to do.
        "may_close": bool(organization_name()) and not is_checklist_closed(),
    }
    return render(request, "setup/checklist.html", context)


@require_POST
@require_permission(Permission.ADMINISTER)
def close_checklist(request: HttpRequest) -> HttpResponse:
    """`POST /setup/close`: remove the checklist from the navigation."""
    if organization_name():
        change_organization(
            {"is_checklist_closed": True},
            version=None,
            by=signed_in_user(request),
            now=database_now(),
        )
        messages.success(
            request, f"The checklist is no longer listed. It stays at {CHECKLIST_URL}."
        )
    return HttpResponseRedirect(CHECKLIST_URL)


@require_POST
@require_permission(Permission.ADMINISTER)
def load_demo_data(request: HttpRequest) -> HttpResponse:
    """`POST /setup/demo-data`: let a worker load demo data."""
    return _request_demo_data(request, request_demo_data, "A worker loads the demo data.")


@require_POST
@require_permission(Permission.ADMINISTER)
def remove_demo_data(request: HttpRequest) -> HttpResponse:
    """`POST /setup/demo-data/remove`: let a worker remove all demo data."""
    sentence = "A worker removes the demo data."
    return _request_demo_data(request, request_removal_of_demo_data, sentence)


def _request_demo_data(
    request: HttpRequest, change: Callable[..., None], sentence: str
) -> HttpResponse:
    try:
        change(by=signed_in_user(request), now=database_now())
    except DemoDataConflict as error:
        messages.warning(request, str(error))
    else:
        messages.success(request, sentence)
        ask_worker_to_go_on_with_demo_data()
    return HttpResponseRedirect(f"{CHECKLIST_URL}#demo-data")


def _has_page(url: str) -> bool:
    try:
        resolve(url)
    except Resolver404:
        return False
    return True


urlpatterns = [
    path("setup", checklist_page),
    path("setup/close", close_checklist),
    path("setup/demo-data", load_demo_data),
    path("setup/demo-data/remove", remove_demo_data),
    path("setup/<str:token>", set_up_with_link),
]
