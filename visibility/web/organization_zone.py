"""Middleware that shows times in templates in the organization's time zone."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from visibility.storage.organization import time_zone_without_database

# These answer while the database does not, and show no times.
WITHOUT_TIMES = frozenset({"/healthz", "/readyz", "/metrics"})


class OrganizationZoneMiddleware:
    """Activates the zone for the template filters `date` and `now`, during one request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path in WITHOUT_TIMES:
            return self.get_response(request)
        with timezone.override(ZoneInfo(time_zone_without_database())):
            return self.get_response(request)
