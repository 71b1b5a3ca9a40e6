"""Send people whose session lacks a required second factor to the page that asks for it."""

from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode

from visibility.web.intake.problem_body import PROBLEM_TYPE, problem_body
from visibility.web.people.second_factor import has_second_factor, lacks_second_factor

LACKS_SECOND_FACTOR = "throughline.lacks_second_factor"
API = "/api/"
# Pages that need no second factor: those that set one up or ask for it, and those without sign-in.
OPEN_PATHS = ("/signin", "/signout", "/healthz", "/readyz")
SET_UP_PREFIX = "/account/second-factor"
OPEN_PREFIXES = (
    "/signin/",
    "/account/confirm",
    "/account/link/",
    "/track/",
    "/screens/",
    "/static/",
)
DETAIL = "A second factor is required. Set one up or confirm it on the page /account/second-factor."


class SecondFactorMiddleware:
    """Checks each request with a session, except those with an API token."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if has_api_token(request) or not lacks_second_factor(request.user, request.session):
            return self.get_response(request)
        request.META[LACKS_SECOND_FACTOR] = True
        if request.path in OPEN_PATHS or request.path.startswith(OPEN_PREFIXES):
            return self.get_response(request)
        if request.path.startswith(API):
            body = problem_body(403, HTTPStatus.FORBIDDEN.phrase, detail=DETAIL)
            return HttpResponse(body, status=403, content_type=PROBLEM_TYPE)
        if not has_second_factor(request.user):
            if request.path.startswith(SET_UP_PREFIX):
                return self.get_response(request)
            return HttpResponseRedirect(reverse("mfa_index"))
        # A session from before it was required, or before it was set up elsewhere.
        query = urlencode({"next": request.get_full_path()}) if request.method == "GET" else ""
        return HttpResponseRedirect(f"{reverse('mfa_reauthenticate')}?{query}")


def has_api_token(request: HttpRequest) -> bool:
    """Whether the API checks a token in this request, and ignores the session."""
    scheme = request.headers.get("Authorization", "").partition(" ")[0]
    return request.path.startswith(API) and scheme.lower() == "bearer"
