"""`/signin/single-sign-on/saml`: sign in at the SAML provider, and the addresses it knows."""

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from visibility.db.database_time import database_now
from visibility.models import SamlProvider
from visibility.web.pages.single_sign_on_sign_in import (
    TOO_MANY,
    audit_refusal,
    refuse,
    render_way_to_provider,
    require_tester,
    sign_in_person,
    take_request,
)
from visibility.web.people.local_paths import local_path_or_empty
from visibility.web.people.saml.change_saml_provider import (
    current_saml_provider,
    enabled_saml_provider,
)
from visibility.web.people.saml.installation import is_saml_installed
from visibility.web.people.saml.service_provider import (
    FINISH_PATH,
    METADATA_PATH,
    RESPONSE_PATH,
    START_PATH,
)
from visibility.web.people.single_sign_on.provider_identity import ProviderIdentity
from visibility.web.people.single_sign_on.refusals import SignInRefused
from visibility.web.people.single_sign_on.test_sign_in_result import store_test_result

SETTINGS_PAGE = "/people/single-sign-on/saml"
METADATA_TYPE = "application/samlmetadata+xml"


@require_POST
def start_sign_in(request: HttpRequest) -> HttpResponse:
    """`POST /signin/single-sign-on/saml`: show the way to the provider. 404 if it is off."""
    row = enabled_saml_provider()
    if row is None:
        raise Http404
    next_url = local_path_or_empty(request.POST.get("next", ""))
    if request.user.is_authenticated:
        return HttpResponseRedirect(next_url or "/")
    if not take_request(request):
        return refuse(request, TOO_MANY)
    return go_to_provider(request, row, next_url=next_url)


def go_to_provider(
    request: HttpRequest, row: SamlProvider, *, next_url: str = "", tester: int | None = None
) -> HttpResponse:
    """Begin a sign-in, and show the way to the provider."""
    from visibility.web.people.saml.sign_ins import begin_sign_in

    address = begin_sign_in(request, row, now=database_now(), next_url=next_url, tester=tester)
    return render_way_to_provider(request, row, address, SETTINGS_PAGE)


@csrf_exempt
@require_POST
def receive_answer(request: HttpRequest) -> HttpResponse:
    """`POST /signin/single-sign-on/saml/response`: the assertion consumer service.

    The browser posts from the site of the provider, without our cookies. Nothing is signed in
    here: the result waits for the session that began the sign-in, at `FINISH_PATH`.
    """
    row = _stored_provider()
    if not take_request(request):
        return _refuse_without_cookies(request, TOO_MANY, 429)
    from visibility.web.people.saml.sign_ins import check_answer, take_answer

    now = database_now()
    try:
        sign_in, answer = take_answer(
            row,
            request.POST.get("SAMLResponse", ""),
            request.POST.get("RelayState", ""),
            now=now,
        )
    except SignInRefused as error:
        audit_refusal(error.reason, row)
        return _refuse_without_cookies(request, error.sentence, 400)
    refusal = check_answer(row, sign_in, answer, now=now)
    if refusal is not None and sign_in.tester is None:
        audit_refusal(refusal.reason, row)
    # With GET, as 303 says, the browser sends the cookie of the session.
    response = HttpResponseRedirect(f"{FINISH_PATH}?state={sign_in.relay_state}")
    response.status_code = 303
    return response


@require_GET
def finish_sign_in(request: HttpRequest) -> HttpResponse:
    """`GET /signin/single-sign-on/saml/finish`: sign in who came back from the provider."""
    row = _stored_provider()
    if not take_request(request):
        return refuse(request, TOO_MANY)
    from visibility.web.people.saml.sign_ins import finish_sign_in_of_session

    identity: ProviderIdentity | None = None
    try:
        finished = finish_sign_in_of_session(
            request, row, request.GET.get("state", ""), now=database_now()
        )
        if finished.tester is not None:
            require_tester(request, finished.tester)
            store_test_result(request, row, finished.identity, finished.problem)
            return HttpResponseRedirect(SETTINGS_PAGE)
        if not row.is_enabled:
            raise Http404
        if request.user.is_authenticated:
            return HttpResponseRedirect("/")
        identity = finished.identity
        if identity is None:
            return refuse(request, finished.problem)  # audited when the answer arrived
        return sign_in_person(request, row, identity, finished.next_url)
    except SignInRefused as error:
        audit_refusal(error.reason, row, identity)
        return refuse(request, error.sentence)


@require_GET
def show_own_metadata(_: HttpRequest) -> HttpResponse:
    """`GET /signin/single-sign-on/saml/metadata`: what the provider imports. It is public."""
    if not is_saml_installed():
        raise Http404
    from visibility.web.people.saml.messages import own_metadata

    headers = {"Content-Disposition": 'attachment; filename="throughline-metadata.xml"'}
    return HttpResponse(own_metadata(), content_type=METADATA_TYPE, headers=headers)


def _stored_provider() -> SamlProvider:
    row = current_saml_provider()
    if not row.version or not is_saml_installed():
        raise Http404
    return row


def _refuse_without_cookies(request: HttpRequest, sentence: str, status: int) -> HttpResponse:
    """A page of its own: a message in a new cookie would replace those of the browser."""
    context = {"sentence": sentence, "nav": ()}
    return render(request, "single_sign_on/refused.html", context, status=status)


urlpatterns = [
    path(START_PATH.removeprefix("/"), start_sign_in),
    path(RESPONSE_PATH.removeprefix("/"), receive_answer),
    path(FINISH_PATH.removeprefix("/"), finish_sign_in),
    path(METADATA_PATH.removeprefix("/"), show_own_metadata),
]
