"""Middleware for values that PostgreSQL cannot store or compare: NUL characters and large ids."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, QueryDict

from visibility.db.parse_id_and_time import MAX_ID
from visibility.web.api.problem_responses import problem_response_for_exception

API_PREFIX = "/api/"
FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")


class RemoveNulRejectLargeIdMiddleware:
    """Removes NUL from queries, forms and cookies; answers 404 to ids that no row can have.

    The API rejects NUL itself and names the parameter.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # A quoted cookie can spell NUL as `\\000`. Removed before the session is looked up.
        for name in [name for name, text in request.COOKIES.items() if "\0" in name + text]:
            del request.COOKIES[name]
        return self.get_response(request)

    def process_view(
        self,
        request: HttpRequest,
        _view: Callable[..., HttpResponse],
        _args: Sequence[Any],
        parameters: Mapping[str, Any],
    ) -> HttpResponse | None:
        """Check the values in the address, and clean the others. Raises Http404."""
        is_api = request.path.startswith(API_PREFIX)
        if any(map(_is_impossible, parameters.values())):
            if is_api:
                return problem_response_for_exception(Http404()).to_http_response()
            raise Http404
        if is_api:
            return None
        if _has_nul(request.GET):
            request.GET = _without_nul(request.GET)  # type: ignore[assignment]  # as immutable
        if request.method == "POST" and request.content_type in FORM_TYPES:
            form = request.POST
            if _has_nul(form):
                request.POST = _without_nul(form)  # type: ignore[assignment]  # as immutable
        return None


def _is_impossible(value: object) -> bool:
    return (isinstance(value, int) and value > MAX_ID) or (isinstance(value, str) and "\0" in value)


def _has_nul(values: QueryDict) -> bool:
    return any(
        "\0" in name or any("\0" in text for text in values.getlist(name)) for name in values
    )


def _without_nul(values: QueryDict) -> QueryDict:
    cleaned = QueryDict(mutable=True)
    for name in values:
        texts = [text.replace("\0", "") for text in values.getlist(name)]
        cleaned.setlist(name.replace("\0", ""), texts)
    cleaned._mutable = False
    return cleaned
