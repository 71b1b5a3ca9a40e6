"""The HTTP client for outgoing requests, shared by all pollers and channels of a process.

It keeps a pool of connections, calls allowed addresses only, limits time and size, stores no
cookies and follows no redirects.
"""

from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx2

from connectors.sdk.webhook_and_poll_types import HttpRequest, HttpResponse
from visibility.outbound.address_guard import check_url_scheme_port_and_no_credentials
from visibility.outbound.deadline_transport import (
    DeadlineTransport,
    is_deadline_over,
    limit_network_time_in_block,
)
from visibility.outbound.request_time_and_count_limits import RequestBudget

MAX_RESPONSE_BYTES = 10_485_760
# From the first lookup of the host to the last byte of the body.
RESPONSE_SECONDS = 30.0
CONNECT_SECONDS = 10.0
POOL_LIMITS = httpx2.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=10)


@cache
def _shared_client() -> httpx2.Client:
    return httpx2.Client(
        transport=DeadlineTransport(POOL_LIMITS),
        timeout=httpx2.Timeout(RESPONSE_SECONDS, connect=CONNECT_SECONDS),
        follow_redirects=False,
        # One system must not receive the cookies of another.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        # A proxy of the environment would connect to addresses that the guard does not see.
        trust_env=False,
    )


class OutgoingHttpClient:
    """The HTTP client that pollers use; implements the SDK's `HttpClient`."""

    def __init__(self, budget: RequestBudget | None = None) -> None:
        self._budget = budget

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send a request. The response is limited to 30 s, 10 MiB. Raises ConnectionError."""
        url = request.url_with_merged_query
        check_url_scheme_port_and_no_credentials(url)
        seconds = RESPONSE_SECONDS
        if self._budget is not None:
            seconds = min(seconds, self._budget.count_request_and_return_seconds_left())
        with limit_network_time_in_block(seconds):
            try:
                with _shared_client().stream(
                    request.method,
                    url,
                    headers=dict(request.headers),
                    content=request.body or None,
                ) as response:
                    body = _read_limited_body(response)
            except (httpx2.LocalProtocolError, UnicodeEncodeError):
                # Its text contains the header, which may be the secret.
                raise ConnectionError(
                    "the request is not valid HTTP; look for a line break or an accent "
                    "in a setting or secret"
                ) from None
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                if is_deadline_over():
                    raise ConnectionError(
                        f"the response was not complete after {seconds:.0f} s"
                    ) from error
                raise ConnectionError(f"{type(error).__name__}: {error}") from error
        lower = {name.lower(): value for name, value in response.headers.items()}
        return HttpResponse(response.status_code, lower, body)


def _read_limited_body(response: httpx2.Response) -> bytes:
    body = bytearray()
    for piece in response.iter_bytes():
        body += piece
        if len(body) > MAX_RESPONSE_BYTES:
            raise ConnectionError(f"the response is larger than {MAX_RESPONSE_BYTES} bytes")
    return bytes(body)
