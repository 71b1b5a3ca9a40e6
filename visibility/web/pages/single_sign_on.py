"""`/people/single-sign-on`: the identity provider of the organization, for administrators."""

from collections.abc import Mapping, Sequence
from typing import Any

from allauth.account.internal.flows.reauthentication import is_reauthentication_required
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_http_methods, require_POST

from connectors.sdk.settings import SettingError
from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import parse_row_version
from visibility.screens.relative_and_absolute_time import displayed_time
from visibility.screens.save_conflicts import (
    NOT_SHOWN_NOTE,
    conflict_with_latest_entry,
    latest_change,
)
from visibility.web.author import author_of
from visibility.web.pages.single_sign_on_sign_in import SETTINGS_PAGE, render_way_to_provider
from visibility.web.people.single_sign_on.allauth_provider import redirect_address
from visibility.web.people.single_sign_on.change_identity_provider import (
    CHANGED,
    OBJECT,
    IdentityProviderConflict,
    InvalidIdentityProvider,
    change_identity_provider,
    current_identity_provider,
    remove_identity_provider,
)
from visibility.web.people.single_sign_on.check_identity_provider import (
    ProviderCheck,
    check_identity_provider,
)
from visibility.web.people.single_sign_on.form_values import (
    group_rows,
    read_form,
    text_fields,
    values_by_label,
)
from visibility.web.people.single_sign_on.links import link_own_account
from visibility.web.people.single_sign_on.read_provider_values import FIELDS, SECRET
from visibility.web.people.single_sign_on.refusals import SignInRefused
from visibility.web.people.single_sign_on.sign_in import address_at_provider
from visibility.web.people.single_sign_on.test_sign_in_result import (
    load_check,
    load_test_result,
    store_check,
)
from visibility.web.permission_labels import ROLE_TITLES
from visibility.web.permissions import Permission, require_permission, signed_in_user

CONFIRM_FIRST = "Confirm your password or a code first, and try again."


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(Permission.ADMINISTER)
def single_sign_on(request: HttpRequest) -> HttpResponse:
    """The form; POST saves it, after the password or a code was confirmed within 15 minutes.

    An unconfirmed form is shown again instead of stored: it may contain the client secret.
    """
    if request.method != "POST":
        return _render_page(request)
    values = read_form(request.POST)
    if is_reauthentication_required(request, app="allauth.mfa"):
        return _render_page(request, entered=values, is_unconfirmed=True)
    try:
        saved = change_identity_provider(
            values,
            version=parse_row_version(request.POST.get("version", "")),
            by=author_of(request),
        )
    except InvalidIdentityProvider as error:
        return _render_page(request, entered=values, errors=error.errors)
    except IdentityProviderConflict:
        return _render_page(request, entered=values, is_conflict=True)
    state = "on" if saved.is_enabled else "off"
    messages.success(request, f"Single sign-on with {saved.name} saved. It is {state}.")
    return HttpResponseRedirect(SETTINGS_PAGE)


@require_POST
@require_permission(Permission.ADMINISTER)
def test_addresses_and_keys(request: HttpRequest) -> HttpResponse:
    """`POST /people/single-sign-on/test`: read what the provider publishes."""
    row = current_identity_provider()
    store_check(request, row, check_identity_provider(row, by=author_of(request)))
    return HttpResponseRedirect(SETTINGS_PAGE)


@require_POST
@require_permission(Permission.ADMINISTER)
def try_sign_in(request: HttpRequest) -> HttpResponse:
    """`POST /people/single-sign-on/try`: go to the provider for a sign-in that changes nothing."""
    row = current_identity_provider()
    if not row.version:
        return HttpResponseRedirect(SETTINGS_PAGE)
    try:
        address = address_at_provider(request, row, tester=signed_in_user(request).pk)
    except SignInRefused as error:
        store_check(request, row, ProviderCheck(False, error.sentence))
        return HttpResponseRedirect(SETTINGS_PAGE)
    return render_way_to_provider(request, row, address)


@require_POST
@require_permission(Permission.ADMINISTER)
def link_to_own_account(request: HttpRequest) -> HttpResponse:
    """`POST /people/single-sign-on/link`: link the person of the test sign-in to one's account."""
    result = load_test_result(request, current_identity_provider())
    if is_reauthentication_required(request, app="allauth.mfa"):
        messages.error(request, CONFIRM_FIRST)
    elif not result or "subject" not in result:
        messages.error(request, "Test the sign-in first.")
    elif link_own_account(result["issuer"], result["subject"], by=author_of(request)):
        messages.success(request, "Your account is linked. You can sign in with the provider.")
    else:
        messages.error(request, "Your account or this person is linked already.")
    return HttpResponseRedirect(SETTINGS_PAGE)


@require_POST
@require_permission(Permission.ADMINISTER)
def delete_single_sign_on(request: HttpRequest) -> HttpResponse:
    """`POST /people/single-sign-on/delete`: remove the provider and its secret."""
    if is_reauthentication_required(request, app="allauth.mfa"):
        messages.error(request, CONFIRM_FIRST)
    elif remove_identity_provider(by=author_of(request)):
        messages.success(request, "Single sign-on removed. People sign in with their password.")
    return HttpResponseRedirect(SETTINGS_PAGE)


def _render_page(
    request: HttpRequest,
    *,
    entered: Mapping[str, Any] | None = None,
    errors: Sequence[SettingError] = (),
    is_conflict: bool = False,
    is_unconfirmed: bool = False,
) -> HttpResponse:
    stored = current_identity_provider()
    now = database_now()
    stored_values = {name: getattr(stored, name) for name in FIELDS}
    values = stored_values | {key: text for key, text in (entered or {}).items() if key != SECRET}
    error_texts = {error.name: error.sentence for error in errors}
    conflict = None
    if is_conflict:
        conflict = conflict_with_latest_entry(
            values_by_label(stored_values),
            values_by_label(values),
            latest_change(OBJECT, CHANGED),
            now=now,
            form_id="single-sign-on-form",
            reload_url=SETTINGS_PAGE,
            note=NOT_SHOWN_NOTE,
        )
    context = {
        "provider": stored,
        "values": values,
        "fields": text_fields(values, error_texts),
        "group_rows": group_rows(values["group_roles"]),
        "roles": [(role.value, title) for role, title in ROLE_TITLES.items()],
        "errors": error_texts,
        "has_secret": bool(stored.sealed_client_secret),
        "is_secret_missing": bool(entered and entered[SECRET]),
        "is_unconfirmed": is_unconfirmed,
        "conflict": conflict,
        "check": load_check(request, stored),
        "tested": displayed_time(stored.tested_at, now),
        "result": load_test_result(request, stored),
        "redirect_address": redirect_address(),
        "settings_page": SETTINGS_PAGE,
    }
    status = 409 if is_conflict else 403 if is_unconfirmed else 422 if errors else 200
    return render(request, "single_sign_on/page.html", context, status=status)


urlpatterns = [
    path("people/single-sign-on", single_sign_on),
    path("people/single-sign-on/test", test_addresses_and_keys),
    path("people/single-sign-on/try", try_sign_in),
    path("people/single-sign-on/link", link_to_own_account),
    path("people/single-sign-on/delete", delete_single_sign_on),
]
