"""Compress HTML pages with gzip; see docs/decisions/0038-compressed-pages.md."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware


class CompressPagesMiddleware(GZipMiddleware):
    """Compresses HTML only.

    Pages contain no secret but the CSRF token, which Django masks with new bytes in each response.
    The API can return secrets beside what a caller sends, so its responses stay as they are.
    """

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Compress the response if it is a page and the browser accepts it."""
        if not response.headers.get("Content-Type", "").startswith("text/html"):
            return response
        compressed: HttpResponseBase = super().process_response(request, response)
        return compressed
