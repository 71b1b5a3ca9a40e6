"""While the database is away, pages say so and ask to come again; nobody sees an error page."""

import logging
from collections.abc import Callable

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse

log = logging.getLogger(__name__)
AGAIN = 5
PAGE = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>One moment</title>
<meta http-equiv="refresh" content="{AGAIN}"></head>
<body><h1>One moment</h1><p>The database does not answer just now. Messages that come in meanwhile
are refused with a request to send them again, so nothing is lost. This page tries again by itself
every {AGAIN} seconds.</p></body></html>
"""


class DatabaseAway:
    """503 with Retry-After for whatever the database's absence made impossible."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Django asks this of whatever a view raised."""
        if not isinstance(error, (OperationalError, InterfaceError)):
            return None
        log.warning("path=%s database=away error=%s", request.path, type(error).__name__)
        return HttpResponse(PAGE, status=503, headers={"Retry-After": str(AGAIN)})
