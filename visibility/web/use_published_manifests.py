"""Middleware that lets pages and the API use the manifests that are published now."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from visibility.storage.published_manifests import refresh_published_manifests
from visibility.web.organization_zone import WITHOUT_TIMES


class UsePublishedManifestsMiddleware:
    """Reads what another process published, at most once a second."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path not in WITHOUT_TIMES:
            refresh_published_manifests()
        return self.get_response(request)
