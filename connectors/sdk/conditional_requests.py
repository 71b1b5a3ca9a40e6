"""Conditional requests: ask a system to send a document only if it has changed (RFC 9110, 13)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from connectors.sdk.webhook_and_poll_types import HttpRequest, HttpResponse

NOT_MODIFIED = 304
CONDITION_HEADERS = ("if-none-match", "if-modified-since")


@dataclass(frozen=True, slots=True)
class Validators:
    """The version of a document as its system named it: `ETag` and `Last-Modified`.

    `request` identifies the request that it answered: URL, query and headers.
    """

    request: str = ""
    etag: str = ""
    modified: str = ""

    @classmethod
    def of_response(cls, request: HttpRequest, response: HttpResponse) -> "Validators":
        """Return what the response says about its version; nothing if it says nothing."""
        headers = {name.lower(): text for name, text in response.headers.items()}
        etag, modified = headers.get("etag", ""), headers.get("last-modified", "")
        if not etag and not modified:
            return cls()
        return cls(_fingerprint(request), etag[:1000], modified[:100])

    @classmethod
    def from_cursor(cls, data: Mapping[str, Any]) -> "Validators":
        """Return what `to_cursor` stored."""
        return cls(*(str(data.get(name, "")) for name in ("request", "etag", "modified")))

    def to_cursor(self) -> dict[str, str]:
        """Return what the cursor of the poll stores."""
        named = {"request": self.request, "etag": self.etag, "modified": self.modified}
        return {name: text for name, text in named.items() if text}

    def add_to(self, request: HttpRequest) -> HttpRequest:
        """Return the request with the headers that name this version, if it is the same request.

        A header that the request has already, such as the one of a cursor, stays.
        """
        if not self.request or self.request != _fingerprint(request):
            return request
        named = {"if-none-match": self.etag, "if-modified-since": self.modified}
        conditions = {name: text for name, text in named.items() if text}
        return replace(request, headers={**conditions, **request.headers})


def is_conditional(request: HttpRequest) -> bool:
    """Whether 304 is an answer to the request: that nothing has changed."""
    return any(name in request.headers for name in CONDITION_HEADERS)


def _fingerprint(request: HttpRequest) -> str:
    texts = [request.method, request.url_with_merged_query]
    texts += [f"{name}: {text}" for name, text in sorted(request.headers.items())]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:32]
