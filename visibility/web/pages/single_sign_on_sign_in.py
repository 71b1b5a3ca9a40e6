"""`/signin/single-sign-on`: sign in at the identity provider, and the address it returns to."""

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from visibility.db.database_time import database_now
from visibility.models import IdentityProvider, SignInProvider
from visibility.models.audit import append_audit_entry
from visibility.web.pages.sign_in_and_out import client_address
from visibility.web.people.local_paths import local_path_or_empty
from visibility.web.people.second_factor import lacks_second_factor
from visibility.web.people.single_sign_on.allauth_provider import CALLBACK_PATH
from visibility.web.people.single_sign_on.change_identity_provider import (
    current_identity_provider,
    enabled_identity_provider,
)
from visibility.web.people.single_sign_on.links import find_linked_person
from visibility.web.people.single_sign_on.match_person import find_or_create_person
from visibility.web.people.single_sign_on.provider_identity import ProviderIdentity
from visibility.web.people.single_sign_on.refusals import Reason, SignInRefused
from visibility.web.people.single_sign_on.sign_in import (
    address_at_provider,
    finish_sign_in,
    read_returned_person,
    take_state,
)
from visibility.web.people.single_sign_on.test_sign_in_result import store_test_result
from visibility.web.people.throttle import forgive_attempt, take_attempt, wait_sentence
from visibility.web.permissions import Permission, has_permission
from visibility.web.request_limit import RequestLimit

SETTINGS_PAGE = "/people/single-sign-on"
# Requests of one address in a minute, those of a whole office included.
requests_per_address = RequestLimit(60)
TOO_MANY = "Too many sign-ins from your network address. Try again in one minute."


@require_POST
def start_sign_in(request: HttpRequest) -> HttpResponse:
    """`POST /signin/single-sign-on`: show the way to the identity provider. 404 if it is off."""
    row = enabled_identity_provider()
    if row is None:
        raise Http404
    next_url = local_path_or_empty(request.POST.get("next", ""))
    if request.user.is_authenticated:
        return HttpResponseRedirect(next_url or "/")
    if not take_request(request):
        return refuse(request, TOO_MANY)
    try:
        address = address_at_provider(request, row, next_url=next_url)
    except SignInRefused as error:
        audit_refusal(error.reason, row)
        return refuse(request, error.sentence)
    return render_way_to_provider(request, row, address)


@require_GET
def finish_at_callback(request: HttpRequest) -> HttpResponse:
    """`GET /signin/single-sign-on/callback`: sign in who comes back from the provider."""
    row = current_identity_provider()
    if not row.version:
        raise Http404
    if not take_request(request):
        return refuse(request, TOO_MANY)
    identity: ProviderIdentity | None = None
    try:
        state = take_state(request, row)
        if state["tester"] is not None:
            return _finish_test(request, row, state)
        if not row.is_enabled:
            raise Http404
        if request.user.is_authenticated:
            return HttpResponseRedirect("/")
        returned = read_returned_person(request, row, state)
        identity = returned.identity
        return sign_in_person(request, row, identity, state.get("next"))
    except SignInRefused as error:
        audit_refusal(error.reason, row, identity)
        return refuse(request, error.sentence)


def take_request(request: HttpRequest) -> bool:
    """Count a request of the network address; False if it has too many in this minute."""
    return requests_per_address.take_address(client_address(request))


def sign_in_person(
    request: HttpRequest, row: SignInProvider, identity: ProviderIdentity, next_url: str | None
) -> HttpResponse:
    """Find or create the account of a checked identity, and sign in. Raises SignInRefused."""
    name, address = f"{identity.issuer} {identity.subject}", client_address(request)
    wait = take_attempt(name, address, database_now())
    if wait is not None:
        return refuse(request, wait_sentence(wait))
    user = find_or_create_person(row, identity)
    forgive_attempt(name, address, database_now())
    return finish_sign_in(request, row, user, identity, next_url)


def render_way_to_provider(
    request: HttpRequest, row: SignInProvider, address: str, settings_page: str = SETTINGS_PAGE
) -> HttpResponse:
    """A page that leads to the provider by itself.

    The content security policy forbids forms whose answer redirects to another site.
    """
    # Without navigation, whose live updates would request this address of a form.
    context = {"provider": row, "address": address, "back": settings_page, "nav": ()}
    return render(request, "single_sign_on/continue.html", context)


def _finish_test(
    request: HttpRequest, row: IdentityProvider, state: dict[str, object]
) -> HttpResponse:
    """Store what the sign-in would do. Raises SignInRefused for anybody but the tester."""
    require_tester(request, state["tester"])
    try:
        returned = read_returned_person(request, row, state)
        store_test_result(request, row, returned.identity, "")
    except SignInRefused as error:
        store_test_result(request, row, None, error.sentence)
    return HttpResponseRedirect(SETTINGS_PAGE)


def require_tester(request: HttpRequest, tester: object) -> None:
    """Raises SignInRefused for anybody but the administrator who began the test."""
    user = request.user
    is_tester = user.pk == tester and has_permission(user, Permission.ADMINISTER)
    if not is_tester or lacks_second_factor(user, request.session):
        raise SignInRefused(Reason.STATE, "The test belongs to another session. Start it again.")


def refuse(request: HttpRequest, sentence: str) -> HttpResponse:
    """Say on the next page why nobody is signed in."""
    messages.error(request, f"Not signed in. {sentence}")
    return HttpResponseRedirect("/" if request.user.is_authenticated else "/signin")


def audit_refusal(
    reason: Reason, row: SignInProvider, identity: ProviderIdentity | None = None
) -> None:
    """Record who was refused and why. An email address that is not verified is not stored."""
    email = identity.email if identity and identity.email_is_verified else ""
    user = find_linked_person(identity) if identity else None
    if user is None and email:
        user = User.objects.filter(email__iexact=email).order_by("pk").first()
    append_audit_entry(
        "session.refused",
        user=user,
        object=user.get_username() if user else "unknown user",
        detail={
            "reason": reason.value,
            "issuer": row.issuer,
            **({"email": email} if email else {}),
        },
        now=database_now(),
    )


urlpatterns = [
    path("signin/single-sign-on", start_sign_in),
    path(CALLBACK_PATH.removeprefix("/"), finish_at_callback),
]
