"""`/people/single-sign-on`: the identity provider of the organization, for administrators."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_http_methods, require_POST

from visibility.db.database_time import database_now
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
    change_identity_provider,
    current_identity_provider,
    remove_identity_provider,
)
from visibility.web.people.single_sign_on.check_identity_provider import (
    ProviderCheck,
    check_identity_provider,
)
from visibility.web.people.single_sign_on.form_values import (
    read_form,
    text_fields,
    values_by_label,
)
from visibility.web.people.single_sign_on.read_provider_values import FIELDS, SECRET
from visibility.web.people.single_sign_on.refusals import SignInRefused
from visibility.web.people.single_sign_on.sign_in import address_at_provider
from visibility.web.people.single_sign_on.test_sign_in_result import (
    load_check,
    store_check,
)
from visibility.web.permissions import Permission, require_permission, signed_in_user
from visibility.web.provider_settings import (
    NOT_SENT,
    ProviderForm,
    link_person_of_test,
    provider_context,
    remove_provider,
    save_provider,
)


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(Permission.ADMINISTER)
def single_sign_on(request: HttpRequest) -> HttpResponse:
    """The form; POST saves it, after the password or a code was confirmed within 15 minutes.

    An unconfirmed form is shown again instead of stored: it may contain the client secret.
    """
    if request.method != "POST":
        return _render_page(request)
    values = read_form(request.POST)
    if form := save_provider(request, values, change_identity_provider):
        return _render_page(request, form)
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
    return link_person_of_test(request, current_identity_provider(), SETTINGS_PAGE)


@require_POST
@require_permission(Permission.ADMINISTER)
def delete_single_sign_on(request: HttpRequest) -> HttpResponse:
    """`POST /people/single-sign-on/delete`: remove the provider and its secret."""
    sentence = "Single sign-on removed. People sign in with their password."
    return remove_provider(
        request, remove_identity_provider, sentence=sentence, settings_page=SETTINGS_PAGE
    )


def _render_page(request: HttpRequest, form: ProviderForm = NOT_SENT) -> HttpResponse:
    stored = current_identity_provider()
    now = database_now()
    stored_values = {name: getattr(stored, name) for name in FIELDS}
    values = stored_values | {
        key: text for key, text in (form.entered or {}).items() if key != SECRET
    }
    conflict = None
    if form.is_conflict:
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
        **provider_context(request, stored, values, form),
        "fields": text_fields(values, form.error_texts),
        "has_secret": bool(stored.sealed_client_secret),
        "is_secret_missing": bool(form.entered and form.entered[SECRET]),
        "conflict": conflict,
        "check": load_check(request, stored),
        "tested": displayed_time(stored.tested_at, now),
        "redirect_address": redirect_address(),
        "settings_page": SETTINGS_PAGE,
    }
    return render(request, "single_sign_on/page.html", context, status=form.status)


urlpatterns = [
    path("people/single-sign-on", single_sign_on),
    path("people/single-sign-on/test", test_addresses_and_keys),
    path("people/single-sign-on/try", try_sign_in),
    path("people/single-sign-on/link", link_to_own_account),
    path("people/single-sign-on/delete", delete_single_sign_on),
]
