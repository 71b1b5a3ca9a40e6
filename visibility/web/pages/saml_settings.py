"""`/people/single-sign-on/saml`: the SAML provider of the organization, for administrators."""

from django.contrib import messages
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
from visibility.web.pages.saml_sign_in import SETTINGS_PAGE, go_to_provider
from visibility.web.people.saml.certificate_facts import certificates_of
from visibility.web.people.saml.change_saml_provider import (
    CHANGED,
    OBJECT,
    change_saml_provider,
    current_saml_provider,
    read_metadata_of_address,
    remove_saml_provider,
)
from visibility.web.people.saml.installation import INSTALL_COMMAND, is_saml_installed
from visibility.web.people.saml.read_saml_values import FIELDS, METADATA_XML
from visibility.web.people.saml.saml_form_values import (
    read_saml_form,
    saml_text_fields,
    saml_values_by_label,
)
from visibility.web.people.saml.service_provider import (
    METADATA_PATH,
    own_entity_id,
    response_address,
)
from visibility.web.people.single_sign_on.stored_provider import InvalidIdentityProvider
from visibility.web.permissions import Permission, require_permission, signed_in_user
from visibility.web.provider_settings import (
    CONFIRM_FIRST,
    NOT_SENT,
    ProviderForm,
    is_unconfirmed,
    link_person_of_test,
    provider_context,
    remove_provider,
    save_provider,
)


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(Permission.ADMINISTER)
def saml_settings(request: HttpRequest) -> HttpResponse:
    """The form; POST saves it, after the password or a code was confirmed within 15 minutes."""
    if request.method != "POST":
        return _render_page(request)
    values = read_saml_form(request.POST, request.FILES.get("metadata_file"))
    if form := save_provider(request, values, change_saml_provider):
        return _render_page(request, form)
    return HttpResponseRedirect(SETTINGS_PAGE)


@require_POST
@require_permission(Permission.ADMINISTER)
def read_metadata_now(request: HttpRequest) -> HttpResponse:
    """`POST /people/single-sign-on/saml/read`: read the stored address of the metadata."""
    if is_unconfirmed(request):
        messages.error(request, CONFIRM_FIRST)
        return HttpResponseRedirect(SETTINGS_PAGE)
    try:
        read_metadata_of_address(by=author_of(request))
        messages.success(request, "The metadata was read.")
    except InvalidIdentityProvider as error:
        messages.error(request, str(error))
    return HttpResponseRedirect(SETTINGS_PAGE)


@require_POST
@require_permission(Permission.ADMINISTER)
def try_saml_sign_in(request: HttpRequest) -> HttpResponse:
    """`POST /people/single-sign-on/saml/try`: go there for a sign-in that changes nothing."""
    row = current_saml_provider()
    if not row.version or not is_saml_installed():
        return HttpResponseRedirect(SETTINGS_PAGE)
    return go_to_provider(request, row, tester=signed_in_user(request).pk)


@require_POST
@require_permission(Permission.ADMINISTER)
def link_to_own_account(request: HttpRequest) -> HttpResponse:
    """`POST /people/single-sign-on/saml/link`: link the person of the test to one's account."""
    return link_person_of_test(request, current_saml_provider(), SETTINGS_PAGE)


@require_POST
@require_permission(Permission.ADMINISTER)
def delete_saml_provider(request: HttpRequest) -> HttpResponse:
    """`POST /people/single-sign-on/saml/delete`: remove the provider."""
    sentence = "Single sign-on with SAML removed."
    return remove_provider(
        request, remove_saml_provider, sentence=sentence, settings_page=SETTINGS_PAGE
    )


def _render_page(request: HttpRequest, form: ProviderForm = NOT_SENT) -> HttpResponse:
    stored = current_saml_provider()
    now = database_now()
    stored_values = {name: getattr(stored, name) for name in FIELDS}
    values = {**stored_values, METADATA_XML: "", **(form.entered or {})}
    conflict = None
    if form.is_conflict:
        conflict = conflict_with_latest_entry(
            saml_values_by_label(stored_values),
            saml_values_by_label(values),
            latest_change(OBJECT, CHANGED),
            now=now,
            form_id="saml-form",
            reload_url=SETTINGS_PAGE,
            note=NOT_SHOWN_NOTE,
        )
    context = {
        **provider_context(request, stored, values, form),
        "fields": saml_text_fields(values, form.error_texts),
        "conflict": conflict,
        "is_installed": is_saml_installed(),
        "install_command": INSTALL_COMMAND,
        "certificates": certificates_of(stored, now=now),
        "metadata_read": displayed_time(stored.metadata_read_at, now),
        "settings_page": SETTINGS_PAGE,
        "own_addresses": (
            ("Entity ID (audience, identifier)", own_entity_id()),
            ("Reply address (assertion consumer service)", response_address()),
        ),
        "own_metadata_path": METADATA_PATH,
    }
    return render(request, "single_sign_on/saml.html", context, status=form.status)


urlpatterns = [
    path("people/single-sign-on/saml", saml_settings),
    path("people/single-sign-on/saml/read", read_metadata_now),
    path("people/single-sign-on/saml/try", try_saml_sign_in),
    path("people/single-sign-on/saml/link", link_to_own_account),
    path("people/single-sign-on/saml/delete", delete_saml_provider),
]
