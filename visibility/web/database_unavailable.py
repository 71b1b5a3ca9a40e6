"""Middleware that answers 503 with an automatic retry while the database is unavailable."""

from collections.abc import Callable

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from structlog.stdlib import get_logger

log = get_logger(__name__)
RETRY_SECONDS = 5
UNAVAILABLE_PAGE = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Temporarily unavailable</title>
<meta http-equiv="refresh" content="{RETRY_SECONDS}"></head>
<body><h1>Temporarily unavailable</h1><p>The database is not responding. Senders are asked to retry,
so no data is lost. This page reloads every {RETRY_SECONDS} seconds.</p></body></html>
"""


class DatabaseUnavailableMiddleware:
    """Answers 503 with Retry-After if a view raises a database connection error."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """The 503 response, or None for other errors."""
        if not isinstance(error, (OperationalError, InterfaceError)):
            return None
        return unavailable_response(request, error)


def unavailable_response(request: HttpRequest, error: Exception) -> HttpResponse:
    """Log the error and return the 503 response."""
    log.warning("database_unavailable", path=request.path, error=type(error).__name__)
    return HttpResponse(UNAVAILABLE_PAGE, status=503, headers={"Retry-After": str(RETRY_SECONDS)})
