"""Send people whose session lacks a required second factor to the page that asks for it."""

from collections.abc import Callable
from http import HTTPStatus

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode

from visibility.web.database_unavailable import unavailable_response
from visibility.web.intake.problem_body import PROBLEM_TYPE, problem_body
from visibility.web.people.second_factor import has_second_factor, lacks_second_factor

LACKS_SECOND_FACTOR = "throughline.lacks_second_factor"
API = "/api/"
# These look at no session.
WITHOUT_SESSION = (
    "/healthz",
    "/readyz",
    "/track/",
    "/brand/",
    "/screens/",
    "/account/link/",
    "/static/",
)
# These ask for a second factor, or end the session.
ALWAYS_OPEN = ("/signin", "/signout", "/account/confirm")
SET_UP = "/account/second-factor"
DETAIL = "A second factor is required. Set one up or confirm it on the page /account/second-factor."


class SecondFactorMiddleware:
    """Checks each request with a session, except those with an API token."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not uses_session(request):
            return self.get_response(request)
        try:
            refusal = self.refusal(request)
        except (OperationalError, InterfaceError) as error:
            return unavailable_response(request, error)
        return refusal or self.get_response(request)

    def refusal(self, request: HttpRequest) -> HttpResponse | None:
        """The response instead of the page; None if the page is open."""
        if not lacks_second_factor(request.user, request.session):
            return None
        request.META[LACKS_SECOND_FACTOR] = True
        if request.path.startswith(ALWAYS_OPEN):
            return None
        if request.path.startswith(API):
            body = problem_body(403, HTTPStatus.FORBIDDEN.phrase, detail=DETAIL)
            return HttpResponse(body, status=403, content_type=PROBLEM_TYPE)
        if not has_second_factor(request.user):
            is_set_up = request.path.startswith(SET_UP)
            return None if is_set_up else HttpResponseRedirect(reverse("mfa_index"))
        # A session from before it was required, or before it was set up elsewhere.
        query = urlencode({"next": request.get_full_path()}) if request.method == "GET" else ""
        return HttpResponseRedirect(f"{reverse('mfa_reauthenticate')}?{query}")


def uses_session(request: HttpRequest) -> bool:
    """Whether the answer depends on the session, and not on an API token or a link."""
    return not request.path.startswith(WITHOUT_SESSION) and not has_api_token(request)


def has_api_token(request: HttpRequest) -> bool:
    """Whether the API checks a token in this request, and ignores the session."""
    scheme = request.headers.get("Authorization", "").partition(" ")[0]
    return request.path.startswith(API) and scheme.lower() == "bearer"
