"""What the settings pages of both protocols of single sign-on do with a form."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from allauth.account.internal.flows.reauthentication import is_reauthentication_required
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from connectors.sdk.settings import SettingError
from visibility.db.parse_id_and_time import parse_row_version
from visibility.models import SignInProvider
from visibility.web.author import author_of
from visibility.web.people.single_sign_on.form_values import group_rows
from visibility.web.people.single_sign_on.links import link_own_account
from visibility.web.people.single_sign_on.stored_provider import (
    ChangeProvider,
    IdentityProviderConflict,
    InvalidIdentityProvider,
)
from visibility.web.people.single_sign_on.test_sign_in_result import load_test_result
from visibility.web.permission_labels import ROLE_TITLES

CONFIRM_FIRST = "Confirm your password or a code first, and try again."


@dataclass(frozen=True, slots=True)
class ProviderForm:
    """What was entered, and why it was not saved. Empty for a page that is only opened."""

    entered: Mapping[str, Any] | None = None
    errors: Sequence[SettingError] = ()
    is_conflict: bool = False
    is_unconfirmed: bool = False

    @property
    def status(self) -> int:
        """The status code of the page."""
        if self.is_conflict:
            return 409
        if self.is_unconfirmed:
            return 403
        return 422 if self.errors else 200

    @property
    def error_texts(self) -> dict[str, str]:
        """The sentence of each invalid field."""
        return {error.name: error.sentence for error in self.errors}


NOT_SENT = ProviderForm()


def is_unconfirmed(request: HttpRequest) -> bool:
    """Whether the password or a code was not confirmed within 15 minutes."""
    required: bool = is_reauthentication_required(request, app="allauth.mfa")
    return required


def save_provider(
    request: HttpRequest, values: Mapping[str, Any], change: ChangeProvider
) -> ProviderForm | None:
    """Save what was entered; return why it was not, or None with a message of success."""
    if is_unconfirmed(request):
        return ProviderForm(values, is_unconfirmed=True)
    version = parse_row_version(request.POST.get("version", ""))
    try:
        saved = change(values, version=version, by=author_of(request))
    except InvalidIdentityProvider as error:
        return ProviderForm(values, errors=error.errors)
    except IdentityProviderConflict:
        return ProviderForm(values, is_conflict=True)
    state = "on" if saved.is_enabled else "off"
    messages.success(request, f"Single sign-on with {saved.name} saved. It is {state}.")
    return None


def link_person_of_test(
    request: HttpRequest, provider: SignInProvider, settings_page: str
) -> HttpResponse:
    """Link the person of the test sign-in to one's own account."""
    result = load_test_result(request, provider)
    if is_unconfirmed(request):
        messages.error(request, CONFIRM_FIRST)
    elif not result or "subject" not in result:
        messages.error(request, "Test the sign-in first.")
    elif link_own_account(result["issuer"], result["subject"], by=author_of(request)):
        messages.success(request, "Your account is linked. You can sign in with the provider.")
    else:
        messages.error(request, "Your account or this person is linked already.")
    return HttpResponseRedirect(settings_page)


def remove_provider(
    request: HttpRequest, remove: Callable[..., bool], *, sentence: str, settings_page: str
) -> HttpResponse:
    """Remove the provider, if there is one, and say so with the sentence."""
    if is_unconfirmed(request):
        messages.error(request, CONFIRM_FIRST)
    elif remove(by=author_of(request)):
        messages.success(request, sentence)
    return HttpResponseRedirect(settings_page)


def provider_context(
    request: HttpRequest, stored: SignInProvider, values: Mapping[str, Any], form: ProviderForm
) -> dict[str, Any]:
    """What the templates of both pages show."""
    return {
        "provider": stored,
        "values": values,
        "group_rows": group_rows(values["group_roles"]),
        "roles": [(role.value, title) for role, title in ROLE_TITLES.items()],
        "errors": form.error_texts,
        "is_unconfirmed": form.is_unconfirmed,
        "result": load_test_result(request, stored),
    }
