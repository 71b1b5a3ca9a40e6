"""End a download in progress when the session that asked for it ends."""

from collections.abc import Callable

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from visibility.web.people.second_factor_middleware import uses_session
from visibility.web.people.session_access import current_access, still_granted
from visibility.web.revocable_streams import stop_when_refused


class EndDownloadsMiddleware:
    """Checks the session again while a file is sent. The API does so for its tokens."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if (
            isinstance(response, StreamingHttpResponse)
            and uses_session(request)
            and isinstance(request.user, User)
        ):
            access = current_access(request.user, request.session)
            stop_when_refused(response, lambda: bool(still_granted([access])))
        return response
