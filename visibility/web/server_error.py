"""The page of an unexpected error, with a reference that is also in the log."""

import secrets
import sys

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from structlog.stdlib import get_logger

log = get_logger(__name__)


def server_error_view(request: HttpRequest) -> HttpResponse:
    """Render the page without the request: what failed once is not run a second time."""
    reference = secrets.token_hex(6)
    log.error("page_failed", reference=reference, path=request.path, exc_info=sys.exc_info())
    return HttpResponse(render_to_string("500.html", {"reference": reference}), status=500)
